package probe

import (
	"bytes"
	"io"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// An answer takes what the script prints. It holds up to MaxAnswer of it, and
// the time when it had printed the host's clock. The records, which are most of
// it, are read while they come and are not held.
type answer struct {
	nonce   string
	sandbox sandboxer.ID // whose report is wanted
	now     func() time.Time

	data    []byte
	size    int64 // of all that came
	clockAt time.Time

	seen    int            // so much of data has no mark of records in it
	records *io.PipeWriter // to who reads them; nil while they do not come
	held    []byte         // of the records, what may be the beginning of the mark that ends them
	early   chan archive   // made when they begin
}

func (a *answer) Write(p []byte) (int, error) {
	a.size += int64(len(p))
	if a.records != nil {
		a.pass(p)
		return len(p), nil
	}
	a.data = append(a.data, p[:min(len(p), MaxAnswer-len(a.data))]...)
	if a.clockAt.IsZero() && bytes.Contains(a.data, []byte("\n"+a.nonce+" end clock ")) {
		a.clockAt = a.now()
	}
	if a.early == nil {
		a.readAhead()
	}
	return len(p), nil
}

// readAhead begins to read the records once they have begun.
func (a *answer) readAhead() {
	mark := []byte("\n" + a.nonce + " begin records")
	from := max(a.seen-len(mark), 0)
	at := bytes.Index(a.data[from:], mark)
	if at < 0 {
		a.seen = len(a.data)
		return
	}
	a.seen = from + at
	name, come, whole := bytes.Cut(a.data[a.seen+len(mark):], []byte("\n"))
	if !whole || len(name) > 0 && string(name) != "_gzip" {
		return // not yet, or there are none
	}
	come = bytes.Clone(come)
	a.data = a.data[:a.seen+len(mark)+len(name)+1]
	a.early = make(chan archive, 1)
	var in *io.PipeReader
	in, a.records = io.Pipe()
	go func() {
		a.early <- readArchive(in, len(name) > 0, a.sandbox)
		in.Close() // whatever else comes is nothing to wait for
	}()
	a.pass(come)
}

// pass hands records on, up to the mark of their end, which is held again like
// all that follows.
func (a *answer) pass(p []byte) {
	mark := []byte("\n" + a.nonce + " end ")
	a.held = append(a.held, p...)
	if at := bytes.Index(a.held, mark); at >= 0 {
		rest := a.held[at:]
		a.data = append(a.data, rest[:min(len(rest), MaxAnswer-len(a.data))]...)
		a.held = a.held[:at]
		a.passed()
		return
	}
	if n := len(a.held) - len(mark); n > 0 {
		a.records.Write(a.held[:n])
		a.held = append(a.held[:0], a.held[n:]...)
	}
}

// passed hands on the last of the records.
func (a *answer) passed() {
	a.records.Write(a.held)
	a.records.Close()
	a.records, a.held = nil, nil
}

// end returns all of the answer but the records, and those, if there were any.
// Nothing is written from then on.
func (a *answer) end() ([]byte, *archive) {
	if a.records != nil { // cut off
		a.passed()
	}
	if a.early == nil {
		return a.data, nil
	}
	ahead := <-a.early
	return a.data, &ahead
}

// limited drops what exceeds its limit.
type limited struct {
	w    *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.w.Write(p[:n])
	return len(p), nil
}
