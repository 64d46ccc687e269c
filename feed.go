package sandboxer

import (
	"bufio"
	"errors"
	"io"
)

// A feed is what a command reads, made while it is read.
type feed struct {
	*io.PipeReader
	made chan error // what the making ended with, once
}

// newFeed lets write make it, until stop.
func newFeed(write func(io.Writer) error) *feed {
	r, w := io.Pipe()
	f := &feed{PipeReader: r, made: make(chan error, 1)}
	go func() {
		// Compression writes in crumbs, and each one would be a packet.
		whole := bufio.NewWriterSize(w, 64<<10)
		err := write(whole)
		if err == nil {
			err = whole.Flush()
		}
		w.CloseWithError(err)
		f.made <- err
	}()
	return f
}

// stop ends the making and returns its error; a host that stopped reading is
// none.
func (f *feed) stop() error {
	f.CloseWithError(errNotWanted)
	if err := <-f.made; !errors.Is(err, errNotWanted) {
		return err
	}
	return nil
}

var errNotWanted = errors.New("the host stopped reading")
