package sshhost_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestRoundTrips counts what a user on a long wire waits for. The proxy never
// counts too few, and too many only where the host takes longer than its wire:
// a longer one shows that.
func TestRoundTrips(t *testing.T) {
	for delay := 50 * time.Millisecond; ; delay *= 4 {
		cold, warm, four := roundTrips(t, delay)
		t.Logf("%v each way: connect and run: %d round trips; run: %d; four at once: %d", delay, cold, warm, four)
		if cold <= 9 && warm <= 2 && four <= 3 {
			return
		}
		if delay > time.Second {
			t.Fatalf("got %d round trips to connect and run, %d to run again, %d for four at once, want at most 9, 2 and 3", cold, warm, four)
		}
	}
}

// roundTrips runs commands on a host at the other end of a long wire.
func roundTrips(t *testing.T, delay time.Duration) (cold, warm, four int) {
	t.Helper()
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, delay)
	h := open(t, "lab-dash", l.Via(t, p.Addr), func(c *sshhost.Config) { c.Timeout = 5 * time.Minute })
	runs(t, h)
	cold = p.RoundTrips()
	runs(t, h)
	warm = p.RoundTrips() - cold
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { runs(t, h) })
	}
	all.Wait()
	if got := p.Connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	return cold, warm, p.RoundTrips() - cold - warm
}

// TestSessions: whatever a server allows, no command fails for want of a
// session, and there is one connection.
func TestSessions(t *testing.T) {
	lab.Require(t, "sshd")
	for _, allowed := range []int{1, 2, 10} {
		t.Run(fmt.Sprintf("MaxSessions %d", allowed), func(t *testing.T) {
			t.Parallel()
			srv := lab.SSHD(t, lab.SSHDOptions{MaxSessions: allowed})
			h := open(t, "lab-dash", srv.SSHConfig, nil)
			const each = 25
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					for range each {
						if res, err := h.Run(t.Context(), trueCmd); err != nil || res.ExitCode != 0 {
							t.Errorf("got exit %d, %v, want success", res.ExitCode, err)
						}
					}
				})
			}
			all.Wait()
			if s := h.Stats(); s.Dials != 1 || s.Execs != 16*each {
				t.Errorf("got %+v, want 1 dial, %d execs", s, 16*each)
			}
		})
	}
}

// TestCancelWithOneSession: the session that sees to the process group finds
// room even where only one is allowed.
func TestCancelWithOneSession(t *testing.T) {
	srv := lab.SSHD(t, lab.SSHDOptions{MaxSessions: 1})
	h := open(t, "lab-bash", srv.SSHConfig, nil)
	for _, script := range []string{"echo; exec sleep 60", `trap "" TERM; echo; while :; do sleep 1; done`, "sleep 60 & echo; wait"} {
		he := cancelled(t, h, script)
		if !he.Killed {
			t.Errorf("%s: got %v, Killed false, want true", script, he)
		}
	}
	runs(t, h)
}

// cancelled runs a script and cancels it when it has printed something.
func cancelled(t *testing.T, h *sshhost.Host, script string) *sandboxer.HostError {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := h.Run(ctx, sandboxer.Cmd{
		Args: []string{"sh", "-c", script}, Grace: 200 * time.Millisecond,
		Stdout: writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }),
	})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !errors.Is(err, context.Canceled) {
		t.Fatalf("%s: got %v, want context.Canceled", script, err)
	}
	return he
}

// TestNoSessionIsLost: after a hundred cancelled commands every session the
// server allows is there still, and no process of theirs.
func TestNoSessionIsLost(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, nil)
	const command = "exec sleep 86399.25" // which nobody else runs
	jobs := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range jobs {
				if he := cancelled(t, h, "echo; "+command); !he.Killed {
					t.Errorf("got %v, want it killed", he)
				}
			}
		})
	}
	for range 100 {
		jobs <- struct{}{}
	}
	close(jobs)
	all.Wait()
	runs(t, h)
	if s := h.Stats(); s.Dials != 1 {
		t.Errorf("got %d dials, want the one connection to have lived", s.Dials)
	}
	if out, err := exec.Command("pgrep", "-fx", strings.TrimPrefix(command, "exec ")).Output(); len(out) > 0 || err == nil {
		t.Errorf("got processes %q, want none left", out)
	}
}

// TestStall: a connection without another end is given up in the time stated,
// whatever is waiting for it, and never taken for a command's success.
func TestStall(t *testing.T) {
	l := lab.Open(t)
	const lostAfter = 900 * time.Millisecond
	for _, tt := range []struct {
		name  string
		cmd   func(stall func()) sandboxer.Cmd
		began bool
	}{
		{"during a command", func(stall func()) sandboxer.Cmd {
			return sandboxer.Cmd{Args: []string{"sh", "-c", "echo; sleep 60"}, Stdout: writerFunc(func(p []byte) (int, error) { stall(); return len(p), nil })}
		}, true},
		{"during an upload", func(stall func()) sandboxer.Cmd {
			return sandboxer.Cmd{Args: []string{"sh", "-c", "cat >/dev/null"}, Stdin: readerFunc(func(p []byte) (int, error) { stall(); return len(p), nil })}
		}, true},
		{"while nothing runs", func(stall func()) sandboxer.Cmd { stall(); return trueCmd }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := lab.DelayProxy(t, l.Server.Addr, 0)
			h := open(t, "lab-dash", l.Via(t, p.Addr), func(c *sshhost.Config) { c.LostAfter, c.Timeout = lostAfter, lostAfter })
			runs(t, h)
			start := time.Now()
			_, err := h.Run(t.Context(), tt.cmd(sync.OnceFunc(p.Stall)))
			took := time.Since(start)
			var he *sandboxer.HostError
			if !errors.As(err, &he) || he.Started != tt.began || took > 4*lostAfter {
				t.Errorf("got %v (%+v) after %v, want an error, started %v, in about %v", err, he, took, tt.began, lostAfter)
			}
			if tt.began && !errors.Is(err, sshhost.ErrConnLost) {
				t.Errorf("got %v, want ErrConnLost", err)
			}
			p.Resume()
			runs(t, h)
		})
	}
}

// TestCancelOnAStalledLink: a cancelled call ends in bounded time where nothing
// can be learnt any more, and does not claim to have killed anything.
func TestCancelOnAStalledLink(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 0)
	h := open(t, "lab-dash", l.Via(t, p.Addr), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	start := time.Now()
	_, err := h.Run(ctx, sandboxer.Cmd{
		Args: []string{"sh", "-c", "echo; sleep 60"}, Grace: 100 * time.Millisecond,
		Stdout: writerFunc(func(b []byte) (int, error) { p.Stall(); cancel(); return len(b), nil }),
	})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || he.Killed || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled, started, not killed", err)
	}
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("got it after %v, want it in seconds", took)
	}
}

// TestSlowIsNotLost: a command that says nothing for longer than LostAfter is
// fine if its server answers.
func TestSlowIsNotLost(t *testing.T) {
	l := lab.Open(t)
	h := open(t, "lab-dash", l.SSHConfig, func(c *sshhost.Config) { c.LostAfter = 300 * time.Millisecond })
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "sleep 2; echo done"}})
	if err != nil || string(res.Stdout) != "done\n" {
		t.Errorf("got %q, %v, want it to end by itself", res.Stdout, err)
	}
}

// TestCut: a connection that breaks says so, at each stage, and a command
// that had no chance to begin is sent again over a new one.
func TestCut(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 0)
	h := open(t, "lab-dash", l.Via(t, p.Addr), nil)
	runs(t, h)

	p.Cut() // while nothing runs
	runs(t, h)
	if n := p.Connections(); n != 2 {
		t.Errorf("got %d connections, want 2", n)
	}

	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo; sleep 60"}, Stdout: writerFunc(func(b []byte) (int, error) {
		p.Cut()
		return len(b), nil
	})})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || he.Killed || !errors.Is(err, sshhost.ErrConnLost) || res.ExitCode == 0 {
		t.Errorf("cut during a command: got exit %d, %v, want ErrConnLost, outcome unknown", res.ExitCode, err)
	}
	runs(t, h)

	p.CutAfter(200 << 10)
	_, err = h.Run(t.Context(), sandboxer.Cmd{Args: []string{"cat"}, Stdin: io.LimitReader(readerFunc(func(b []byte) (int, error) { return len(b), nil }), 8<<20)})
	if !errors.Is(err, sshhost.ErrConnLost) {
		t.Errorf("cut during an upload: got %v, want ErrConnLost", err)
	}
	runs(t, h)
}

// TestRestart: a server that was restarted is found again.
func TestRestart(t *testing.T) {
	srv := lab.SSHD(t, lab.SSHDOptions{})
	h := open(t, "lab-dash", srv.SSHConfig, nil)
	runs(t, h)
	srv.Stop()
	unreachable(t, h, "dial", nil, "connection refused")
}

func TestClose(t *testing.T) {
	l := lab.Open(t)
	before := runtime.NumGoroutine()
	h := open(t, "lab-dash", l.SSHConfig, nil)
	began := make(chan struct{})
	result := make(chan error)
	go func() {
		_, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo; sleep 60"}, Stdout: writerFunc(func(p []byte) (int, error) {
			close(began)
			return len(p), nil
		})})
		result <- err
	}()
	<-began
	closed := make(chan error)
	go func() { closed <- h.Close() }()
	err := <-result
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, sshhost.ErrClosed) {
		t.Errorf("a command under way: got %v, want ErrClosed, started", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("Close again: got %v, want nil", err)
	}
	unreachable(t, h, "start", sshhost.ErrClosed)
	allEnd(t, before)
	never := open(t, "lab-dash", l.SSHConfig, nil)
	if err := never.Close(); err != nil || never.Stats().Dials != 0 {
		t.Errorf("closed unused: got %v, %+v, want nil, no dial", err, never.Stats())
	}
}

// allEnd waits for the goroutines beyond those before to end: what has told its
// result may be on its last step.
func allEnd(t *testing.T, before int) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			t.Errorf("got %d goroutines, %d before: want none left", runtime.NumGoroutine(), before)
			return
		case <-tick.C:
		}
	}
}

// TestRekey moves more than the server wants to see under one key.
func TestRekey(t *testing.T) {
	srv := lab.SSHD(t, lab.SSHDOptions{Config: []string{"RekeyLimit 1M"}})
	h := open(t, "lab-dash", srv.SSHConfig, nil)
	data := strings.Repeat("0123456789abcdef", 6<<20/16)
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"cat"}, Stdin: strings.NewReader(data)})
	if err != nil || string(res.Stdout) != data {
		t.Errorf("got %d bytes, %v, want the %d sent", len(res.Stdout), err, len(data))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
