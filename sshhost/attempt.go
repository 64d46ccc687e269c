package sshhost

import (
	"context"

	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// An attempt is one dial that all commands wait for that need a connection
// meanwhile. It goes on for as long as one of them does: the first one's
// context is not the others'.
type attempt struct {
	cancel  context.CancelCauseFunc
	waiting int           // guarded by Host.mu
	done    chan struct{} // closed once link and err are set
	link    *link
	err     error
}

// connected returns the connection, made now if there is none.
func (h *Host) connected(ctx context.Context) (*link, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, h.fail("start", ErrClosed, "")
	}
	if h.link != nil && h.link.alive() {
		defer h.mu.Unlock()
		return h.link, nil
	}
	a := h.dialed
	if a == nil {
		a = h.attempt(ctx)
		h.dialed = a
	}
	a.waiting++
	h.mu.Unlock()

	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
	}
	h.mu.Lock()
	if a.waiting--; a.waiting == 0 {
		a.cancel(ctx.Err())
		if h.dialed == a {
			h.dialed = nil // nobody is to join it
		}
	}
	h.mu.Unlock()
	return nil, h.fail("dial", hostcmd.Ended(ctx), "")
}

// attempt starts a dial. h.mu is held.
func (h *Host) attempt(ctx context.Context) *attempt {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	a := &attempt{cancel: cancel, done: make(chan struct{})}
	h.jobs.Go(func() {
		defer cancel(nil)
		l, err := h.dial(ctx)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.dialed == a {
			h.dialed = nil
		}
		switch {
		case err != nil:
		case h.closed || ctx.Err() != nil:
			l.giveUp(ErrClosed)
			l, err = nil, h.fail("dial", ErrClosed, "")
		default:
			h.link = l
		}
		a.link, a.err = l, err
		close(a.done)
	})
	return a
}
