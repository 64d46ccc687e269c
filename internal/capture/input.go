package capture

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// An Input is a copy from a caller's reader to a command's input. A command
// that stops reading ends it without an error.
type Input struct {
	stopped atomic.Bool
	done    chan struct{}

	mu  sync.Mutex
	err error
}

// Feed starts copying r to w, and closes w when r ends or w fails.
func Feed(w io.WriteCloser, r io.Reader) *Input {
	in := &Input{done: make(chan struct{})}
	go in.copy(w, r)
	return in
}

func (in *Input) copy(w io.WriteCloser, r io.Reader) {
	defer close(in.done)
	defer w.Close()
	b := make([]byte, chunk)
	for !in.stopped.Load() {
		n, err := r.Read(b)
		if n > 0 {
			if _, werr := w.Write(b[:n]); werr != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			in.mu.Lock()
			in.err = err
			in.mu.Unlock()
			return
		}
	}
}

// Done is closed when the copy is over.
func (in *Input) Done() <-chan struct{} { return in.done }

// Stop begins no further Read.
func (in *Input) Stop() { in.stopped.Store(true) }

// Linger stops the copy and waits for a Read that is under way, at most for
// the time d: a reader may block for ever, and what it would return is of no
// use any more. It returns the error with which the reader failed before that.
func (in *Input) Linger(d time.Duration) error {
	in.Stop()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-in.done:
	case <-t.C:
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}
