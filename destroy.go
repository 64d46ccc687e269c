package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// destroyLimit bounds one destroy, for the deadline its record carries.
const destroyLimit = 10 * time.Minute

// Destroy removes a sandbox, by id or exact name, and everything of it: what
// the engine holds, its directory, its records. It is legal from every state,
// picks up where an earlier one was cut off, and does nothing, successfully,
// to a sandbox that was destroyed before.
//
// Nothing is removed before it is proven to be the sandbox's own, under its
// lock; what cannot be proven is left and named in the error. The error is
// ErrNotFound, ErrLocked, ErrIncomplete where a source that decides did not
// answer, a *RefusedError where a proof failed, or another where something
// could not be removed: then the next Destroy goes on from there.
func (b *Sandboxer) Destroy(ctx context.Context, host Host, ref ID) (SandboxStatus, error) {
	status, err := b.destroy(ctx, host, ref, "asked for by id")
	if err != nil || status.Telemetry.DestroyDelta == nil {
		return status, err // nothing was done: the report of what was stands
	}
	return b.export(ctx, host, status)
}

func (b *Sandboxer) destroy(ctx context.Context, host Host, ref ID, why string) (SandboxStatus, error) {
	if err := b.canChange(); err != nil {
		return SandboxStatus{}, err
	}
	obs, s, err := b.find(ctx, host, ref)
	if err != nil {
		return SandboxStatus{}, err
	}
	status, err := b.statusOf(host, obs, s)
	if err != nil {
		return SandboxStatus{}, err
	}
	if s == nil { // destroyed before
		status.Conditions = conditions(status)
		return status, nil
	}
	d := &destruction{b: b, host: host, before: obs, looked: b.now(), s: s, act: "destroy", why: why}
	err = d.run(ctx)
	if err == nil {
		err = d.finish(ctx, &status)
	}
	if err != nil {
		why := err.Error()
		status.Reason = &why
	}
	status.Conditions = conditions(status)
	return status, err
}

// A destruction is one Destroy under way.
type destruction struct {
	b      *Sandboxer
	host   Host
	before Observation
	looked time.Time // controller's clock, when before was had
	s      *Sandbox
	rec    Record // what the host will hold

	act, why   string // for the audit log
	approvedBy string
}

// run proves as much as can be proven from here and lets the host do the
// rest in one locked step.
func (d *destruction) run(ctx context.Context) error {
	op, err := d.b.newOp()
	if err != nil {
		return err
	}
	teardown, err := d.mayGo()
	if err != nil {
		d.b.auditRefusal(ctx, d.host, op, d.line(op.ID), err)
		return err
	}
	item, err := d.item(op, teardown)
	if err != nil {
		return err
	}
	d.b.emit(Event{Phase: PhaseDestroy, SandboxID: d.s.SandboxID, Host: d.host.Name(), Message: "removing"})
	answer, err := d.b.runScript(ctx, d.host, "destroy", op.Destroy([]onhost.Item{item}))
	got := d.b.purge(ctx, d.host, d.before, item, answer.Item(string(d.s.SandboxID)))
	if got.Result == "" && err != nil {
		return err
	}
	return d.judge(got)
}

// mayGo returns the script that removes what the engine holds, or why the
// sandbox may not be touched.
func (d *destruction) mayGo() (Script, error) {
	doing := fmt.Sprintf("destroy %s on %s", d.s.SandboxID, d.host.Name())
	class, detail := untrusted(d.s)
	switch class {
	case "":
	case Undecided:
		return "", fmt.Errorf("%s: %s: %w", doing, detail, ErrIncomplete)
	default:
		refused := &RefusedError{Doing: doing, Reasons: []Reason{{string(class), detail}}}
		if rec := d.s.Evidence.Record; rec != nil && rec.Root != d.before.Inventory.Root {
			refused.Hint = "it lives elsewhere: --root " + rec.Root
		}
		return "", refused
	}
	d.rec = *d.s.Evidence.Record
	dir := d.s.Evidence.Dir
	switch {
	case dir.Present && !dir.IsDir:
		return "", &RefusedError{Doing: doing, Reasons: []Reason{{"not_dir", d.s.Dir + " is not a directory"}}}
	case d.act == "destroy" && d.rec.State != StateDestroying && d.rec.Hold.holds(d.before.Snapshot.ObservedAt):
		return "", &RefusedError{
			Doing: doing, Reasons: []Reason{{BlockHeld, d.rec.Hold.words()}},
			Hint: "sandboxer release " + string(d.s.SandboxID),
		}
	case d.rec.isAnother(dir, d.before.Snapshot):
		return "", &RefusedError{
			Doing: doing, Reasons: []Reason{{BlockDirChanged, d.s.Dir + " is not the directory that was made for it"}},
			Hint: "see what is in it, move it away, and destroy the sandbox again",
		}
	}
	for _, p := range d.b.Provisioners {
		if p.Engine() == d.rec.Engine {
			return d.engineAnswers(p, doing)
		}
	}
	return "", &RefusedError{
		Doing:   doing,
		Reasons: []Reason{{"engine_mismatch", fmt.Sprintf("it was created with engine %s, which is not among those in use", d.rec.Engine)}},
		Hint:    fmt.Sprintf("destroy it with --engine %s", d.rec.Engine),
	}
}

func (d *destruction) engineAnswers(p Provisioner, doing string) (Script, error) {
	info := engineInfo(d.before.Snapshot, p.Engine())
	if info.Status != EngineOK && info.Status != EngineUnused {
		detail := "no answer"
		if info.Detail != nil {
			detail = *info.Detail
		}
		cause := &EngineError{Engine: info.Name, Status: info.Status, Err: errors.New(detail), Hint: engineHint(info)}
		return "", fmt.Errorf("%s: %w: %w", doing, ErrIncomplete, cause)
	}
	if root, other := d.rec.otherEngine(d.before.Snapshot); other {
		return "", anotherEngine(doing, d.rec, root)
	}
	return p.Teardown(d.rec), nil
}

// anotherEngine refuses: an engine of the same name that keeps its things
// elsewhere, as root's podman and a user's do, would truthfully say that it
// has nothing of the sandbox.
func anotherEngine(doing string, rec Record, root string) error {
	refused := &RefusedError{
		Doing: doing,
		Reasons: []Reason{{"engine_mismatch", fmt.Sprintf("it was created with the %s of %s, and the one that answers is that of %s",
			rec.Engine, rec.EngineRoot, root)}},
	}
	if rec.Compose != "" {
		refused.Hint = "it was started by " + rec.Compose + ": name that tool with --compose-cmd"
	}
	return refused
}

func (d *destruction) item(op onhost.Op, teardown Script) (onhost.Item, error) {
	ev := d.s.Evidence
	now := d.b.now().UTC()
	if at := d.before.Snapshot.ObservedAt; at != nil {
		now = at.Add(now.Sub(d.looked)).UTC() // on the host's clock
	}
	prior := ""
	if cut := d.rec.Op; cut != nil && cut.Kind == "destroy" {
		prior = cut.OpID
	}
	d.rec.State, d.rec.UpdatedAt = StateDestroying, now
	d.rec.Op = &Operation{OpID: op.ID, Kind: "destroy", Deadline: now.Add(destroyLimit)}
	next, err := d.rec.Encode()
	if err != nil {
		return onhost.Item{}, err
	}
	last := d.rec
	last.State, last.Op = StateDestroyed, nil
	tomb, err := last.Encode()
	if err != nil {
		return onhost.Item{}, err
	}
	head, err := d.auditHead(op.ID)
	if err != nil {
		return onhost.Item{}, err
	}
	item := onhost.Item{
		ID: string(d.s.SandboxID), Metadata: ev.Metadata, Registry: ev.Registry,
		Next: next, Tombstone: tomb, Audit: head, Teardown: string(teardown), Purger: string(d.purger()), Prior: prior,
	}
	if d.s.Metadata != RecordOK {
		item.Metadata = nil // the registry's record decides
	}
	if ev.Dir.Present {
		item.Device, item.Inode, item.Birth = ev.Dir.Device, ev.Dir.Inode, ev.Dir.Birth
	}
	return item, nil
}

// auditHead is the audit line of this removal.
func (d *destruction) auditHead(opID string) ([]byte, error) {
	return d.line(opID).head()
}

func (d *destruction) line(opID string) auditLine {
	return auditLine{
		Act: d.act, OpID: opID, SandboxID: d.s.SandboxID, Profile: d.rec.Profile, Engine: d.rec.Engine,
		User: deref(d.before.Snapshot.Identity.User), Controller: d.b.controller(), ApprovedBy: d.approvedBy, Why: d.why,
		Evidence: digestOf(d.s.Evidence.Metadata, d.s.Evidence.Registry),
	}
}

// judge turns what became of the sandbox into an error, or nil.
func (d *destruction) judge(got onhost.ItemAnswer) error {
	doing := fmt.Sprintf("destroy %s on %s", d.s.SandboxID, d.host.Name())
	switch got.Result {
	case onhost.Destroyed, onhost.Gone:
		return nil
	case onhost.Locked:
		return fmt.Errorf("%s: %w", doing, ErrLocked)
	case onhost.Changed:
		return fmt.Errorf("%s: %s: %w", doing, got.Message, errChanged)
	case onhost.Refused:
		return &RefusedError{Doing: doing, Reasons: []Reason{{got.Code, got.Message}}}
	case onhost.Unknown:
		return fmt.Errorf("%s: %s: %w", doing, got.Message, ErrIncomplete)
	case "":
		return fmt.Errorf("%s: the host stopped half-way: %s", doing, strings.Join(got.Errors, "; "))
	}
	parts := append([]string{got.Message}, got.Remains...)
	return fmt.Errorf("%s: %s: %w", doing, strings.Join(append(parts, got.Errors...), "; "), ErrRemains)
}

// finish looks again: a destroy is done when the host says so, not when the
// script does.
func (d *destruction) finish(ctx context.Context, status *SandboxStatus) error {
	d.b.emit(Event{Phase: PhaseVerify, SandboxID: d.s.SandboxID, Host: d.host.Name(), Message: "reading the host again"})
	after, err := d.b.collect(ctx, d.host, d.s.SandboxID)
	if err != nil {
		return fmt.Errorf("%s is removed; the look at the host afterwards: %w", d.s.SandboxID, err)
	}
	delta := d.b.diff(d.host, d.before.Snapshot, after.Snapshot)
	delta.Sandbox = d.before.Cost
	t := &status.Telemetry
	t.DestroyDelta, t.Inventory = &delta, &after.Inventory
	t.StaleCandidates = recommended(after)
	t.Admission = admissionFor(&d.rec, after.Snapshot)
	if t.ProvisionDelta != nil {
		left := residual(*t.ProvisionDelta, delta, after.Snapshot.Objects, d.required(), d.owns)
		if d.rec.Engine != EngineProcess && !after.Snapshot.answers(d.rec.Engine) && left.Verdict == Pass {
			left.Verdict = Unknown
		}
		t.Residual = &left
		if t.Canary != nil {
			t.Canary.Add(leakCheck(left))
		}
	}
	status.State, status.Reason, status.Ports = StateDestroyed, nil, []Port{}
	return nil
}

// required are the kinds of objects whose sets decide the leak verdict.
func (d *destruction) required() []ObjectKind {
	kinds := []ObjectKind{Directories}
	if d.rec.Engine != EngineProcess {
		kinds = append(kinds, Containers, Networks, Volumes, Images)
	}
	return kinds
}

// owns reports whether an object was this sandbox's.
func (d *destruction) owns(kind ObjectKind, object string) bool {
	dir := path.Join(d.before.Inventory.Root, string(d.s.SandboxID))
	switch kind {
	case Directories:
		return object == dir
	case Mounts:
		return object == dir || strings.HasPrefix(object, dir+"/")
	case Ports:
		for _, p := range d.s.Ports {
			if strings.HasSuffix(object, fmt.Sprintf(":%d", p.HostPort)) {
				return true
			}
		}
		return false
	}
	for _, r := range d.s.Resources {
		if object == string(r.Engine)+":"+r.Ref {
			return true
		}
	}
	for _, r := range d.rec.Resources {
		if object == string(d.rec.Engine)+":"+r.Ref {
			return true
		}
	}
	return false
}
