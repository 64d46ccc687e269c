package sshhost_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

var trueCmd = sandboxer.Cmd{Args: []string{"true"}}

// config writes an ssh_config of these lines ahead of another one: the first
// value of a keyword wins.
func config(t *testing.T, base string, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ssh_config")
	text := strings.Join(lines, "\n") + "\nHost *\n    Include " + base + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// unreachable checks that a command never started, and why.
func unreachable(t *testing.T, h *sshhost.Host, op string, want error, texts ...string) *sandboxer.HostError {
	t.Helper()
	_, err := h.Run(t.Context(), trueCmd)
	var he *sandboxer.HostError
	if !errors.As(err, &he) || he.Started || he.Op != op || he.Host != h.Name() || want != nil && !errors.Is(err, want) {
		t.Fatalf("got %#v (%v), want a HostError of %q, not started, with %v", err, err, op, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error()+"\nhint: "+he.Hint, text) {
			t.Errorf("got %q, hint %q, want %q in it", err, he.Hint, text)
		}
	}
	return he
}

func TestUnreachable(t *testing.T) {
	l := lab.Open(t)
	_, refusedPort, _ := net.SplitHostPort(l.Refused)
	for _, tt := range []struct {
		alias string
		op    string
		is    error
		texts []string
	}{
		{"", "resolve", sshhost.ErrConfig, []string{"no host named"}},
		{"-oProxyCommand=touch /tmp/owned", "resolve", sshhost.ErrConfig, []string{"begins with -"}},
		{"a\nb", "resolve", sshhost.ErrConfig, []string{`"a\nb"`}},
		{strings.Repeat("a", 300), "dial", nil, []string{"lookup"}},
		{"no-such-host.invalid", "dial", nil, []string{"lookup no-such-host.invalid", "needs a Host entry in " + l.SSHConfig}},
		{"lab-refused", "dial", nil, []string{"connection refused", "port " + refusedPort + " of 127.0.0.1"}},
		{"lab-denied", "auth", sshhost.ErrAuth, []string{"permission denied", "accepts publickey", l.Stranger, "ssh-copy-id -F " + l.SSHConfig + " lab-denied"}},
		{"lab-changed", "host key", sshhost.ErrHostKeyChanged, []string{"SHA256:", "known_hosts.changed:1", "ssh-keygen -f "}},
		{"lab-unknown", "host key", sshhost.ErrHostKeyUnknown, []string{"SHA256:", "ssh-keyscan -t ed25519 -p ", "known_hosts.empty"}},
		{"lab-nologin", "start", sshhost.ErrShell, []string{"This account is currently not available.", "exit status 1"}},
		{"lab-deadjump", "dial", nil, []string{"proxy: ", "Connection refused"}},
	} {
		t.Run(tt.alias[:min(len(tt.alias), 20)], func(t *testing.T) {
			unreachable(t, open(t, tt.alias, l.SSHConfig, nil), tt.op, tt.is, tt.texts...)
		})
	}
	if _, err := os.Stat("/tmp/owned"); err == nil {
		t.Error("got /tmp/owned: a host name became an option of ssh")
	}
}

func TestBadConfiguration(t *testing.T) {
	l := lab.Open(t)
	unreachable(t, open(t, "lab-bash", config(t, l.SSHConfig, "Bogus yes"), nil), "resolve", sshhost.ErrConfig,
		"Bad configuration option: bogus", "ssh -G -F ")
	unreachable(t, open(t, "lab-bash", "/nonexistent/ssh_config", nil), "resolve", sshhost.ErrConfig,
		"/nonexistent/ssh_config")
	unreachable(t, open(t, "lab-bash", l.SSHConfig, func(c *sshhost.Config) { c.SSH = "sbx-no-such-ssh" }), "resolve", sshhost.ErrConfig,
		"sbx-no-such-ssh", "install the OpenSSH client")
}

// TestSilentServer: a server that accepts and says nothing ends at the
// deadline, the caller's or the configured one, and leaves nothing behind.
func TestSilentServer(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 0)
	p.Stall()
	cfg := l.Via(t, p.Addr)

	h := open(t, "lab-bash", cfg, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := h.Run(ctx, trueCmd)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 5*time.Second {
		t.Errorf("got %v after %v, want context.DeadlineExceeded after 300ms", err, took)
	}
	if err := h.Close(); err != nil { // waits for every goroutine
		t.Errorf("Close: got %v, want nil", err)
	}

	h = open(t, "lab-bash", cfg, func(c *sshhost.Config) { c.Timeout = 300 * time.Millisecond })
	he := unreachable(t, h, "dial", nil, "no answer in time", p.Addr)
	if errors.Is(he, context.DeadlineExceeded) {
		t.Errorf("got %v, want no context error: the caller's context has not ended", he)
	}
}

// TestTurnedAway: past MaxStartups, and to an address whose logins failed,
// sshd closes connections unheard. They are made again, but not for ever.
func TestTurnedAway(t *testing.T) {
	l := lab.Open(t)
	for _, tt := range []struct {
		closed, dials int
		err           bool
	}{{2, 3, false}, {100, 8, true}} {
		h := open(t, "lab-dash", l.Via(t, doorkeeper(t, l.Server.Addr, tt.closed)), nil)
		_, err := h.Run(t.Context(), trueCmd)
		if n := h.Stats().Dials; (err != nil) != tt.err || n != tt.dials {
			t.Errorf("turned away %d times: got %v after %d dials, want %d, error %v", tt.closed, err, n, tt.dials, tt.err)
		}
	}
}

// doorkeeper listens for target, and closes the first n connections unheard,
// by turns politely and not.
func doorkeeper(t *testing.T, target string, n int) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { listener.Close() })
	all.Go(func() {
		for i := 0; ; i++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			if i < n {
				_ = c.(*net.TCPConn).SetLinger(i%2 - 1) // 0 resets
				c.Close()
				continue
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				t.Errorf("dial %s: %v", target, err)
				c.Close()
				continue
			}
			all.Go(func() { io.Copy(server, c); server.Close() })
			all.Go(func() { io.Copy(c, server); c.Close() })
		}
	})
	return listener.Addr().String()
}

// TestOneDialForAll: commands that start together share one connection, and
// the first one's context is not the others'.
func TestOneDialForAll(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 20*time.Millisecond)
	h := open(t, "lab-bash", l.Via(t, p.Addr), nil)
	first, cancel := context.WithCancel(t.Context())
	firstErr := make(chan error)
	go func() {
		_, err := h.Run(first, trueCmd)
		firstErr <- err
	}()
	for h.Stats().Dials == 0 {
		<-time.After(time.Millisecond)
	}
	errs := make(chan error)
	for range 3 {
		go func() {
			_, err := h.Run(t.Context(), trueCmd)
			errs <- err
		}()
	}
	cancel()
	if err := <-firstErr; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled one: got %v, want context.Canceled", err)
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Errorf("another one: got %v, want it to run", err)
		}
	}
	if n := p.Connections(); n > 2 {
		t.Errorf("got %d connections, want 1, or 2 if the first was given up before the others came", n)
	}
}
