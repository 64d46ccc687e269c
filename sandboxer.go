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
	"crypto/rand"
	"encoding/hex"
	"io"
	"io/fs"
	"log/slog"
	"time"
)

// DefaultRoot is where sandboxes live on a host.
const DefaultRoot = "/tmp/sandboxer"

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
// answers, such as a certain compose tool.
type EngineChecker interface {
	// Usable returns nil if the provisioner can work with the engine as it
	// was observed, else why not.
	Usable(info EngineInfo) error
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

// A Collector looks at a host. It is safe for concurrent use.
type Collector interface {
	// Collect reads the host's numbers and its inventory in one command.
	// What could not be read is marked unknown in the Observation; an error
	// means that there is no observation at all.
	Collect(ctx context.Context, host Host, opts CollectOptions) (Observation, error)
}

// CollectOptions is what a Collector is asked for. The zero value is valid.
type CollectOptions struct {
	Root    string           // as Sandboxer.Root; empty is DefaultRoot
	Sandbox ID               // also read this sandbox's report and, if it is destroyed, its last record
	Timeout time.Duration    // for each engine; zero is 5 s
	Now     func() time.Time // the controller's clock; nil is time.Now
}

// An Exporter takes finished documents away. It is called once per finished
// operation and is safe for concurrent use. A document is not to be changed.
type Exporter interface {
	Export(ctx context.Context, doc Document) error
}

// An ArtifactExporter is an Exporter that keeps documents as local files.
type ArtifactExporter interface {
	// Artifact returns the path at which Export will put doc, or "".
	Artifact(doc Document) string
	// Check returns an error if Export could not write. Create calls it
	// before it touches the host.
	Check() error
}

// An OutcomeExporter is an Exporter with several sinks.
type OutcomeExporter interface {
	// Outcomes tells what became of a document in each sink, given what
	// Export returned for it.
	Outcomes(err error) []ExportOutcome
}

// A Spec is what a sandbox is to be. It is data, and may be used again.
type Spec struct {
	Profile string            // name for people, such as "profile.sandbox-canary"; required
	Name    string            // optional second name, unique among the host's sandboxes: at most 40 of a-z, 0-9, "-"
	Labels  map[string]string // optional, kept in the record; see the record's size limit
	TTL     time.Duration     // after which the sandbox is expired; zero is never

	// Files returns what is uploaded, for the platform of the host. It is
	// called once per create, before anything is written on the host.
	// Modes are kept. Names beginning with ".sandboxer" are reserved.
	Files func(ctx context.Context, p Platform) (fs.FS, error)

	Compose *Compose // how a compose engine runs it; nil if none can
	Process []string // argv, relative to the sandbox's directory, for an engine without images; nil if it needs one

	ReadyFile string   // the sandbox is ready once this file of its directory exists; its content is Started.Result. Empty: once its services run.
	HostCheck []string // argv run on the host when ready, in the sandbox's directory, with SANDBOXER_PORT="host:port" of the first published port; a program of the upload
	Canary    bool     // Result is a CanaryResult, and the create is judged by it

	WaitTimeout time.Duration // for readiness; zero is DefaultWaitTimeout
	KeepFailed  bool          // leave a failed create as it is, for a look at it
	Remove      bool          // destroy it again as soon as it is ready: one status, both deltas
}

// DefaultWaitTimeout bounds the wait for readiness.
const DefaultWaitTimeout = 2 * time.Minute

// A Platform is what a program must be built for, in Go's terms.
type Platform struct{ OS, Arch string }

// Compose is the compose side of a Spec. It names what the files define, so
// that labels can be stamped on each of it.
type Compose struct {
	File     string   // compose file within Files
	Services []string // at least one
	Networks []string // names as in the file; "default" too, if it is used
	Volumes  []string // names as in the file
	Builds   []string // services with an image built from Files, which must be named localhost/sandboxer/<id> with ${SANDBOXER_IMAGE}
	Rootfs   string   // directory of Files that becomes the image ${SANDBOXER_IMAGE} as it is, without a builder; not beside Builds
}

// A Placement says where on a host a sandbox is put.
type Placement struct {
	ID     ID
	Nonce  string
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
	Resources []Resource
	Ports     []Port
	StartMS   *int64 // from asking the engine to start until the program ran
	Isolation string // what keeps the sandbox apart: "container", or the namespaces it got

	Result     []byte // content of Spec.ReadyFile
	HostCheck  []byte // standard output of Spec.HostCheck
	HostStatus *int   // its exit status; nil where it was not run
}

// A Sandboxer creates, inspects and destroys sandboxes. Its fields are set
// once; its methods may then be called concurrently.
type Sandboxer struct {
	Provisioners []Provisioner // in order of preference; required
	Collector    Collector     // required

	Exporter Exporter     // nil: reports are only returned
	Root     string       // on the host; "~/" is its user's home; empty is DefaultRoot
	Logger   *slog.Logger // nil discards

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

// An Event is one step of an operation.
type Event struct {
	At        time.Time
	Phase     Phase
	SandboxID ID     // empty until there is one
	Host      string // Host.Name
	Message   string // for a person
}

func (b *Sandboxer) root() string {
	if b.Root == "" {
		return DefaultRoot
	}
	return b.Root
}

func (b *Sandboxer) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

func (b *Sandboxer) random() io.Reader {
	if b.Random != nil {
		return b.Random
	}
	return rand.Reader
}

func (b *Sandboxer) logger() *slog.Logger {
	if b.Logger != nil {
		return b.Logger
	}
	return slog.New(slog.DiscardHandler)
}

// token returns n random bytes in hex.
func (b *Sandboxer) token(n int) (string, error) {
	raw := make([]byte, n)
	if _, err := io.ReadFull(b.random(), raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}
