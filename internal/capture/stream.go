// Package capture moves the streams of a running command: its outputs, which
// are always drained, to a writer or into a bounded Buffer; and its input,
// which must not outlive it.
package capture

import (
	"context"
	"io"
	"sync"
	"time"
)

const chunk = 32 << 10

// A Stream is one output of a command on its way to where it belongs. Whatever
// becomes of its destination, the command's side is read to the end: a command
// must not hang because nobody wants to hear it.
type Stream struct {
	dst    io.Writer
	filter func([]byte) []byte
	done   chan struct{}

	mu      sync.Mutex // not held while dst.Write runs
	buf     Buffer
	err     error     // the first of dst
	stopped bool      // nothing more is to reach dst or buf
	waiting time.Time // since when Copy has waited for input; zero while it does not
}

// NewStream returns a Stream to dst, or into a Buffer of limit bytes where dst
// is nil. A filter that is not nil sees all input first and returns what of it
// is to go on.
func NewStream(dst io.Writer, limit int, filter func([]byte) []byte) *Stream {
	return &Stream{dst: dst, filter: filter, buf: Buffer{Max: limit}, done: make(chan struct{})}
}

// Copy moves r's content until a Read fails. It is called once.
func (s *Stream) Copy(r io.Reader) {
	defer close(s.done)
	b := make([]byte, chunk)
	for {
		s.setWaiting(time.Now())
		n, err := r.Read(b)
		s.setWaiting(time.Time{})
		p := b[:n]
		if s.filter != nil {
			p = s.filter(p)
		}
		s.write(p)
		if err != nil {
			return
		}
	}
}

func (s *Stream) setWaiting(since time.Time) {
	s.mu.Lock()
	s.waiting = since
	s.mu.Unlock()
}

func (s *Stream) write(p []byte) {
	if len(p) == 0 {
		return
	}
	s.mu.Lock()
	useless := s.stopped || s.err != nil
	if s.dst == nil && !useless {
		s.buf.Write(p)
	}
	s.mu.Unlock()
	if s.dst == nil || useless {
		return
	}
	n, err := s.dst.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
}

// Done is closed when Copy has returned.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Stop returns what was captured, whether its middle is missing, and the
// first error of the destination. From then on nothing more reaches either;
// only a Write that was under way may still be.
func (s *Stream) Stop() (kept []byte, truncated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	return s.buf.Bytes(), s.buf.Truncated(), s.err
}

// quiet returns for how long, since start, nothing has come in.
func (s *Stream) quiet(start, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.waiting.IsZero():
		return 0
	case s.waiting.Before(start):
		return now.Sub(start)
	}
	return now.Sub(s.waiting)
}

// Settle waits until all streams have ended. It gives up, and returns false,
// when ctx ends; when those that have not ended have all been silent for the
// time quiet; and when it has spent the time total on waiting for input. A
// slow destination is not waiting for input: it may take its time.
func Settle(ctx context.Context, quiet, total time.Duration, streams ...*Stream) bool {
	start := time.Now()
	step := max(quiet/40, time.Millisecond)
	tick := time.NewTicker(step)
	defer tick.Stop()
	var waited time.Duration
	for {
		open := unfinished(streams)
		if len(open) == 0 {
			return true
		}
		select {
		case <-open[0].done:
			continue
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		now := time.Now()
		silent := open[0].quiet(start, now)
		for _, s := range open[1:] {
			silent = min(silent, s.quiet(start, now))
		}
		if silent > 0 {
			waited += step
		}
		if silent >= quiet || waited >= total {
			return len(unfinished(streams)) == 0
		}
	}
}

func unfinished(streams []*Stream) []*Stream {
	var open []*Stream
	for _, s := range streams {
		select {
		case <-s.done:
		default:
			open = append(open, s)
		}
	}
	return open
}
