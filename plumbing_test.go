package sandboxer_test

import (
	"io"
	"sync"
)

// blockedReader returns a reader that gives nothing until end is called.
func blockedReader() (r io.Reader, end func()) {
	pr, pw := io.Pipe()
	return pr, func() { pw.Close() }
}

// A signal is a writer that tells when it was first written to.
type signal struct {
	seen chan struct{}
	once sync.Once
}

func newSignal() *signal { return &signal{seen: make(chan struct{})} }

func (s *signal) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.seen) })
	return len(p), nil
}
