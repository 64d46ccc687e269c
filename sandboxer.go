// Package sandboxer puts throw-away compose sandboxes on any Linux host you
// can run a command on, says in numbers what that did to the host, and later
// finds, and safely removes, what was left behind.
//
// Four interfaces carry it. A [Host] runs commands (package localhost, package
// sshhost, or your own). A [Collector] looks at a host (package probe). A
// [Provisioner] knows one engine (package engine lists those that ship). An
// [Exporter] takes the reports away (package exporter/jsonfile). A [Sandboxer]
// puts them together:
//
//	host := sshhost.New("coulombcore", sshhost.Config{})
//	defer host.Close()
//	box := sandboxer.Sandboxer{Provisioners: engine.All(), Collector: probe.Collector{}}
//	status, err := box.Create(ctx, host, canary.Spec(canary.Self()))
//	…
//	status, err = box.Destroy(ctx, host, status.SandboxID)
//
// What a look at a host gives ([Sandboxer.Inspect], or [Sandboxer.InspectAll]
// for many hosts) is judged by functions that touch nothing: [Diff], [NoiseHistory.Diff], [FindStale], [PlanReap], [Admit] and [Doctor].
//
// Nothing stays resident on the host and nothing is kept elsewhere: the host
// is the database, and any machine can inspect or destroy what another one
// created. What is written there: a directory per sandbox under
// [Sandboxer.Root], and records, locks and an audit log under
// ~/.local/state/sandboxer.
//
// Two rules hold throughout. A source that could not be read makes things
// unknown, never absent. And "failed" is never confused with "never ran": see
// [HostError].
package sandboxer

import (
	"context"
	"io"
	"log/slog"
	"time"
)

// A Sandboxer creates, inspects and destroys sandboxes. Its fields are set
// once; its methods may then be called concurrently.
type Sandboxer struct {
	Provisioners []Provisioner // in order of preference; required to create and destroy
	Collector    Collector     // required

	Exporter Exporter     // nil: reports are only returned
	Root     string       // on the host; "~/" is its user's home; empty is DefaultRoot
	Logger   *slog.Logger // nil discards

	// Helper removes files that containers have made and that the user on the
	// host, not being root, may not remove. It is sent only where there are
	// some. The zero value is none: such files stay in the trash, and the
	// error names the directory.
	Helper Helper

	// Noise returns what is known of how a host's values move by themselves,
	// for the deltas that operations report: what Baseline found, and the
	// caller kept. It may be called concurrently; a history of another machine
	// or boot counts for nothing. Nil: nothing is known.
	Noise func(host Host, of Identity) NoiseHistory

	// Progress, if not nil, is called at each step, from one goroutine per
	// operation. It must not block.
	Progress func(Event)

	// Producer names the embedding program in documents. The zero value is
	// this module and its version.
	Producer Producer

	// Controller is who runs the operation, for records and the audit log.
	// Empty is user@host of the process.
	Controller string

	Now    func() time.Time // nil is time.Now
	Random io.Reader        // nil is crypto/rand
}

// DefaultRoot is where sandboxes live on a host.
const DefaultRoot = "/tmp/sandboxer"

// An Event is one step of an operation.
type Event struct {
	At        time.Time // controller's clock
	Phase     Phase     // empty: a remark on the one under way
	SandboxID ID        // empty until there is one
	Host      string    // Host.Name
	Message   string    // for a person
}

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
	// login, with PATH completed by the system's directories, LC_ALL=C and no
	// CDPATH.
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

// A Collector looks at a host. Anybody may implement it; it is safe for
// concurrent use.
type Collector interface {
	// Collect reads the host's numbers and its inventory in one command.
	// What could not be read is marked unknown in the Observation; an error
	// means that there is no observation at all.
	Collect(ctx context.Context, host Host, opts CollectOptions) (Observation, error)
}

// CollectOptions is what a Collector is asked for. The zero value is valid.
type CollectOptions struct {
	Root    string           // as Sandboxer.Root; empty is DefaultRoot
	Sandbox ID               // also read this sandbox's cost, its report and, if it is destroyed, its last record
	Sizes   bool             // also measure what the directories hold; it takes a walk of all of them
	Timeout time.Duration    // for each engine; zero is 5 s
	Now     func() time.Time // the controller's clock; nil is time.Now
}

// A Provisioner brings sandboxes up on one engine, and knows how to take them
// down. Anybody may implement it; it is safe for concurrent use.
type Provisioner interface {
	// Engine names the engine. Records carry it, and the one that created a
	// sandbox is the one that destroys it.
	Engine() Engine

	// Up builds, starts and waits until spec is ready, in the directory of
	// the sandbox, where its files are already. It runs one command on the
	// host given, which holds the sandbox's lock meanwhile. Success is what
	// the engine says afterwards; an exit code of a compose tool is not
	// evidence. On failure it returns a *PhaseError, with whatever of
	// Started is known; the caller takes down what is left.
	Up(ctx context.Context, host Host, spec Spec, box Placement) (Started, error)

	// Teardown returns a POSIX shell script that removes everything the
	// engine holds of one sandbox, by full id, and asks the engine what
	// remains. See Script.
	Teardown(rec Record) Script
}

// An EngineChecker is a Provisioner that needs more than an engine that
// answers, such as a certain compose tool. It is asked before Up, and by
// [Doctor]; it is optional.
type EngineChecker interface {
	// Usable returns nil if the provisioner can work with the engine as it
	// was observed, else why not.
	Usable(info EngineInfo) error
}

// A Placement says where on a host a sandbox is put.
type Placement struct {
	ID     ID
	Nonce  string // as Record.Nonce
	Dir    string // absolute
	Owner  Owner
	Engine EngineInfo // as observed before
}

// Labels returns what every resource of the sandbox is labelled with.
func (p Placement) Labels() map[string]string {
	return map[string]string{
		LabelID: string(p.ID), LabelNonce: p.Nonce, LabelOwner: p.Owner.User, LabelSchema: "1",
	}
}

// Started is what a Provisioner brought up, as the engine itself reports it.
type Started struct {
	Resources []Resource // what it made, each with its full id
	Ports     []Port     // what the host publishes
	StartMS   *int64     // from asking the engine to start until the program ran
	Isolation string     // what keeps the sandbox apart: "container", or the namespaces it got
	Compose   string     // the compose tool that did it and its version, such as "docker-compose 1.29.2"; empty: none

	Result     []byte // content of Spec.ReadyFile
	HostCheck  []byte // standard output of Spec.HostCheck
	HostStatus *int   // its exit status; nil where it was not run
}

// A Script is a fragment of POSIX shell that the root package runs inside a
// locked operation, in a subshell of its own. What it prints are lines
//
//	removed KIND REF
//	remains KIND REF REASON…
//
// and it exits with 0 only if the engine has answered and nothing remains, 1
// if something does, 2 if the engine could not be asked. Where a resource
// cannot be proven the sandbox's own it is left alone and reported as
// remaining.
type Script string

// An Exporter takes finished documents away. It is called once per finished
// operation and is safe for concurrent use. A document is not to be changed.
// What Export returns reaches the caller of the operation as an *ExportError;
// it undoes nothing. Anybody may implement it.
type Exporter interface {
	Export(ctx context.Context, doc Document) error
}

// An ArtifactExporter is an Exporter that keeps documents as local files. It
// is optional.
type ArtifactExporter interface {
	// Artifact returns the absolute path at which Export will put doc, or "".
	Artifact(doc Document) string
	// Check returns an error if Export could not write. Create calls it
	// before it touches the host.
	Check() error
}

// An OutcomeExporter is an Exporter with several sinks. It is optional.
type OutcomeExporter interface {
	// Outcomes tells what became of a document in each sink, given what
	// Export returned for it.
	Outcomes(err error) []ExportOutcome
}
