package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/term"
)

// A prompter asks the person at the terminal for the passphrases of key files:
// one at a time, and once for each file, however many hosts want it.
type prompter struct {
	console *console
	fd      int // of the terminal

	mu    sync.Mutex
	known map[string][]byte
	left  bool // a question had no answer
}

// passphrase returns what sshhost asks with, or nil where nobody is there to
// answer: questions are for terminals only.
func (a *app) passphrase() func(ctx context.Context, keyFile string) ([]byte, error) {
	fd, in := terminal(a.in)
	if _, out := terminal(a.err.w); !in || !out {
		return nil
	}
	p := &prompter{console: a.err, fd: fd, known: make(map[string][]byte)}
	return p.ask
}

func (p *prompter) ask(ctx context.Context, keyFile string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.known[keyFile]; ok {
		return known, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err // while another question was open
	}
	if p.left { // and the reading may go on: a second one would get half of what is typed
		return nil, errLeft
	}
	answer, err := p.read(ctx, fmt.Sprintf("Passphrase for key %s: ", quote(keyFile)))
	if err != nil {
		p.left = true
		return nil, err
	}
	p.known[keyFile] = answer
	return answer, nil
}

var errLeft = errors.New("an earlier question had no answer")

// read reads a line without showing it. Where ctx ends first the reading goes
// on, as it can't be stopped: it is the last one of the program.
func (p *prompter) read(ctx context.Context, prompt string) ([]byte, error) {
	before, err := term.GetState(p.fd)
	if err != nil {
		return nil, err
	}
	p.console.ask(prompt)
	defer p.console.answered()
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(p.fd)
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		return a.text, a.err
	case <-ctx.Done():
		_ = term.Restore(p.fd, before) // what is typed is to be seen again
		return nil, ctx.Err()
	}
}
