package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A conn is the byte stream under an ssh connection, over TCP or a proxy's
// pipes. It remembers when the other side was last heard of, and whether it
// has broken.
type conn struct {
	net.Conn
	quickAck func() // asks the kernel to acknowledge at once; may be nil

	began  time.Time
	heard  atomic.Int64 // nanoseconds since began
	broken atomic.Bool  // a Read has failed

	greeting int         // how much of "SSH-" the present line has begun with; -1: something else
	greeted  atomic.Bool // a line began with it
}

func newConn(c net.Conn) *conn {
	return &conn{Conn: c, quickAck: quickAcker(c), began: time.Now()}
}

// Read asks for an immediate acknowledgement each time, since the kernel
// forgets it at its own discretion. Servers leave Nagle's algorithm on for
// commands: they hold the second small packet back until the first one is
// acknowledged, which a delayed acknowledgement does after 40 ms.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(int64(time.Since(c.began)))
		if !c.greeted.Load() {
			c.greet(p[:n])
		}
		if c.quickAck != nil {
			c.quickAck()
		}
	}
	if err != nil {
		c.broken.Store(true)
	}
	return n, err
}

// greet looks for the line with which a server says that it is one. Other lines
// may come before it (RFC 4253, section 4.2), and sshd sends one of those
// alone when too many logins are under way.
func (c *conn) greet(p []byte) {
	const begins = "SSH-"
	for _, b := range p {
		switch {
		case b == '\n':
			c.greeting = 0
		case c.greeting < 0 || b != begins[c.greeting]:
			c.greeting = -1
		case c.greeting == len(begins)-1:
			c.greeted.Store(true)
			return
		default:
			c.greeting++
		}
	}
}

// silence is the time since the other side was last heard of.
func (c *conn) silence() time.Duration {
	return time.Since(c.began) - time.Duration(c.heard.Load())
}

// Limits of redialling where the server closed before it said anything.
const (
	maxTries   = 8
	firstPause = 200 * time.Millisecond
	lastPause  = 3 * time.Second
)

// connect opens the byte stream to the target: by TCP, or through the
// configured proxy.
func (h *Host) connect(ctx context.Context, t target) (*conn, error) {
	if t.proxied() {
		c, err := h.startProxy(ctx, t)
		if err != nil {
			return nil, h.fail("dial", err, "")
		}
		return newConn(c), nil
	}
	network := map[string]string{"inet": "tcp4", "inet6": "tcp6"}[t.addressFamily]
	if network == "" {
		network = "tcp"
	}
	d := net.Dialer{Control: keepAliveControl(h.lostAfter())}
	if t.bindAddress != "" {
		local, err := net.ResolveTCPAddr(network, net.JoinHostPort(t.bindAddress, "0"))
		if err != nil {
			return nil, h.fail("resolve", fmt.Errorf("%w: BindAddress: %w", ErrConfig, err), "")
		}
		d.LocalAddr = local
	}
	c, err := d.DialContext(ctx, network, net.JoinHostPort(t.host, t.port))
	if err != nil {
		return nil, h.fail("dial", dialCause(ctx, err), dialHint(h, t, err))
	}
	return newConn(c), nil
}

// dialCause says so where the time was up: the library's words for it are
// "i/o timeout" or "operation was canceled". That it was a dial is said already.
func dialCause(ctx context.Context, err error) error {
	if op, ok := err.(*net.OpError); ok {
		if err = op.Err; op.Addr != nil {
			err = fmt.Errorf("%s: %w", op.Addr, op.Err)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

func dialHint(h *Host, t target, err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && t.host == t.alias:
		return fmt.Sprintf("no such name; an alias needs a Host entry in %s", h.configName())
	case errors.As(err, &dns):
		return fmt.Sprintf("HostName of %s in %s", t.alias, h.configName())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on port %s of %s: is sshd running there, is Port right in %s?", t.port, t.host, h.configName())
	}
	return ""
}

// turnedAway reports whether a server closed the connection before it said who
// it is: sshd does so at random past MaxStartups, and for a while to an address
// whose logins failed. Nothing has happened yet, so it is safe to come again.
// Where the connection was not even made, c is nil.
func turnedAway(c *conn, err error) bool {
	return (c == nil || !c.greeted.Load()) &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// pause waits before try number n+1, longer each time and never in step with
// others. It returns false when ctx has ended.
func pause(ctx context.Context, n int) bool {
	longest := min(firstPause<<n, lastPause)
	t := time.NewTimer(longest/2 + rand.N(longest/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
