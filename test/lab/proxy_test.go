package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// echo starts a server that greets and then returns every line.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fmt.Fprintln(conn, "hello")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, bufio.NewReader(conn)
}

func line(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	got, err := r.ReadString('\n')
	if err != nil || got != want+"\n" {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

func TestProxyCountsAndDelays(t *testing.T) {
	const delay = 20 * time.Millisecond
	p := lab.DelayProxy(t, echo(t), delay)
	start := time.Now()
	conn, r := dial(t, p.Addr)
	line(t, r, "hello")
	for range 3 {
		fmt.Fprintln(conn, "ping")
		line(t, r, "ping")
	}
	// Many messages in flight at once are one round trip.
	for range 5 {
		fmt.Fprintln(conn, "pong")
	}
	for range 5 {
		line(t, r, "pong")
	}
	// Connecting, the greeting, and 4 exchanges.
	if got, want := p.RoundTrips(), 6; got != want {
		t.Errorf("got %d round trips, want %d", got, want)
	}
	if got, want := time.Since(start), 12*delay; got < want {
		t.Errorf("got %v for 6 round trips, want at least %v", got, want)
	}
	if got := p.Connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	if up, down := p.BytesUp(), p.BytesDown(); up != 40 || down != 46 {
		t.Errorf("got %d bytes up and %d down, want 40 and 46", up, down)
	}
}

func TestProxyStalls(t *testing.T) {
	p := lab.DelayProxy(t, echo(t), 0)
	conn, r := dial(t, p.Addr)
	line(t, r, "hello")
	p.Stall()
	fmt.Fprintln(conn, "ping")
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := r.ReadByte(); !isTimeout(err) {
		t.Fatalf("got %v while stalled, want a timeout", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	p.Resume()
	line(t, r, "ping")
}

func TestProxyCuts(t *testing.T) {
	p := lab.DelayProxy(t, echo(t), 0)
	_, r := dial(t, p.Addr)
	line(t, r, "hello")
	p.Cut()
	if _, err := r.ReadByte(); err == nil || isTimeout(err) {
		t.Errorf("got %v after a cut, want a reset", err)
	}
	_, r = dial(t, p.Addr)
	line(t, r, "hello")
	if got := p.Connections(); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
}

func TestProxyCutsAfter(t *testing.T) {
	p := lab.DelayProxy(t, echo(t), 0)
	conn, r := dial(t, p.Addr)
	line(t, r, "hello")
	p.CutAfter(10)
	fmt.Fprintln(conn, "ping")
	line(t, r, "ping")
	fmt.Fprintln(conn, "longer")
	if got, err := r.ReadString('\n'); err == nil {
		t.Errorf("got %q after the cut, want an error", got)
	}
}

func TestProxyEndsStalled(t *testing.T) {
	t.Run("inner", func(t *testing.T) {
		p := lab.DelayProxy(t, echo(t), 0)
		conn, r := dial(t, p.Addr)
		line(t, r, "hello")
		p.Stall()
		fmt.Fprintln(conn, "ping")
	}) // its clean-up must return
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}
