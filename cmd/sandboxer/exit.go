package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/tegwick/sand-boxer"
)

// Exit codes. A process that was interrupted ends with 128 and the signal's
// number, as a shell would report it.
const (
	exitDone        = 0
	exitFailed      = 1
	exitMisused     = 2
	exitPartly      = 3 // something chosen was not done, or --exit-code has findings
	exitRefused     = 4
	exitUnreachable = 5
	exitIncomplete  = 6
	exitLocked      = 7
	exitNotFound    = 8
	exitCanary      = 9 // ready, but the canary failed
)

const exitCodesHelp = `Exit codes:
  0  done                              5  host unreachable
  1  failed                            6  inventory incomplete
  2  misused                           7  locked by another operation
  3  not all of it done, or findings   8  not found
     that --exit-code asked for        9  ready, but the canary failed
  4  refused by a guard                128+n  interrupted by signal n
`

// A usageError is a command line, or a variable, that makes no sense.
type usageError struct {
	message string
	hint    string
}

func (e *usageError) Error() string { return e.message }

func misused(format string, args ...any) *usageError {
	return &usageError{message: fmt.Sprintf(format, args...)}
}

// An outcomeError ends the program with a code of its own beside a document
// that says why.
type outcomeError struct {
	code    int
	message string
	causes  []error // one for each thing that was not done; may be empty
}

func (e *outcomeError) Error() string   { return e.message }
func (e *outcomeError) Unwrap() []error { return e.causes }

// A hintedError carries a hint that only the command line can know.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// A reasonsError is an error with its details one by one.
type reasonsError struct {
	message string
	reasons []sandboxer.Reason
}

func (e *reasonsError) Error() string { return e.message }

// An interruptError is the cause of a context that a signal ended.
type interruptError struct{ signal os.Signal }

func (e *interruptError) Error() string { return "stopped by signal: " + e.signal.String() }

func (e *interruptError) code() int {
	if s, ok := e.signal.(syscall.Signal); ok {
		return 128 + int(s)
	}
	return exitFailed
}

// A verdict is what an error means to the caller of the program.
type verdict struct {
	exit int
	code string // ErrorInfo.Code
}

// judge maps an error to its meaning. cause is that of the command's context.
func judge(err, cause error) verdict {
	var (
		usage     *usageError
		outcome   *outcomeError
		interrupt *interruptError
		refused   *sandboxer.RefusedError
		host      *sandboxer.HostError
	)
	switch {
	case err == nil:
		return verdict{exitDone, ""}
	case errors.As(cause, &interrupt) && errors.Is(err, context.Canceled):
		return verdict{interrupt.code(), "interrupted"}
	case errors.As(err, &outcome):
		return verdict{outcome.code, "failed"}
	case errors.As(err, &usage):
		return verdict{exitMisused, "usage"}
	case errors.Is(err, sandboxer.ErrLocked):
		return verdict{exitLocked, "locked"}
	case errors.Is(err, sandboxer.ErrNotFound):
		return verdict{exitNotFound, "not_found"}
	case errors.Is(err, sandboxer.ErrIncomplete):
		return verdict{exitIncomplete, "incomplete"}
	case errors.Is(err, sandboxer.ErrRemains):
		return verdict{exitPartly, "remains"}
	case errors.As(err, &refused):
		return verdict{exitRefused, "refused"}
	case errors.As(err, &host) && !(host.Started && errors.Is(err, context.DeadlineExceeded)):
		// A command that ran into --timeout says nothing about the host.
		return verdict{exitUnreachable, "unreachable"}
	}
	return verdict{exitFailed, "failed"}
}
