// Package steps says what a death on a host is: at which step of which script,
// and of what. The test that plans it and the sh that carries it out share it.
package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// DirVar is the environment variable that names the directory of a run.
const DirVar = "SBX_FAULTS"

// A Step is one change that a script makes, or one call of an engine.
type Step struct {
	Run    int    // which of the operation's scripts: 1 is the first
	Script string // its name, as in "destroy"
	What   string // as in "rename home/.local/state/sandboxer/registry/ID.json"
	Nth    int    // 1, if What is new in this script
}

// Look is What of the one step that a script has which changes nothing: it is
// half-way.
const Look = "look"

func (s Step) String() string { return fmt.Sprintf("%d %s: %s #%d", s.Run, s.Script, s.What, s.Nth) }

// Ways to die.
const (
	Shell  = "shell"  // the script's process group is killed
	Client = "client" // its parent is killed, and it runs on
	Link   = "link"   // the sshd above it is killed, and it runs on
)

// A Plan is what is to happen in one operation.
type Plan struct {
	World   string   // directory: what is changed in it is a step
	Foreign []string // directories in which changes are no concern of anybody's
	Engines []string // names of programs that are an engine's: to run one is a step

	// The death. Without How there is none.
	Step  Step
	After bool // when it has been done, not before
	How   string
}

// A Dir is the directory of one operation.
type Dir string

func (d Dir) file(name string) string { return filepath.Join(string(d), name) }

// Prepare makes the directory, for whatever user runs the scripts.
func (d Dir) Prepare(p Plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(string(d), 0o777), os.Chmod(string(d), 0o777),
		os.WriteFile(d.file("plan"), data, 0o644),
		os.WriteFile(d.file("trace"), nil, 0o666), os.Chmod(d.file("trace"), 0o666),
		os.WriteFile(d.file("busy"), nil, 0o666), os.Chmod(d.file("busy"), 0o666),
	)
}

// Plan reads what Prepare wrote.
func (d Dir) Plan() (Plan, error) {
	var p Plan
	data, err := os.ReadFile(d.file("plan"))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(data, &p)
}

// Busy returns when no script runs. A script keeps what it returns open: it
// is a shared lock, that of wait an exclusive one.
func (d Dir) Busy(wait bool) (*os.File, error) {
	f, err := os.OpenFile(d.file("busy"), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_SH
	if wait {
		how = syscall.LOCK_EX
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return f, err
		}
	}
}

// Fire notes that the planned death has come.
func (d Dir) Fire() error { return os.WriteFile(d.file("fired"), nil, 0o666) }

// Fired reports whether it has.
func (d Dir) Fired() (bool, error) {
	_, err := os.Stat(d.file("fired"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Kinds of lines of a trace.
const (
	Began    = "began"    // a script
	Done     = "done"     // a step
	Answered = "answered" // the client was told something
	Strayed  = "strayed"  // a change outside of all that is known
)

// A Line is one of a trace.
type Line struct {
	Kind string
	Step
}

// A Trace is a file to which scripts append lines.
type Trace struct{ f *os.File }

// Trace opens the file.
func (d Dir) Trace() (Trace, error) {
	f, err := os.OpenFile(d.file("trace"), os.O_WRONLY|os.O_APPEND, 0)
	return Trace{f}, err
}

// Add appends a line, whole.
func (t Trace) Add(l Line) error {
	data, err := json.Marshal(l)
	if err == nil {
		_, err = t.f.Write(append(data, '\n'))
	}
	return err
}

// Lines returns all lines so far.
func (d Dir) Lines() ([]Line, error) {
	data, err := os.ReadFile(d.file("trace"))
	if err != nil {
		return nil, err
	}
	var all []Line
	for text := range strings.Lines(string(data)) {
		var l Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, fmt.Errorf("trace %q: %w", text, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// What is different in every run.
var (
	anyID   = regexp.MustCompile(`[a-z0-9]+-[0-9a-z]{12}`)
	anyOp   = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	anyHash = regexp.MustCompile(`\b(sha256:)?[0-9a-f]{32,}\b`)
	until   = regexp.MustCompile(`\bOP\.[0-9]+`)
)

// Generic returns text with what is random in it replaced, so that a step is
// the same step in the next run.
func Generic(text string) string {
	text = anyHash.ReplaceAllString(text, "HASH")
	text = anyOp.ReplaceAllString(anyID.ReplaceAllString(text, "ID"), "OP")
	return until.ReplaceAllString(text, "OP.UNTIL")
}
