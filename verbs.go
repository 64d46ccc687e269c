package sandboxer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime/debug"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// errChanged: the records on the host are not what this operation left.
var errChanged = errors.New("another operation changed the sandbox meanwhile")

// An ExportError is an operation that succeeded and whose report could not be
// exported: the report is in the value returned beside it.
type ExportError struct{ Err error }

// Error says so.
func (e *ExportError) Error() string { return fmt.Sprintf("export the report: %v", e.Err) }

// Unwrap returns the cause.
func (e *ExportError) Unwrap() error { return e.Err }

// Inspect looks at host: its numbers and its inventory, in one command.
func (b *Sandboxer) Inspect(ctx context.Context, host Host) (Observation, error) {
	if b.Collector == nil {
		return Observation{}, errors.New("Sandboxer.Collector is nil")
	}
	if err := onhost.CheckRoot(b.root()); err != nil {
		return Observation{}, err
	}
	return b.collect(ctx, host, "")
}

// List returns what of a host is, or may be, a sandbox, in one command.
func (b *Sandboxer) List(ctx context.Context, host Host) (Inventory, error) {
	obs, err := b.Inspect(ctx, host)
	return obs.Inventory, err
}

// Status returns the state of one sandbox, by id or exact name, with the
// report its create or last operation left. The error is ErrNotFound where
// the host knows no such sandbox, and ErrIncomplete where that cannot be told.
func (b *Sandboxer) Status(ctx context.Context, host Host, ref ID) (SandboxStatus, error) {
	obs, s, err := b.find(ctx, host, ref)
	if err != nil {
		return SandboxStatus{}, err
	}
	status, err := b.statusOf(host, obs, s)
	if err != nil {
		return SandboxStatus{}, err
	}
	status.Conditions = conditions(status)
	return status, nil
}

// find looks at host for ref. A nil Sandbox with a nil error is one that was
// destroyed: obs.Destroyed is its record.
func (b *Sandboxer) find(ctx context.Context, host Host, ref ID) (Observation, *Sandbox, error) {
	if err := b.check(); err != nil {
		return Observation{}, nil, err
	}
	if _, err := ParseRef(string(ref)); err != nil {
		return Observation{}, nil, err
	}
	obs, err := b.collect(ctx, host, ref)
	if err != nil {
		return obs, nil, err
	}
	s := obs.Inventory.Find(ref)
	if s != nil && s.SandboxID != ref { // by name: its report is filed under its id
		if obs, err = b.collect(ctx, host, s.SandboxID); err != nil {
			return obs, nil, err
		}
		s = obs.Inventory.Find(s.SandboxID)
	}
	if s != nil || obs.Destroyed != nil {
		return obs, s, nil
	}
	for _, name := range []string{"directories", "registry"} {
		if source := obs.Inventory.Source(name); !source.Complete() {
			return obs, nil, fmt.Errorf("%s on %s: %s: %s: %w", ref, host.Name(), name, source.Status, ErrIncomplete)
		}
	}
	return obs, nil, b.unknown(obs, host, ref)
}

// unknown says why ref is no sandbox, with what else bears that name.
func (b *Sandboxer) unknown(obs Observation, host Host, ref ID) error {
	for _, d := range obs.Inventory.Directories {
		if d.Name == string(ref) {
			return &RefusedError{
				Doing:   fmt.Sprintf("%s on %s", ref, host.Name()),
				Reasons: []Reason{{"unclaimed", d.Path + " has none of sandboxer's metadata"}},
				Hint:    "sandboxer removes only what it can prove is its own; remove that directory by hand if it is yours",
			}
		}
	}
	for _, r := range obs.Inventory.Leftovers {
		if r.SandboxID != nil && *r.SandboxID == ref {
			return &RefusedError{
				Doing:   fmt.Sprintf("%s on %s", ref, host.Name()),
				Reasons: []Reason{{BlockNoRegistry, fmt.Sprintf("%s %s claims that id by a label, and no record proves it", r.Kind, r.Name)}},
				Hint:    fmt.Sprintf("remove it by hand if it is yours: %s %s rm %s", r.Engine, r.Kind, r.Ref),
			}
		}
	}
	return fmt.Errorf("%s on %s: %w", ref, host.Name(), ErrNotFound)
}

// statusOf builds the status of s, or of obs.Destroyed where s is nil.
func (b *Sandboxer) statusOf(host Host, obs Observation, s *Sandbox) (SandboxStatus, error) {
	var status SandboxStatus
	if obs.Report != nil {
		if err := json.Unmarshal(obs.Report, &status); err != nil {
			b.logger().Warn("stored report is unreadable", "host", host.Name(), "error", err)
			status = SandboxStatus{}
		}
	}
	runID, err := b.token(8)
	if err != nil {
		return SandboxStatus{}, err
	}
	if status.Header, err = b.header(host, KindSandboxStatus, runID, &obs.Snapshot); err != nil {
		return SandboxStatus{}, err
	}
	rec := obs.Destroyed
	if s != nil {
		rec = s.Evidence.Record
		status.SandboxID, status.State, status.Reason = s.SandboxID, s.State, s.Reason
		status.Ports = append([]Port{}, s.Ports...)
	}
	if rec != nil {
		status.describe(rec)
	}
	if s == nil {
		status.Ports = []Port{}
	}
	t := &status.Telemetry
	t.Inventory, t.StaleCandidates = &obs.Inventory, FindStale(obs, StalePolicy{}).StaleCandidates
	t.Admission = Admit(obs.Snapshot)
	if status.Artifacts == nil {
		status.Artifacts = []Artifact{}
	}
	status.Export = nil
	return status, nil
}

// describe copies what a record says into the status.
func (s *SandboxStatus) describe(rec *Record) {
	s.SandboxID, s.State, s.Profile, s.Engine = rec.SandboxID, rec.State, rec.Profile, &rec.Engine
	s.CreatedAt, s.ExpiresAt = &rec.CreatedAt, rec.ExpiresAt
	if s.Ports = append([]Port{}, rec.Ports...); rec.Name != "" {
		s.Name = &rec.Name
	}
	if rec.State == StateFailed && rec.Phase != "" {
		reason := "failed in phase " + string(rec.Phase)
		s.Reason = &reason
	}
}

// check returns an error unless the required fields are there.
func (b *Sandboxer) check() error {
	switch {
	case b.Collector == nil:
		return errors.New("Sandboxer.Collector is nil")
	case len(b.Provisioners) == 0:
		return errors.New("Sandboxer.Provisioners is empty")
	}
	return onhost.CheckRoot(b.root())
}

func (b *Sandboxer) collect(ctx context.Context, host Host, sandbox ID) (Observation, error) {
	return b.Collector.Collect(ctx, host, CollectOptions{Root: b.root(), Sandbox: sandbox, Now: b.Now})
}

func (b *Sandboxer) emit(e Event) {
	e.At = b.now()
	b.logger().Debug(e.Message, "phase", e.Phase, "host", e.Host, "sandbox_id", e.SandboxID)
	if b.Progress != nil {
		b.Progress(e)
	}
}

func (b *Sandboxer) newOp() (onhost.Op, error) {
	id, err := b.token(8)
	return onhost.Op{Root: b.root(), ID: id}, err
}

// runScript runs a script of onhost that does one thing and turns its answer
// into an error, unless it did that thing.
func (b *Sandboxer) runScript(ctx context.Context, host Host, doing string, cmd onhost.Command) (onhost.Answer, error) {
	res, err := host.Run(ctx, Cmd{Args: cmd.Args, Stdin: cmd.Stdin})
	if err != nil {
		return onhost.Answer{}, err
	}
	answer, err := onhost.ParseAnswer(res.Stdout)
	for _, line := range answer.Mended {
		b.logger().Warn("mended "+line, "host", host.Name())
		b.emit(Event{Host: host.Name(), Message: "mended " + line})
	}
	switch {
	case err != nil:
		return answer, fmt.Errorf("%s: %w", doing, err)
	case answer.Refused != nil:
		return answer, refusal(doing, answer.Refused)
	case answer.Locked:
		return answer, fmt.Errorf("%s: %w", doing, ErrLocked)
	case answer.Changed:
		return answer, fmt.Errorf("%s: %w", doing, errChanged)
	case len(answer.Errors) > 0:
		return answer, fmt.Errorf("%s: %s", doing, answer.Errors[0])
	}
	if err := res.Err(doing); err != nil {
		return answer, err
	}
	return answer, nil
}

// refusal turns a script's refusal into an error, with what mends it.
func refusal(doing string, r *onhost.Refusal) error {
	err := &RefusedError{Doing: doing, Reasons: []Reason{{r.Code, r.Message}}}
	switch r.Code {
	case "root_symlink", "root_foreign", "root_not_a_directory", "root_unwritable", "root_writable":
		err.Hint = "use a directory of your own: --root ~/.sandboxer"
	case "no_flock":
		err.Hint = "install util-linux on the host"
	case "no_tar", "no_gzip", "no_stat", "no_dd", "no_grep":
		err.Hint = "install " + r.Code[len("no_"):] + " on the host"
	case "state_unwritable", "no_home":
		err.Hint = "the user on the host needs a home directory that can be written to"
	}
	return err
}

// neverRan reports whether err says that no part of a command was executed.
func neverRan(err error) bool {
	var host *HostError
	return errors.As(err, &host) && !host.Started
}

// export hands the finished status to the exporter and notes what it said.
func (b *Sandboxer) export(ctx context.Context, host Host, status SandboxStatus) (SandboxStatus, error) {
	if b.Exporter == nil {
		return status, nil
	}
	keeper, keeps := b.Exporter.(ArtifactExporter)
	if keeps {
		if path := keeper.Artifact(status); path != "" {
			status.Artifacts = []Artifact{{Path: path}}
		}
	}
	err := b.Exporter.Export(ctx, status)
	if several, ok := b.Exporter.(OutcomeExporter); ok {
		status.Export = several.Outcomes(err)
	} else {
		status.Export = []ExportOutcome{{Sink: "exporter", Status: "done"}}
		if err != nil {
			status.Export[0].Status, status.Export[0].Error = "failed", ptr(err.Error())
			status.Artifacts = []Artifact{}
		}
	}
	if err != nil {
		b.logger().Warn("export", "host", host.Name(), "error", err)
		return status, &ExportError{Err: err}
	}
	return status, nil
}

// header makes the header of a document about host.
func (b *Sandboxer) header(host Host, kind Kind, runID string, snap *HostSnapshot) (Header, error) {
	id, err := b.token(8)
	if err != nil {
		return Header{}, err
	}
	h := Header{
		Schema: SchemaBase + kind.SchemaFile(), SchemaVersion: SchemaVersion, Kind: kind,
		ReportID: id, RunID: runID, GeneratedAt: b.now().UTC(), Producer: b.producer(),
		Host: HostRef{Name: host.Name()},
	}
	if snap != nil {
		h.Host.Hostname, h.Host.MachineID = snap.Identity.Hostname, snap.Identity.MachineID
	}
	return h, nil
}

func (b *Sandboxer) producer() Producer {
	if b.Producer != (Producer{}) {
		return b.Producer
	}
	return ThisProducer()
}

// ThisProducer names the program that is running as the Go toolchain stamped
// it.
func ThisProducer() Producer {
	p := Producer{Name: "sandboxer", Version: "devel", Commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	const module = "github.com/tegwick/sand-boxer"
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			p.Version = m.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Path == module {
			p.Commit = s.Value
		}
	}
	return p
}

func (b *Sandboxer) controller() string {
	if b.Controller != "" {
		return b.Controller
	}
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// encodeReport returns a status as it is stored and exported.
func encodeReport(s SandboxStatus) ([]byte, error) {
	s.Export = nil
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return buf.Bytes(), nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
