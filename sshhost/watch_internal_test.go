package sshhost

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
)

// A pipe is one direction of a connection without a network, so that its
// tests can have a clock of their own. It takes whatever it is given.
type pipe struct {
	mu     sync.Mutex
	wake   *sync.Cond
	buf    bytes.Buffer
	closed bool
	hole   bool // what is written is gone
}

func newPipe() *pipe {
	p := new(pipe)
	p.wake = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.wake.Broadcast()
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.buf.Len() == 0 && !p.closed {
		p.wake.Wait()
	}
	if p.closed {
		return 0, io.EOF
	}
	return p.buf.Read(b)
}

func (p *pipe) Write(b []byte) (int, error) {
	p.change(func() {
		if !p.hole && !p.closed {
			p.buf.Write(b)
		}
	})
	return len(b), nil
}

// An end of a wire of two pipes. Only what ssh uses of net.Conn is there.
type end struct {
	net.Conn
	in, out *pipe
}

func (e end) Read(b []byte) (int, error)  { return e.in.Read(b) }
func (e end) Write(b []byte) (int, error) { return e.out.Write(b) }
func (e end) RemoteAddr() net.Addr        { return nowhere }
func (e end) LocalAddr() net.Addr         { return nowhere }
func (e end) Close() error {
	for _, p := range []*pipe{e.in, e.out} {
		p.change(func() { p.closed = true })
	}
	return nil
}

// stall makes a black hole of both directions.
func (e end) stall() {
	for _, p := range []*pipe{e.in, e.out} {
		p.change(func() { p.hole = true })
	}
}

// wired returns a link to a server that answers whatever it is asked, the
// wire, and how often it was asked.
func wired(t *testing.T, lostAfter time.Duration) (l *link, wire end, asked func() int) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	up, down := newPipe(), newPipe()
	var mu sync.Mutex
	n := 0
	go func() {
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(key)
		conn, channels, requests, err := ssh.NewServerConn(end{in: up, out: down}, config)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			for range channels {
			}
		}()
		for r := range requests {
			mu.Lock()
			n++
			mu.Unlock()
			_ = r.Reply(false, nil)
		}
		conn.Close()
	}()
	wire = end{in: down, out: up}
	h := New("wired", Config{LostAfter: lostAfter})
	c := newConn(wire)
	client, channels, requests, err := ssh.NewClientConn(c, "wired", &ssh.ClientConfig{User: "me", HostKeyCallback: ssh.FixedHostKey(key.PublicKey())})
	if err != nil {
		t.Fatal(err)
	}
	l = newLink(h, c, client, channels, requests, false)
	h.link = l
	t.Cleanup(func() { h.Close() })
	return l, wire, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// TestBounds: what is configured here, or else in ssh_config, or else stated.
func TestBounds(t *testing.T) {
	for _, tt := range []struct {
		here, configured, want time.Duration
	}{
		{0, 0, 20 * time.Second},
		{0, time.Minute, time.Minute},
		{time.Hour, time.Minute, time.Hour},
	} {
		if got := New("web", Config{Timeout: tt.here}).timeout(tt.configured); got != tt.want {
			t.Errorf("Timeout %v, ConnectTimeout %v: got %v, want %v", tt.here, tt.configured, got, tt.want)
		}
	}
	for here, want := range map[time.Duration]time.Duration{0: 30 * time.Second, time.Hour: time.Hour} {
		if got := New("web", Config{LostAfter: here}).lostAfter(); got != want {
			t.Errorf("LostAfter %v: got %v, want %v", here, got, want)
		}
	}
}

// TestBoundOfLoss measures, on a clock of its own, how long a dead connection
// is taken for a live one: LostAfter, and the sixth of it that lies between
// two looks; and another sixth where the command begins after the silence. The
// other end goes at each of 24 moments between two questions.
func TestBoundOfLoss(t *testing.T) {
	for _, lostAfter := range []time.Duration{30 * time.Second, 900 * time.Millisecond, time.Hour} {
		for name, tt := range map[string]struct {
			before bool // the command runs when the other end goes
			bound  time.Duration
		}{
			"during a command": {true, lostAfter + lostAfter/6},
			"before a command": {false, lostAfter + lostAfter/3},
		} {
			t.Run(lostAfter.String()+" "+name, func(t *testing.T) {
				for moment := range time.Duration(24) {
					synctest.Test(t, func(t *testing.T) {
						l, wire, _ := wired(t, lostAfter)
						if tt.before {
							l.sessions.Add(1)
						}
						time.Sleep(10*lostAfter + moment*lostAfter/48)
						wire.stall()
						if !tt.before {
							time.Sleep(10 * lostAfter)
							l.sessions.Add(1)
						}
						start := time.Now()
						<-l.down
						if took := time.Since(start); took < lostAfter/2 || took > tt.bound {
							t.Errorf("moment %d: got it lost after %v, want at most %v", moment, took, tt.bound)
						}
						if !errors.Is(l.why, ErrConnLost) {
							t.Errorf("got %v, want ErrConnLost", l.why)
						}
					})
				}
			})
		}
	}
}

// TestQuietIsNotLost: a day of silent work is no loss where the server
// answers, and it is asked no more than three times in LostAfter; where
// nothing runs it is not asked at all.
func TestQuietIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lostAfter = 30 * time.Second
		l, _, asked := wired(t, lostAfter)
		time.Sleep(24 * time.Hour)
		if n := asked(); n != 0 || !l.alive() {
			t.Errorf("idle for a day: got %d questions, alive %v, want none, true", n, l.alive())
		}
		l.sessions.Add(1)
		time.Sleep(24 * time.Hour)
		if n, most := asked(), int(3*24*time.Hour/lostAfter); n == 0 || n > most || !l.alive() {
			t.Errorf("busy for a day: got %d questions, alive %v, want 1 to %d, true", n, l.alive(), most)
		}
	})
}

// TestPause: one comes again later each time, and never in step with others.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := range 10 {
			longest := min(firstPause<<n, lastPause)
			seen := make(map[time.Duration]bool)
			for range 20 {
				start := time.Now()
				if !pause(t.Context(), n) {
					t.Fatalf("pause %d: got false, want true", n)
				}
				took := time.Since(start)
				seen[took] = true
				if took < longest/2 || took > longest {
					t.Errorf("pause %d: got %v, want %v to %v", n, took, longest/2, longest)
				}
			}
			if len(seen) < 10 {
				t.Errorf("pause %d: got %d different ones of 20, want no step kept", n, len(seen))
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if pause(ctx, 5) || time.Since(start) != 0 {
			t.Errorf("with a context that has ended: got a pause of %v, want none", time.Since(start))
		}
	})
}
