package sshhost_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// restartable starts an sshd with a key that another one can have after it.
func restartable(t *testing.T, key string, port int) *lab.Server {
	t.Helper()
	return lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{}, Port: port, Config: []string{
		"HostKey " + key, "PidFile " + filepath.Join(t.TempDir(), "pid"),
	}})
}

func portOf(t *testing.T, addr string) (port int) {
	t.Helper()
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestRestartedServer: while a server is away its host cannot be reached; when
// it is back the same Host connects anew. A command that ran when it went is
// lost, and not run again.
func TestRestartedServer(t *testing.T) {
	key := newKey(t, "-t", "ed25519")
	srv := restartable(t, key, 0)
	known := writeFile(t, fmt.Sprintf("[127.0.0.1]:%d %s", portOf(t, srv.Addr), strings.Join(strings.Fields(readFile(t, key+".pub"))[:2], " ")))
	h := open(t, "lab-dash", config(t, srv.SSHConfig, "Host lab-dash", "UserKnownHostsFile "+known), nil)
	_, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo; exec sleep 60"}, Stdout: writerFunc(func(p []byte) (int, error) {
		srv.Stop()
		return len(p), nil
	})})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, sshhost.ErrConnLost) {
		t.Errorf("a command under way: got %v, want ErrConnLost, started", err)
	}
	unreachable(t, h, "dial", syscall.ECONNREFUSED)
	restartable(t, key, portOf(t, srv.Addr))
	runs(t, h)
	if n := h.Stats().Dials; n != 3 {
		t.Errorf("got %d dials, want 3: the first, the refused, and the last", n)
	}
}

// TestListenerDown: a connection outlives the server's listener, as when sshd
// is upgraded, and commands go on over it.
func TestListenerDown(t *testing.T) {
	lab.Require(t, "sshd")
	pidFile := filepath.Join(t.TempDir(), "pid")
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Config: []string{"PidFile " + pidFile}})
	h := open(t, "lab-dash", srv.SSHConfig, nil)
	runs(t, h)
	pid, err := strconv.Atoi(strings.TrimSpace(readFile(t, pidFile)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	unreachable(t, waitRefused(t, srv), "dial", syscall.ECONNREFUSED)
	runs(t, h)
	if n := h.Stats().Dials; n != 1 {
		t.Errorf("got %d dials, want the one connection to have lived", n)
	}
}

// waitRefused waits until nothing listens any more, and returns a host that
// has no connection.
func waitRefused(t *testing.T, srv *lab.Server) *sshhost.Host {
	t.Helper()
	for {
		c, err := net.Dial("tcp", srv.Addr)
		if err != nil {
			return open(t, "lab-dash", srv.SSHConfig, nil)
		}
		c.Close()
	}
}
