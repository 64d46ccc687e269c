package sshhost_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sandboxertest"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// master starts an ssh that holds a connection for others, through a proxy,
// and returns the configuration with which they find it.
func master(t *testing.T) (cfg string, p *lab.Proxy) {
	t.Helper()
	l := lab.Open(t)
	p = lab.DelayProxy(t, l.Server.Addr, 0)
	dir, err := os.MkdirTemp("", "cm") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	cfg = config(t, l.Via(t, p.Addr), "Host lab-bash", "    ControlPath "+socket)
	cmd := exec.Command("ssh", "-F", cfg, "-M", "-N", "lab-bash")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 500 {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return cfg, p
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("the master's socket does not appear")
	return "", nil
}

func TestHostOverControlMaster(t *testing.T) {
	cfg, p := master(t)
	sandboxertest.TestHost(t, func(t *testing.T) sandboxer.Host { return open(t, "lab-bash", cfg, nil) })
	if n := p.Connections(); n != 1 {
		t.Errorf("got %d connections, want the master's only", n)
	}
}

// TestControlMasterEnds: what the master takes with it is lost, never a
// success; and the next command makes a connection of its own.
func TestControlMasterEnds(t *testing.T) {
	cfg, p := master(t)
	h := open(t, "lab-bash", cfg, nil)
	_, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo; sleep 60"}, Stdout: writerFunc(func(b []byte) (int, error) {
		if out, err := exec.Command("ssh", "-F", cfg, "-O", "exit", "lab-bash").CombinedOutput(); err != nil {
			t.Errorf("ssh -O exit: %v: %s", err, out)
		}
		return len(b), nil
	})})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, sshhost.ErrConnLost) {
		t.Errorf("got %v, want ErrConnLost, started", err)
	}
	runs(t, h)
	if n := p.Connections(); n != 2 {
		t.Errorf("got %d connections, want the master's and one of our own", n)
	}
}

// TestControlMasterGone: a socket that was left over is no hindrance, nor is
// one that never answers.
func TestControlMasterGone(t *testing.T) {
	l := lab.Open(t)
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	listener.Close()
	cfg := config(t, l.SSHConfig, "Host lab-bash", "    ControlPath "+socket)
	runs(t, open(t, "lab-bash", cfg, nil))

	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if listener, err = net.Listen("unix", socket); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	runs(t, open(t, "lab-bash", cfg, nil))
}

// TestControlMasterStalls: a master that waits for a server which is not there
// any more is given up like a connection of our own, and a new one is made.
func TestControlMasterStalls(t *testing.T) {
	cfg, p := master(t)
	h := open(t, "lab-bash", cfg, func(c *sshhost.Config) { c.LostAfter = 900 * time.Millisecond })
	if res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sleep", "2"}}); err != nil || res.ExitCode != 0 {
		t.Errorf("silent for long: got %d, %v, want it to end by itself", res.ExitCode, err)
	}
	_, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo; sleep 60"}, Stdout: writerFunc(func(b []byte) (int, error) {
		p.Stall()
		return len(b), nil
	})})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, sshhost.ErrConnLost) {
		t.Errorf("got %v, want ErrConnLost, started", err)
	}
	p.Resume()
	runs(t, h)
	if n := p.Connections(); n != 2 {
		t.Errorf("got %d connections, want the master's and one of our own", n)
	}
}
