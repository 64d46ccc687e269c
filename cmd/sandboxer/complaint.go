package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tegwick/sand-boxer"
)

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

// errorInfo is err as a document shows it.
func (a *app) errorInfo(err error, v verdict) sandboxer.ErrorInfo {
	info := sandboxer.ErrorInfo{
		Code: v.code, Message: err.Error(), Host: new(a.settings.hosts.one()), Reasons: []sandboxer.Reason{}, Log: []string{},
	}
	if h := a.hint(err); h != "" {
		info.Hint = &h
	}
	var phase *sandboxer.PhaseError
	if errors.As(err, &phase) {
		name := string(phase.Phase)
		info.Phase = &name
		info.Log = append(info.Log, phase.Log...)
	}
	info.Reasons = append(info.Reasons, reasons(err)...)
	return info
}

func reasons(err error) []sandboxer.Reason {
	var refused *sandboxer.RefusedError
	var several *reasonsError
	switch {
	case errors.As(err, &refused):
		return refused.Reasons
	case errors.As(err, &several):
		return several.reasons
	}
	return nil
}

func hint(err error) string {
	var usage *usageError
	var hinted *hintedError
	switch {
	case errors.As(err, &usage):
		return usage.hint
	case errors.As(err, &hinted) && hinted.hint != "":
		return hinted.hint
	}
	return sandboxer.Hint(err)
}
