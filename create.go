package sandboxer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// Bounds of one step of a create, for the deadline that its record carries
// while the step runs. They are long: a deadline that has passed lets others
// call the operation interrupted.
const (
	reserveLimit = 10 * time.Minute
	startLimit   = 20 * time.Minute // on top of Spec.WaitTimeout: builds take long
	undoLimit    = 2 * time.Minute  // for taking a failed create down again
)

// Create puts a sandbox on host and returns when it is ready, with what that
// did to the host. It takes one connection and six commands: look, reserve
// and upload, start, record, look again, report.
//
// The status is complete as far as the create got, also beside an error. A
// create that fails, or whose ctx ends, is taken down again unless
// Spec.KeepFailed; the *PhaseError says in which phase it failed and what, if
// anything, is left. A canary that ran and found faults is no error: see
// Telemetry.Canary. Where only the export failed, the error is an
// *ExportError and the sandbox is ready.
func (b *Sandboxer) Create(ctx context.Context, host Host, spec Spec) (SandboxStatus, error) {
	c := &creation{b: b, host: host, spec: spec}
	steps := []struct {
		phase Phase
		run   func(context.Context) error
	}{
		{PhaseValidate, c.validate},
		{PhaseObserve, c.observe},
		{PhaseObserve, c.admit},
		{PhasePrepare, c.prepare},
		{PhaseReserve, c.reserve},
		{PhaseStart, c.start},
		{PhaseRecord, c.record},
		{PhaseReport, c.report},
	}
	for _, step := range steps {
		if err := step.run(ctx); err != nil {
			return c.fail(ctx, step.phase, err)
		}
	}
	if spec.Remove {
		return b.Destroy(ctx, host, c.rec.SandboxID)
	}
	return b.export(ctx, host, c.status)
}

// A creation is one Create under way.
type creation struct {
	b    *Sandboxer
	host Host
	spec Spec

	op       onhost.Op
	before   Observation
	looked   time.Time // controller's clock, when before was had
	forced   bool      // the host had been refused
	with     Provisioner
	files    *upload
	rec      Record
	stored   []byte // the record as the host has it
	reserved bool   // something may be on the host
	place    Placement
	started  Started
	status   SandboxStatus
}

func (c *creation) say(phase Phase, format string, args ...any) {
	c.b.emit(Event{Phase: phase, SandboxID: c.rec.SandboxID, Host: c.host.Name(), Message: fmt.Sprintf(format, args...)})
}

func (c *creation) validate(context.Context) error {
	c.status = SandboxStatus{
		Profile: c.spec.Profile, State: StateProvisioning, Ports: []Port{}, Artifacts: []Artifact{},
		Conditions: []Condition{},
		Telemetry:  IntrospectionReport{StaleCandidates: []StaleSandbox{}, Admission: Admission{Verdict: AdmitUnknown, Reasons: []AdmissionReason{}}},
	}
	if err := c.b.canChange(); err != nil {
		return err
	}
	if err := c.spec.check(); err != nil {
		return err
	}
	op, err := c.b.newOp()
	c.op = op
	return err
}

func (c *creation) observe(ctx context.Context) error {
	if keeper, ok := c.b.Exporter.(ArtifactExporter); ok {
		if err := keeper.Check(); err != nil {
			return err
		}
	}
	c.say(PhaseObserve, "reading the host")
	before, err := c.b.collect(ctx, c.host, "")
	if err != nil {
		return err
	}
	c.before, c.looked = before, c.b.now()
	c.status.Telemetry.Before = &c.before.Snapshot
	return nil
}

// hostNow is the host's clock, as far as one look at it tells.
func (c *creation) hostNow() time.Time {
	if at := c.before.Snapshot.ObservedAt; at != nil {
		return at.Add(c.b.now().Sub(c.looked)).UTC()
	}
	return c.b.now().UTC()
}

func (c *creation) prepare(ctx context.Context) error {
	with, info, err := choose(c.b.Provisioners, c.spec, c.before.Snapshot)
	if err != nil {
		return err
	}
	c.with = with
	if err := c.newRecord(info); err != nil {
		return err
	}
	if err := c.nameIsFree(); err != nil {
		return err
	}
	c.say(PhasePrepare, "preparing %s for %s", c.spec.Profile, info.Name)
	arch := "unknown"
	if a := c.before.Snapshot.Identity.Arch; a != nil {
		arch = *a
	}
	tree, err := c.spec.Files(ctx, Platform{OS: "linux", Arch: arch})
	if err != nil {
		return err
	}
	marker, err := c.b.token(16)
	if err != nil {
		return err
	}
	c.files = newUpload(tree, marker)
	return nil
}

func (c *creation) newRecord(info EngineInfo) error {
	id, err := newID(c.spec.Profile, c.b.random())
	if err != nil {
		return err
	}
	nonce, err := c.b.token(16)
	if err != nil {
		return err
	}
	who := c.before.Snapshot.Identity
	if who.MachineID == nil || who.BootID == nil || who.UID == nil {
		return fmt.Errorf("the host's identity could not be read: %w", ErrIncomplete)
	}
	now := c.hostNow()
	c.rec = Record{
		Schema: RecordSchema, SandboxID: id, Nonce: nonce, Name: c.spec.Name, Profile: c.spec.Profile,
		Labels: c.spec.Labels, MachineID: *who.MachineID, BootID: *who.BootID, Root: c.before.Inventory.Root,
		Owner:  Owner{User: deref(who.User), UID: *who.UID, Controller: c.b.controller()},
		Engine: info.Name, EngineVersion: deref(info.Version), EngineRoot: deref(info.RootDir), EngineID: deref(info.EngineID), CreatedAt: now, UpdatedAt: now,
		State: StateProvisioning, Forced: c.forced, Op: &Operation{OpID: c.op.ID, Kind: "create", Deadline: now.Add(reserveLimit)},
	}
	if c.spec.TTL > 0 {
		expires := now.Add(c.spec.TTL)
		c.rec.ExpiresAt = &expires
	}
	c.place = Placement{ID: id, Nonce: nonce, Owner: c.rec.Owner, Engine: info}
	c.status.describe(&c.rec)
	return nil
}

func (c *creation) nameIsFree() error {
	if c.spec.Name == "" {
		return nil
	}
	if err := c.before.Inventory.recordsComplete(); err != nil {
		return fmt.Errorf("cannot tell whether the name %q is free: %w", c.spec.Name, err)
	}
	for _, s := range c.before.Inventory.Sandboxes {
		if s.SandboxID == ID(c.spec.Name) || s.Name != nil && *s.Name == c.spec.Name {
			return &RefusedError{
				Doing:   fmt.Sprintf("use the name %q", c.spec.Name),
				Reasons: []Reason{{"name_taken", fmt.Sprintf("sandbox %s has it", s.SandboxID)}},
				Hint:    "choose another name, or destroy that sandbox first",
			}
		}
	}
	return nil
}

// reserve writes the records, makes the directory and uploads the files.
func (c *creation) reserve(ctx context.Context) error {
	c.say(PhaseReserve, "uploading")
	record, err := c.rec.Encode()
	if err != nil {
		return err
	}
	c.stored, c.reserved = record, true
	stream := c.files.stream()
	answer, err := c.b.runScript(ctx, c.host, "make its directory", c.op.Reserve(string(c.rec.SandboxID), record, c.files.marker, stream))
	digest, unread := c.files.finish()
	if neverRan(err) || answer.Refused != nil || answer.Locked {
		c.reserved = false
	}
	if err := cmp.Or(unread, err); err != nil {
		return err
	}
	c.place.Dir, c.rec.Device, c.rec.Inode, c.rec.Birth = answer.Dir, answer.Device, answer.Inode, answer.Birth
	c.rec.ProfileDigest = digest
	return nil
}

// start lets the provisioner bring the sandbox up, under its lock.
func (c *creation) start(ctx context.Context) error {
	c.say(PhaseStart, "starting in %s", c.rec.Engine)
	c.rec.Op.Deadline = c.hostNow().Add(startLimit + c.spec.waitTimeout())
	started, err := c.with.Up(ctx, &lockedHost{Host: c.host, c: c}, c.spec, c.place)
	c.started = started
	for _, r := range started.Resources {
		c.rec.Resources = append(c.rec.Resources, RecordedRef{r.Kind, r.Ref})
	}
	c.rec.Ports, c.rec.Compose = started.Ports, started.Compose
	return err
}

// record says on the host that the sandbox is ready.
func (c *creation) record(ctx context.Context) error {
	c.rec.State, c.rec.Op, c.rec.UpdatedAt = StateReady, nil, c.hostNow()
	if err := c.store(ctx, "ready"); err != nil {
		return err
	}
	c.status.describe(&c.rec)
	return nil
}

// store renews the record on the host, and notes in the audit log how the
// create went.
func (c *creation) store(ctx context.Context, result string) error {
	record, err := c.rec.Encode()
	if err != nil {
		return err
	}
	line := auditLine{
		Act: "create", OpID: c.op.ID, SandboxID: c.rec.SandboxID, Profile: c.rec.Profile, Engine: c.rec.Engine,
		User: c.rec.Owner.User, Controller: c.rec.Owner.Controller, Why: "asked for", Evidence: digestOf(record),
	}
	head, err := line.head()
	if err != nil {
		return err
	}
	_, err = c.b.runScript(ctx, c.host, "store record", c.op.Store(onhost.Renewal{
		ID: string(c.rec.SandboxID), Metadata: c.stored, Registry: c.stored, Record: record, Audit: head, Result: result,
	}))
	if err == nil {
		c.stored = record
	}
	return err
}

// report looks at the host again, says what has changed, and leaves the
// status beside the sandbox so that any machine can destroy it with a delta.
func (c *creation) report(ctx context.Context) error {
	c.say(PhaseReport, "reading the host again")
	after, settled, err := c.b.lookAtRest(ctx, c.host, c.rec.SandboxID, c.spec.Settle)
	if err != nil {
		return err
	}
	delta := c.b.diff(c.host, c.before.Snapshot, after.Snapshot)
	delta.Settled, delta.Sandbox = settled, after.Cost
	t := &c.status.Telemetry
	t.After, t.Inventory, t.ProvisionDelta = &after.Snapshot, &after.Inventory, &delta
	t.StaleCandidates = recommended(after)
	t.Admission = admissionFor(&c.rec, after.Snapshot)
	if c.spec.Canary {
		t.Canary = judge(c.started, c.before.Snapshot)
	}
	if c.status.Header, err = c.b.header(c.host, KindSandboxStatus, c.op.ID, &after.Snapshot); err != nil {
		return err
	}
	c.status.Conditions = conditions(c.status)
	data, err := encodeReport(c.status)
	if err != nil {
		return err
	}
	_, err = c.b.runScript(ctx, c.host, "store report", c.op.Store(onhost.Renewal{
		ID: string(c.rec.SandboxID), Metadata: c.stored, Registry: c.stored, Report: bytes.NewReader(data),
	}))
	return err
}

// fail ends a create that did not succeed in phase: it takes down what there
// is, or records the failure if that was asked for.
func (c *creation) fail(ctx context.Context, phase Phase, err error) (SandboxStatus, error) {
	failure := &PhaseError{Phase: phase, Err: err}
	errors.As(err, &failure) // a provisioner knows the phase better
	if c.reserved {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
		defer cancel()
		if c.spec.KeepFailed {
			failure.Left = append(failure.Left, c.keep(clean, failure.Phase)...)
		} else {
			failure.Left = append(failure.Left, c.undo(clean)...)
		}
	}
	reason := failure.Error()
	c.status.State, c.status.Reason = StateFailed, &reason
	if c.status.Header.Kind == "" {
		if head, herr := c.b.header(c.host, KindSandboxStatus, c.op.ID, c.status.Telemetry.Before); herr == nil {
			c.status.Header = head
		}
	}
	c.status.Conditions = conditions(c.status)
	return c.status, failure
}

// undo removes what a failed create has made, and returns what it could not.
func (c *creation) undo(ctx context.Context) []string {
	c.say(PhaseUndo, "undoing: removing what was made of %s", c.rec.SandboxID)
	status, err := c.b.destroy(ctx, c.host, c.rec.SandboxID, "a create of it failed")
	switch {
	case errors.Is(err, ErrNotFound):
		return nil // it failed before anything was there
	case err != nil:
		return []string{fmt.Sprintf("sandbox %s on %s (%v)", c.rec.SandboxID, c.host.Name(), err)}
	}
	c.status.Telemetry.DestroyDelta, c.status.Telemetry.Residual = status.Telemetry.DestroyDelta, status.Telemetry.Residual
	return nil
}

// keep records the failure and leaves the rest as it is.
func (c *creation) keep(ctx context.Context, phase Phase) []string {
	c.rec.State, c.rec.Phase, c.rec.Op, c.rec.UpdatedAt = StateFailed, phase, nil, c.hostNow()
	left := fmt.Sprintf("sandbox %s, kept as asked", c.rec.SandboxID)
	if err := c.store(ctx, "failed"); err != nil {
		left = fmt.Sprintf("sandbox %s, kept as asked, its record not up to date (%v)", c.rec.SandboxID, err)
	}
	c.status.describe(&c.rec)
	return []string{left}
}
