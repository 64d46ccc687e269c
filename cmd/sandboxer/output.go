package main

import (
	"bytes"
	"errors"
	"fmt"
)

// asJSON reports whether standard output gets a JSON document.
func (a *app) asJSON() bool {
	switch {
	case a.settings.json || a.settings.output == "json":
		return true
	case a.settings.output == "text":
		return false
	}
	_, tty := terminal(a.out)
	return !tty
}

// answer prints the one document of this run, as JSON or by text.
func (a *app) answer(doc any, text func(*page)) error {
	if !a.asJSON() {
		var b bytes.Buffer
		p := newPage(&b, columns(a.out))
		p.colours = colourful(a.out, a.getenv)
		text(p)
		p.flush()
		return a.print(b.Bytes())
	}
	if done, err := a.stream(doc); done {
		return err
	}
	data, err := indented(doc)
	if err != nil {
		return err
	}
	return a.print(data)
}

// print writes the answer, and takes care that there is no second one.
func (a *app) print(data []byte) error {
	a.answered = true
	if _, err := a.out.Write(data); err != nil {
		return fmt.Errorf("write standard output: %w", err)
	}
	return nil
}

// finish reports how the run ended, and returns its exit code. cause is that
// of the end of the context, if it has ended.
func (a *app) finish(err, cause error) int {
	v := judge(err, cause)
	if err != nil {
		if v.code == "interrupted" && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		a.answerError(err, v)
		a.complain(err)
	}
	if a.lastLine != "" {
		a.err.printf("%s", a.lastLine)
	}
	return v.exit
}

// answerError puts an error document on standard output, where a document is
// due and none has been printed.
func (a *app) answerError(err error, v verdict) {
	if a.answered || !a.asJSON() {
		return
	}
	doc, docErr := a.box().NewErrorDocument(a.settings.hosts.one(), a.errorInfo(err, v))
	if docErr == nil {
		docErr = a.answer(doc, nil)
	}
	if docErr != nil {
		a.err.printf("sandboxer: %v", docErr)
	}
}
