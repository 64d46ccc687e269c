package sshhost_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestServerThatIsNone: whatever a port answers, it is an error of the dial,
// in bounded time, and nothing is left of it. One that has greeted as a server
// does is not tried again.
func TestServerThatIsNone(t *testing.T) {
	l := lab.Open(t)
	const banner = "SSH-2.0-OpenSSH_9.2\r\n"
	for _, tt := range []struct {
		name string
		says func(io.Writer) // then the connection is closed
	}{
		{"a banner", func(w io.Writer) { io.WriteString(w, banner) }},
		{"a banner and noise", func(w io.Writer) { io.WriteString(w, banner+strings.Repeat("noise", 1000)) }},
		{"a banner and an endless packet", func(w io.Writer) { w.Write(append([]byte(banner), 0xff, 0xff, 0xff, 0xff)) }},
		{"another protocol", func(w io.Writer) { io.WriteString(w, "220 mail.example.com ESMTP\r\n") }},
		{"an old protocol", func(w io.Writer) { io.WriteString(w, "SSH-1.5-old\r\n") }},
		{"no line end", func(w io.Writer) { w.Write(bytes.Repeat([]byte("x"), 1<<20)) }},
		{"lines for ever", func(w io.Writer) {
			for {
				if _, err := io.WriteString(w, "Welcome!\r\n"); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			addr, stop := answer(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
				tt.says(c)
				c.Close()
			})
			h := open(t, "lab-bash", l.Via(t, addr), func(c *sshhost.Config) { c.Timeout = 2 * time.Second })
			unreachable(t, h, "dial", nil)
			if n := h.Stats().Dials; n != 1 && strings.HasPrefix(tt.name, "a banner") {
				t.Errorf("got %d dials, want 1: the server has greeted", n)
			}
			h.Close()
			stop()
			allEnd(t, before)
		})
	}
}

// TestNoneIsEnough: a server that lets in everybody is one that has no use
// for keys, and can be used without any.
func TestNoneIsEnough(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	h := open(t, "open-house", openHouse(t), nil)
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"echo", "come in"}})
	if err != nil || string(res.Stdout) != "come in\n" {
		t.Errorf("got %q, %v, want %q", res.Stdout, err, "come in\n")
	}
}

// TestRefusalIsFinal: a server that has refused our keys is not asked again by
// itself; it counts.
func TestRefusalIsFinal(t *testing.T) {
	h := open(t, "lab-denied", lab.Open(t).SSHConfig, nil)
	unreachable(t, h, "auth", sshhost.ErrAuth)
	if n := h.Stats().Dials; n != 1 {
		t.Errorf("got %d dials, want 1", n)
	}
}

// TestStallInTheHandshake: a server that stops answering half-way ends at the
// caller's deadline, at whatever byte that was.
func TestStallInTheHandshake(t *testing.T) {
	l := lab.Open(t)
	for _, n := range []int{1, 25, 600, 1500} {
		before := runtime.NumGoroutine()
		addr := stutter(t, l.Server.Addr, n)
		h := open(t, "lab-bash", l.Via(t, addr), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_, err := h.Run(ctx, trueCmd)
		cancel()
		var he *sandboxer.HostError
		if !errors.As(err, &he) || he.Started || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("silent after %d bytes: got %v, want context.DeadlineExceeded, never started", n, err)
		}
		h.Close()
		allEnd(t, before+1) // the listener's
	}
}

// stutter listens for target, and passes on n bytes of what that says.
func stutter(t *testing.T, target string, n int) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		server, err := net.Dial("tcp", target)
		if err != nil {
			t.Errorf("dial %s: %v", target, err)
			return
		}
		defer server.Close()
		go io.CopyN(c, server, int64(n))
		io.Copy(server, c) // until the client has had enough
	}()
	return listener.Addr().String()
}
