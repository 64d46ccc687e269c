package sandboxer

import (
	"context"
	"io"
	"time"
)

// Host is a machine on which commands can be run. It is the only thing the
// rest of this module knows of a machine, and it never grows: new abilities
// come as optional interfaces with a helper that falls back to Run.
//
// Package localhost and package sshhost implement it; anybody may. An
// implementation passes sandboxertest.TestHost.
type Host interface {
	// Name returns the name the caller gave the host. It is stable, it is
	// what documents and messages show, and it never dials or blocks.
	Name() string

	// Run runs one command and waits for it. It is safe for concurrent use.
	//
	// Run follows http.RoundTripper: err is nil if the command ran to its
	// end, whatever its exit code; the code is data. A non-nil error is a
	// *HostError that says whether the command was never started or may
	// have run with an outcome nobody knows. When ctx ends first, Run kills
	// the command's whole process group, waits for that, and returns an
	// error for which errors.Is(err, ctx.Err()) holds.
	Run(ctx context.Context, cmd Cmd) (Result, error)
}

// Cmd is one command. The zero value of every field but Args is useful.
type Cmd struct {
	// Args is the argument vector; Args[0] is looked up in the PATH that the
	// command gets. It reaches the program byte for byte, whatever the login
	// shell of the host is: no shell expands it. It must not be empty, nor
	// hold a NUL, nor may Args[0] begin with "-". A program that is not there
	// is a command that ended with 127, one that cannot be executed with 126,
	// both with a message on standard error.
	Args []string

	// Env is added to the environment the host gives its commands: that of a
	// login, with PATH completed by the system's directories and LC_ALL=C.
	// Each entry is of the form "KEY=value", where KEY is a shell's variable
	// name; a later one wins. It is visible to the host's users for as long
	// as Args is: secrets go through Stdin.
	Env []string

	// Stdin is copied to the command until it ends or stops reading; nil
	// is an empty input. A command that exits without reading all of it has
	// not failed. Where a Read fails, the command sees the end of its input,
	// and Run returns that error once it has ended. A Read that still blocks
	// by then is abandoned.
	Stdin io.Reader

	// Stdout and Stderr receive the output as it arrives, each from one
	// goroutine. Where one is nil the stream is captured in Result, the
	// first and last MaxCapture/2 bytes of it. A Writer that fails does not
	// stop the command; its first error is returned by Run once the command
	// has ended.
	Stdout, Stderr io.Writer

	// Grace is the time between SIGTERM and SIGKILL once ctx has ended.
	// Zero is DefaultGrace.
	Grace time.Duration
}

// Bounds that every Host keeps.
const (
	DefaultGrace = 2 * time.Second // Cmd.Grace when zero
	MaxCapture   = 8 << 20         // bytes of one stream kept in a Result
)

// Result is what a command that ran has left.
type Result struct {
	// ExitCode is the exit status; -1 where a signal ended the command.
	ExitCode int

	// Signal names the signal that ended the command, without "SIG", where
	// the host can tell it ("KILL"); else it is empty.
	Signal string

	// Stdout and Stderr hold what was captured, see Cmd.
	Stdout, Stderr []byte

	// Truncated reports that a capture lost its middle to MaxCapture.
	Truncated bool

	// OutputIncomplete reports that the command ended while something it
	// had left behind still held its output open: what that wrote later is
	// not here.
	OutputIncomplete bool
}

// Err returns nil if the command exited with 0, else an *ExitError that
// names what was being done.
func (r Result) Err(doing string) error {
	if r.ExitCode == 0 && r.Signal == "" {
		return nil
	}
	return &ExitError{Doing: doing, Code: r.ExitCode, Signal: r.Signal, Stderr: string(r.Stderr)}
}
