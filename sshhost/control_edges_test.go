package sshhost_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// TestControlMasterGoesIdle: where the master ends between two commands, as at
// the end of its ControlPersist, the second makes a connection of its own.
func TestControlMasterGoesIdle(t *testing.T) {
	cfg, p := master(t)
	h := open(t, "lab-bash", cfg, nil)
	runs(t, h)
	if out, err := exec.Command("ssh", "-F", cfg, "-O", "exit", "lab-bash").CombinedOutput(); err != nil {
		t.Fatalf("ssh -O exit: %v: %s", err, out)
	}
	runs(t, h)
	if n := p.Connections(); n != 2 {
		t.Errorf("got %d connections, want the master's and one of our own", n)
	}
}

// TestControlPathTooLong: no socket can have a name of more than 107 bytes,
// so there is none.
func TestControlPathTooLong(t *testing.T) {
	l := lab.Open(t)
	for _, n := range []int{104, 108, 300} {
		socket := "/tmp/" + strings.Repeat("s", n-len("/tmp/"))
		runs(t, open(t, "lab-bash", config(t, l.SSHConfig, "Host lab-bash", "    ControlPath "+socket), nil))
	}
}
