package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tegwick/sand-boxer"
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
	var b bytes.Buffer
	if a.asJSON() {
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(doc); err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
	} else {
		p := newPage(&b, columns(a.out))
		text(p)
		p.flush()
	}
	return a.print(b.Bytes())
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
	doc, docErr := a.box().NewErrorDocument(a.settings.host, errorInfo(err, v, a.settings.host))
	if docErr == nil {
		docErr = a.answer(doc, nil)
	}
	if docErr != nil {
		a.err.printf("sandboxer: %v", docErr)
	}
}

// complain says on standard error what went wrong: the log of the service at
// fault, the message, what became of what was begun, the hint.
func (a *app) complain(err error) {
	var outcome *outcomeError
	if errors.As(err, &outcome) && len(outcome.causes) > 0 {
		for _, cause := range outcome.causes {
			a.complain(cause)
		}
		a.err.printf("sandboxer: %s", err)
		return
	}
	var left []string
	var phase *sandboxer.PhaseError
	if errors.As(err, &phase) {
		for _, line := range phase.Log {
			a.err.printf("%s | %s", cmp.Or(phase.Service, string(phase.Phase)), line)
		}
		left = phase.Left
		if len(left) == 0 && a.progress.undone() {
			left = []string{"nothing"}
		}
	}
	a.err.printf("sandboxer: %s", brief(err, phase))
	var several *reasonsError
	if errors.As(err, &several) {
		for _, r := range several.reasons {
			a.err.printf("  %s", r.Message)
		}
	}
	for _, what := range left {
		a.err.printf("left behind: %s", what)
	}
	if h := a.hint(err); h != "" {
		a.err.printf("hint: %s", h)
	}
}

// brief is the message of err without what phase left behind, which gets lines
// of its own.
func brief(err error, phase *sandboxer.PhaseError) string {
	if phase == nil || len(phase.Left) == 0 {
		return err.Error()
	}
	short := *phase
	short.Left = nil
	return strings.Replace(err.Error(), phase.Error(), short.Error(), 1)
}

// hint is the one of err, or else where its time ran out the flag that gives
// more of it.
func (a *app) hint(err error) string {
	if h := hint(err); h != "" {
		return h
	}
	if a.limit > 0 && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("it had %s; --timeout gives it more", shortDuration(a.limit))
	}
	return ""
}
