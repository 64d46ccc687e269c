package sshhost

import (
	"bytes"
	"strconv"
	"sync"
)

// maxNoise bounds what is kept of the output that precedes a command's own.
const maxNoise = 64 << 10

// A frame finds where a command's own output begins in one stream. What login
// shells print of their own accord comes before a line of the marker and the
// shell's process id, which the bootstrap prints as the first thing it does:
//
//	Welcome to example.com!
//	7XK2QFZJ3M5NHTW4 4711
//
// The noise need not end with a line end.
type frame struct {
	marker []byte // random, followed by a space

	mu    sync.Mutex
	found bool
	pid   int
	noise []byte // all that came so far, or its end, until found
}

// filter returns what of p is the command's own output. It is called by one
// goroutine, with the stream's content in order.
func (f *frame) filter(p []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.found {
		return p
	}
	f.noise = append(f.noise, p...)
	from := 0
	for {
		i := bytes.Index(f.noise[from:], f.marker)
		if i < 0 {
			break
		}
		at := from + i
		line, rest, complete := bytes.Cut(f.noise[at+len(f.marker):], []byte("\n"))
		if pid, ok := parsePID(line); ok && complete {
			f.found, f.pid = true, pid
			f.noise = f.noise[:at:at]
			return rest
		}
		from = at + 1
	}
	if over := len(f.noise) - 2*maxNoise; over > 0 {
		f.noise = append(f.noise[:0], f.noise[len(f.noise)-maxNoise:]...)
	}
	return nil
}

// state returns the process id, or 0 while the marker has not been seen, and
// what came before it.
func (f *frame) state() (pid int, noise []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pid, bytes.Clone(f.noise)
}

// parsePID accepts what "echo $$" prints, and nothing that kill(1) would take
// for more than one process.
func parsePID(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 10 || b[0] < '1' || b[0] > '9' {
		return 0, false
	}
	pid, err := strconv.Atoi(string(b))
	return pid, err == nil && pid > 1
}
