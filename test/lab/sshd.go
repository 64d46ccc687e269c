package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/internal/openssh"
)

// SSHDOptions says how an additional sshd differs from the lab's own.
type SSHDOptions struct {
	HostKeys    []string // key types; nil means ed25519, ecdsa and rsa
	Port        int      // on 127.0.0.1; 0 means a free one
	MaxSessions int      // 0 means 10
	Prefix      []string // what sshd is run by, such as OnlyPodman
	Config      []string // further sshd_config lines; they win over the lab's
}

// Server is an sshd that a test started. It ends with the test, or with Stop.
type Server struct {
	*openssh.Server
	SSHConfig string // for ssh -F: the lab's aliases, on this server
	stopped   bool
}

// SSHD starts another sshd, with the lab's users and keys, for one test.
func SSHD(t testing.TB, opts SSHDOptions) *Server {
	t.Helper()
	l := Open(t)
	Require(t, "root")
	dir := t.TempDir()
	inner, err := openssh.StartServer(openssh.ServerOptions{
		Dir: dir, AuthorizedKeys: l.KeysFile, UserCA: l.UserCA,
		HostKeys: opts.HostKeys, Port: opts.Port, MaxSessions: opts.MaxSessions, Config: opts.Config,
		Prefix: opts.Prefix,
	})
	if err != nil {
		t.Fatalf("start sshd: %v", err)
	}
	s := &Server{Server: inner}
	t.Cleanup(s.Stop)
	client := l.Client()
	client.Server = openssh.Endpoint{Addr: inner.Addr, HostKeys: inner.HostKeys}
	if s.SSHConfig, err = client.Write(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

// Stop ends the server and every session on it. A second call does nothing.
func (s *Server) Stop() {
	if !s.stopped {
		s.stopped = true
		s.Server.Stop()
	}
}

// Agent starts an ssh-agent that holds the private keys, for one test, and
// returns the path of its socket, which is for SSH_AUTH_SOCK.
func Agent(t testing.TB, keys ...string) string {
	t.Helper()
	Require(t, "ssh")
	dir, err := os.MkdirTemp("", "agent") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	agent, err := daemon.Start(filepath.Join(dir, "log"), "ssh-agent", "-D", "-a", socket)
	if err != nil {
		t.Fatalf("start ssh-agent: %v", err)
	}
	t.Cleanup(func() { agent.Stop(5 * time.Second) })
	err = agent.WaitReady(5*time.Second, func() error { _, err := os.Stat(socket); return err })
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) == 0 {
		return socket
	}
	add := exec.Command("ssh-add", append([]string{"-q"}, keys...)...)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add %s: %v: %s", strings.Join(keys, " "), err, out)
	}
	return socket
}
