package sandboxer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tegwick/sand-boxer/internal/hostfile"
)

// Errors that callers branch on, beside the types below. They are matched
// with errors.Is.
var (
	// ErrNotFound: the host knows no sandbox by that id or name.
	ErrNotFound = errors.New("no such sandbox")

	// ErrLocked: another operation holds the sandbox.
	ErrLocked = errors.New("locked by another operation")

	// ErrIncomplete: a source that had to be read did not answer, so that
	// going on would have meant guessing. The call may be repeated.
	ErrIncomplete = errors.New("inventory incomplete")

	// ErrRemains: a destroy could not remove all of a sandbox. What remains is
	// named; the next Destroy goes on from there.
	ErrRemains = errors.New("not all of it could be removed")

	// ErrNoSpace: a disk of the host, or a quota there, is full.
	ErrNoSpace = hostfile.ErrNoSpace

	// ErrAltered: what arrived on the host is not what was sent: some of it
	// was lost on the way, or the host's file system cannot hold it as it is.
	ErrAltered = errors.New("it did not arrive unaltered")
)

// errChanged: the records on the host are not what this operation left.
var errChanged = errors.New("another operation changed the sandbox meanwhile")

// A HostError is the only kind of error a Host's Run returns.
type HostError struct {
	Host string // Host.Name
	Op   string // what was under way: "resolve", "dial", "host key", "auth", "start", "run", …

	// Started tells "never ran" from "nobody knows". If false, no part of
	// the command was executed and it is safe to run it again. If true, it
	// was sent off: it may not have begun, be running still, or have ended.
	Started bool

	// Killed reports, for a command whose context ended, that its process
	// group was seen to be gone.
	Killed bool

	Err  error  // the cause; never nil
	Hint string // what mends it, in one line; may be empty
}

// Error says what failed on which host, and which of the two it was.
func (e *HostError) Error() string {
	s := fmt.Sprintf("%s: %s: %v", e.Host, e.Op, e.Err)
	if e.Started && !e.Killed {
		s += " (outcome unknown)"
	}
	return s
}

// Unwrap returns the cause.
func (e *HostError) Unwrap() error { return e.Err }

// An ExitError is a command that ran and did not succeed.
type ExitError struct {
	Doing  string // what the command was for
	Code   int    // exit status, -1 where a signal ended it
	Signal string // name of that signal, or empty
	Stderr string // all that was kept of its standard error
}

// Error gives the status and the last line of standard error; all of it is
// in Stderr.
func (e *ExitError) Error() string {
	s := fmt.Sprintf("%s: exit status %d", e.Doing, e.Code)
	if e.Signal != "" {
		s = fmt.Sprintf("%s: killed by SIG%s", e.Doing, e.Signal)
	}
	if last := lastLine(e.Stderr); last != "" {
		s += ": " + last
	}
	return s
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}

// A Reason is one cause of a refusal: a stable code a program can branch on,
// and a sentence for a person. The set of codes is open.
type Reason struct {
	Code    string `json:"code"`    // such as root_symlink, name_taken, engine_mismatch, dir_changed, mount_present, unclaimed, foreign
	Message string `json:"message"` // for a person
}

// A RefusedError is an operation that a guard stopped before it changed
// anything.
type RefusedError struct {
	Doing   string // what was refused
	Reasons []Reason
	Hint    string // what mends it, in one line; may be empty
}

// Error lists the reasons.
func (e *RefusedError) Error() string {
	all := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		all[i] = r.Message
	}
	return fmt.Sprintf("%s: refused: %s", e.Doing, strings.Join(all, "; "))
}

// Has reports whether code is among the reasons.
func (e *RefusedError) Has(code string) bool {
	for _, r := range e.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// An EngineError is an engine that cannot be used: not there, stopped,
// forbidden to this user, or not answering. Nothing was changed.
type EngineError struct {
	Engine Engine
	Status EngineState // as it was observed
	Err    error       // the cause; never nil
	Hint   string      // what mends it, in one line; may be empty
}

// Error names the engine and what is wrong with it.
func (e *EngineError) Error() string {
	if e.Status == EngineOK { // the engine is not what is wrong
		return fmt.Sprintf("engine %s: %v", e.Engine, e.Err)
	}
	return fmt.Sprintf("engine %s: %s: %v", e.Engine, e.Status, e.Err)
}

// Unwrap returns the cause.
func (e *EngineError) Unwrap() error { return e.Err }

// A PhaseError is a create that failed part-way: the only kind of error that
// [Sandboxer.Create] returns for a sandbox that is not ready.
type PhaseError struct {
	Phase   Phase    // in which it failed
	Service string   // the service at fault, where there is one
	Log     []string // its last log lines, oldest first
	Left    []string // what could not be removed again, in words; empty when nothing is left
	Err     error    // the cause; never nil
	Hint    string   // what mends it, in one line; may be empty
}

// Error names the phase and the cause; the log is in Log.
func (e *PhaseError) Error() string {
	s := fmt.Sprintf("create: %s: %v", e.Phase, e.Err)
	if len(e.Left) > 0 {
		s += "; left behind: " + strings.Join(e.Left, ", ")
	}
	return s
}

// Unwrap returns the cause.
func (e *PhaseError) Unwrap() error { return e.Err }

// An ExportError is an operation that succeeded and whose report could not be
// exported: the report is in the value returned beside it.
type ExportError struct {
	Err error // what the Exporter returned; never nil
}

// Error gives the exporter's error.
func (e *ExportError) Error() string { return fmt.Sprintf("export the report: %v", e.Err) }

// Unwrap returns the cause.
func (e *ExportError) Unwrap() error { return e.Err }

// A FileError is a [WriteFile] or a [PutTree] that failed: the only kind of
// error they return. Unless it is Unknown, the target is as it was.
type FileError struct {
	Op   string // "write" or "put"
	Path string // the target

	// Err is the cause, never nil: a *HostError where the command was never
	// started or nobody knows what became of it; else for errors.Is one of
	// fs.ErrNotExist (the directory the target is in), fs.ErrExist,
	// fs.ErrPermission, ErrNoSpace and ErrAltered; else what kept the tree from
	// being read or put, a *RefusedError for a tool the host lacks, or an
	// error that only says in which step it failed.
	Err error

	Said    string // what the host's tools said about it, all of it that was kept
	Left    string // what was made beside the target and could not be removed again; empty: nothing
	Unknown bool   // nobody knows: the target is as it was, or else all of what was sent
}

// Error names the cause and the last line of what the host said; all of it is
// in Said.
func (e *FileError) Error() string {
	s := fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err)
	if last := lastLine(e.Said); !strings.HasSuffix(s, last) {
		s += ": " + last
	}
	var host *HostError
	switch {
	case e.Unknown:
		s += "; whether it was done is not known"
	case errors.As(e.Err, &host) && host.Started: // of which it says the opposite
		s += "; nothing was changed, for not all of it was sent"
	}
	if e.Left != "" {
		s += fmt.Sprintf("; left behind: %q", e.Left)
	}
	return s
}

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// Hint returns the one-line remedy that err, or else the first error below it
// that has one, carries; it is empty where none does. Trees are walked in the
// order of errors.Is.
func Hint(err error) string {
	if e, ok := err.(hinter); ok && e.hint() != "" {
		return e.hint()
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return Hint(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			if hint := Hint(below); hint != "" {
				return hint
			}
		}
	}
	return ""
}

// A hinter is an error that may know what mends it.
type hinter interface{ hint() string }

func (e *HostError) hint() string    { return e.Hint }
func (e *RefusedError) hint() string { return e.Hint }
func (e *EngineError) hint() string  { return e.Hint }
func (e *PhaseError) hint() string   { return e.Hint }
