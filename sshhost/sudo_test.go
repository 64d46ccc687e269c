package sshhost_test

import (
	"os/exec"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sandboxertest"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

func bySudo(c *sshhost.Config) { c.Sudo = true }

// TestHostBySudo: every promise of sandboxer.Host is kept for root's commands.
func TestHostBySudo(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "sudo")
	sandboxertest.TestHost(t, func(t *testing.T) sandboxer.Host { return open(t, "lab-admin", l.SSHConfig, bySudo) })
}

// TestSudo: the command is root's, and gets what it was given.
func TestSudo(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "sudo")
	h := open(t, "lab-admin", l.SSHConfig, bySudo)
	res, err := h.Run(t.Context(), sandboxer.Cmd{
		Args: []string{"sh", "-c", `id -u; echo "$LC_ALL $GIVEN"; cat; exit 3`}, Env: []string{"GIVEN=it's"}, Stdin: strings.NewReader("input"),
	})
	if want := "0\nC it's\ninput"; err != nil || string(res.Stdout) != want || res.ExitCode != 3 {
		t.Errorf("got %q, exit %d, %v, want %q, exit 3", res.Stdout, res.ExitCode, err, want)
	}
	long := strings.Repeat("x", 100<<10)
	res, err = h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", `printf %s "$1$2"`, "sh", long, long}})
	if err != nil || string(res.Stdout) != long+long {
		t.Errorf("200 KiB of arguments: got %d bytes, %v, want %d", len(res.Stdout), err, 2*len(long))
	}
}

// TestSudoIsKilled: the account itself may not signal what it has started.
func TestSudoIsKilled(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "sudo")
	h := open(t, "lab-admin", l.SSHConfig, bySudo)
	for _, script := range []string{"echo; exec sleep 60", `trap "" TERM; echo; while :; do sleep 1; done`, "sleep 60 & echo; wait"} {
		if he := cancelled(t, h, script); !he.Killed {
			t.Errorf("%s: got %v, Killed false, want true", script, he)
		}
	}
}

// TestSudoRefuses: what sudo refuses has never run, and it is sudo that says so.
func TestSudoRefuses(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "sudo")
	for _, tt := range []struct{ alias, text string }{
		{"lab-bash", "a password is required"}, // not in sudoers
		{"lab-sudo", "a password is required"}, // may run other things only
		{"lab-fish", "sudo -n true must succeed"},
	} {
		unreachable(t, open(t, tt.alias, l.SSHConfig, bySudo), "start", sshhost.ErrPrivilege, "sudo -n ended with exit status 1", tt.text)
	}
	unreachable(t, open(t, "lab-nologin", l.SSHConfig, bySudo), "start", sshhost.ErrShell)
}

// TestSudoThatCannotBeExecuted is no command that ended with 126.
func TestSudoThatCannotBeExecuted(t *testing.T) {
	lab.Require(t, "root", "sudo")
	path, err := exec.LookPath("sudo")
	if err != nil {
		t.Fatal(err)
	}
	hide := []string{"unshare", "--mount", "sh", "-c", `mount --bind /dev/null "$0" && exec "$@"`, path}
	srv := lab.SSHD(t, lab.SSHDOptions{Prefix: hide})
	unreachable(t, open(t, "lab-admin", srv.SSHConfig, bySudo), "start", sshhost.ErrPrivilege, "sudo")
}
