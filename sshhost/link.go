package sshhost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A link is one connection that is logged in. All sessions go over it.
type link struct {
	h       *Host
	conn    *conn
	client  ssh.Conn
	control bool // over a ControlMaster

	sessions atomic.Int32 // open, or being opened
	stop     sync.Once
	why      error         // set before down is closed, by the first to give up
	down     chan struct{} // closed when the connection is over
}

// newLink takes over a connection, serves it and watches it.
func newLink(h *Host, c *conn, client ssh.Conn, channels <-chan ssh.NewChannel, requests <-chan *ssh.Request, control bool) *link {
	l := &link{h: h, conn: c, client: client, control: control, down: make(chan struct{})}
	l.h.jobs.Go(func() { ssh.DiscardRequests(requests) })
	l.h.jobs.Go(func() {
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "nothing is served here")
		}
	})
	l.h.jobs.Go(func() {
		err := client.Wait()
		l.giveUp(fmt.Errorf("%w: %w", ErrConnLost, err))
		close(l.down)
		h.traceLost(l.why)
	})
	l.h.jobs.Go(l.watch)
	return l
}

// giveUp closes the connection; err is what its users are told. Only the
// first call counts.
func (l *link) giveUp(err error) {
	l.stop.Do(func() {
		l.why = err
		l.client.Close()
	})
}

// alive reports whether the link is of use still.
func (l *link) alive() bool {
	select {
	case <-l.down:
		return false
	default:
		return !l.conn.broken.Load()
	}
}

// watch gives up a connection on which commands wait and that stays silent
// although it is asked: a black-holed link has no other end. Where nobody
// waits, nothing is sent.
func (l *link) watch() {
	limit := l.h.lostAfter()
	tick := time.NewTicker(limit / 6)
	defer tick.Stop()
	var asked atomic.Bool // a question is under way
	var since time.Time   // commands have been waiting without a break
	last := time.Now()    // when this was looked at
	for {
		select {
		case <-l.down:
			return
		case <-tick.C:
		}
		pause := time.Since(last)
		last = time.Now()
		if l.sessions.Load() == 0 {
			since = time.Time{}
			continue
		}
		// This program itself may have been stopped, or its machine.
		if since.IsZero() || pause > limit/2 {
			since = last
		}
		silent := min(l.conn.silence(), time.Since(since))
		if silent >= limit {
			if l.control {
				l.h.deafControl.Store(true)
			}
			l.giveUp(fmt.Errorf("%w: nothing heard for %v", ErrConnLost, limit))
			return
		}
		if silent >= limit/3 && asked.CompareAndSwap(false, true) {
			l.h.jobs.Go(func() {
				l.ask()
				asked.Store(false)
			})
		}
	}
}

// ask returns when the server has answered, or the link is down. Any answer is
// an answer, "unknown request" and "no more sessions" as well. A ControlMaster
// takes no request for the connection; but what is asked of a session the
// server answers itself.
func (l *link) ask() {
	if !l.control {
		_, _, _ = l.client.SendRequest("keepalive@openssh.com", true, nil)
		return
	}
	if ch, requests, err := l.client.OpenChannel("session", nil); err == nil {
		l.h.jobs.Go(func() { ssh.DiscardRequests(requests) })
		_ = ch.Close()
	}
}

// Limits of asking for a session where the server refuses one.
const (
	busyFirst = 2 * time.Millisecond
	busyLast  = 250 * time.Millisecond
	busyTotal = 5 * time.Second
)

// errNoLink is a session that was not opened because the link was gone.
var errNoLink = errors.New("no connection")

// openChannel opens a session. Servers refuse one past MaxSessions, and count
// those that have just ended for a moment longer: where patient is set
// refusals are waited out, for as long as sessions of ours are open and may end.
func (l *link) openChannel(ctx context.Context, patient bool) (ssh.Channel, <-chan *ssh.Request, error) {
	l.sessions.Add(1)
	wait, alone := busyFirst, time.Time{}
	for {
		ch, requests, err := l.tryChannel(ctx)
		if err == nil {
			return ch, requests, nil
		}
		var refused *ssh.OpenChannelError
		if !patient || !errors.As(err, &refused) || refused.Reason == ssh.Prohibited || refused.Reason == ssh.UnknownChannelType {
			l.sessions.Add(-1)
			return nil, nil, err
		}
		switch {
		case l.sessions.Load() > 1:
			alone = time.Time{}
		case alone.IsZero():
			alone = time.Now()
		case time.Since(alone) > busyTotal:
			l.sessions.Add(-1)
			return nil, nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		l.h.traceRetry(ctx, "session", err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.down:
		case <-ctx.Done():
		}
		t.Stop()
		wait = min(2*wait, busyLast)
	}
}

// tryChannel asks once. The library's call cannot be interrupted: where ctx
// ends first, a job closes what may still be opened.
func (l *link) tryChannel(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		ch       ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	result := make(chan opened, 1)
	l.h.jobs.Go(func() {
		ch, requests, err := l.client.OpenChannel("session", nil)
		result <- opened{ch, requests, err}
	})
	select {
	case o := <-result:
		var refused *ssh.OpenChannelError
		if o.err != nil && !errors.As(o.err, &refused) {
			return nil, nil, fmt.Errorf("%w: %w", errNoLink, o.err)
		}
		return o.ch, o.requests, o.err
	case <-ctx.Done():
		l.h.jobs.Go(func() {
			if o := <-result; o.err == nil {
				o.ch.Close()
				ssh.DiscardRequests(o.requests)
			}
		})
		return nil, nil, ctx.Err()
	}
}
