package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// A console is standard error: whole lines, and below them at most one live
// line that is redrawn in place. It is safe for concurrent use.
type console struct {
	mu   sync.Mutex
	w    io.Writer
	tty  bool   // w is a terminal that can redraw a line
	live string // what the live line shows now

	asking bool // a question is open, on the last line
}

func newConsole(w io.Writer, getenv func(string) string) *console {
	_, tty := terminal(w)
	return &console{w: w, tty: tty && getenv("TERM") != "dumb"}
}

// terminal returns the descriptor of v where v is a terminal.
func terminal(v any) (fd int, ok bool) {
	f, ok := v.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return -1, false
	}
	return int(f.Fd()), true
}

// canLive reports whether a live line can be shown.
func (c *console) canLive() bool { return c.tty }

// printf prints whole lines. What came from elsewhere cannot move the cursor
// or change the terminal: see clean.
func (c *console) printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	c.write([]byte(strings.Join(lines, "\n") + "\n"))
}

// Write prints p, which ends in a newline, as slog handlers and cobra do.
func (c *console) Write(p []byte) (int, error) {
	c.write(p)
	return len(p), nil
}

// write puts p above the live line. An error is of no use to anybody: there
// is no third stream to report it on.
func (c *console) write(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	switch {
	case c.asking:
		c.asking = false
		b.WriteByte('\n')
	case c.live != "":
		b.WriteString(eraseLine)
	}
	b.Write(p)
	b.WriteString(c.live)
	c.w.Write(b.Bytes())
}

const eraseLine = "\r\x1b[K"

// setLive replaces the live line; empty takes it away.
func (c *console) setLive(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if line != "" {
		line = cut(clean(line), c.width()-1)
	}
	if line == c.live || c.asking {
		return
	}
	c.live = line
	io.WriteString(c.w, eraseLine+line)
}

// ask shows a question in place of the live line, until answered is called.
func (c *console) ask(question string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != "" {
		question = eraseLine + question
	}
	c.live, c.asking = "", true
	io.WriteString(c.w, question)
}

// answered ends the line of the question, unless something has been said since.
func (c *console) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asking {
		c.asking = false
		io.WriteString(c.w, "\n")
	}
}

func (c *console) width() int { return cmp.Or(columns(c.w), 80) }

// columns is the width of v where v is a terminal that tells it, else 0.
func columns(v any) int {
	fd, ok := terminal(v)
	if !ok {
		return 0
	}
	w, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return w
}

// cut shortens s to n columns, taking each rune for one.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n || n < 4 {
		return s
	}
	return string(runes[:n-3]) + "..."
}

// clean makes text of a host, an engine or a container harmless to a
// terminal: control characters, and bytes that are not UTF-8, are shown as
// \xNN.
func clean(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r == '\uFFFD' && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < 0x100 && unprintable(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case unprintable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unprintable reports control characters of ASCII and Latin-1, the marks that
// reorder text, and what is no rune at all.
func unprintable(r rune) bool {
	return r < 0x20 || (r >= 0x7f && r < 0xa0) || r == '\uFFFD' ||
		(r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}
