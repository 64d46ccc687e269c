package sshhost

import (
	"context"
	"sync"
	"time"
)

// A patience is a limit of time that stands still while a person is asked.
type patience struct {
	mu    sync.Mutex
	timer *time.Timer
	ends  time.Time
	asked int           // persons being asked
	left  time.Duration // once asked
}

// withPatience returns a context that ends, with cause, when the time until
// ends is used up.
func withPatience(ctx context.Context, ends time.Time, cause error) (context.Context, *patience, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{ends: ends, timer: time.AfterFunc(time.Until(ends), func() { cancel(cause) })}
	return ctx, p, func() {
		p.timer.Stop()
		cancel(nil)
	}
}

// deadline is when the time will be used up, if nobody is asked any more.
func (p *patience) deadline() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends
}

// ask runs f, and the time it takes does not count.
func (p *patience) ask(f func()) {
	p.mu.Lock()
	if p.asked++; p.asked == 1 && p.timer.Stop() {
		p.left = max(time.Until(p.ends), 0)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked--; p.asked == 0 && p.left > 0 {
			p.ends = time.Now().Add(p.left)
			p.timer.Reset(p.left)
		}
	}()
	f()
}
