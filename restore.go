package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// restoreLimit bounds one restore, for the deadline its record carries.
const restoreLimit = 10 * time.Minute

// phaseRestore is the phase of a sandbox that is no more than its directory.
const phaseRestore Phase = "restore"

// restoredHold keeps what was restored from the next reap.
const restoredHold = 24 * time.Hour

// Restore brings back the directory of a sandbox, by id, that a reap has
// removed and kept, or an unclaimed directory, by name. What an engine held of
// it stays gone, so the sandbox is failed, in phase "restore", and held for a
// day so that the next reap leaves it. Where several of one name are kept the
// newest comes back.
//
// It picks up where an earlier one was cut off, and does nothing, successfully,
// where that is done already. The status of a directory that is no sandbox's
// says no more than its id. The error is ErrNotFound where nothing of that name
// is kept, ErrLocked while an operation is at it, ErrIncomplete where a source
// that decides did not answer, or a *RefusedError where something is in its
// place or a proof failed.
func (b *Sandboxer) Restore(ctx context.Context, host Host, ref ID) (SandboxStatus, error) {
	obs, s, err := b.find(ctx, host, ref)
	var refused *RefusedError
	if err != nil && !errors.Is(err, ErrNotFound) && !(errors.As(err, &refused) && refused.Has(string(Unclaimed))) {
		return SandboxStatus{}, err
	}
	doing := fmt.Sprintf("restore %s on %s", ref, host.Name())
	if source := obs.Inventory.Source("directories"); !source.Complete() {
		return SandboxStatus{}, fmt.Errorf("%s: directories: %s: %w", doing, source.Status, ErrIncomplete)
	}
	r := &restoration{b: b, host: host, doing: doing, obs: obs, s: s, entry: obs.Inventory.kept(ref)}
	switch {
	case s != nil && s.DirPresent != nil && *s.DirPresent && !r.cutOff() && restored(*s):
		return b.Status(ctx, host, ref)
	case s != nil && !r.cutOff():
		return SandboxStatus{}, r.refuse("there", "the sandbox is there")
	case refused != nil:
		return SandboxStatus{}, r.refuse("there", "a directory of that name is there")
	case !r.cutOff() && obs.Inventory.untouched(ref) != nil: // it may be the newest
		return SandboxStatus{}, r.refuse(BlockMount, "something is mounted in "+obs.Inventory.untouched(ref).Path)
	case r.entry == nil && !r.cutOff():
		return SandboxStatus{}, fmt.Errorf("%s: nothing of that name is in the trash: %w", doing, ErrNotFound)
	}
	return r.run(ctx, ref)
}

// kept returns the newest entry of the trash of that name, or nil.
func (inv *Inventory) kept(ref ID) *TrashEntry {
	var found *TrashEntry
	for i := range inv.Trash {
		t := &inv.Trash[i]
		if t.Ref != string(ref) || t.TrashedAt == nil || t.KeptUntil == nil || !t.IsDir || !t.Own { // some of it may be deleted
			continue
		}
		if found == nil || t.TrashedAt.After(*found.TrashedAt) || t.TrashedAt.Equal(*found.TrashedAt) && t.SandboxID != nil {
			found = t
		}
	}
	return found
}

// untouched returns an entry of the trash of that name that was not looked at,
// as something is mounted there, or nil.
func (inv *Inventory) untouched(ref ID) *TrashEntry {
	i := slices.IndexFunc(inv.Trash, func(t TrashEntry) bool { return t.Ref == string(ref) && t.TrashedAt == nil && t.Inode == 0 })
	if i < 0 {
		return nil
	}
	return &inv.Trash[i]
}

// restored reports whether s is what a restore leaves.
func restored(s Sandbox) bool {
	rec := s.Evidence.Record
	return rec != nil && rec.State == StateFailed && rec.Phase == phaseRestore
}

// A restoration is one Restore under way.
type restoration struct {
	b     *Sandboxer
	host  Host
	doing string
	obs   Observation
	s     *Sandbox    // nil: it has no record but that of one that was destroyed
	entry *TrashEntry // nil: a restore that was cut off has brought it back
}

func (r *restoration) refuse(code, why string) error {
	return &RefusedError{Doing: r.doing, Reasons: []Reason{{code, why}}}
}

// cutOff reports whether the sandbox is in the middle of a restore.
func (r *restoration) cutOff() bool {
	if r.s == nil {
		return false
	}
	rec, err := ParseRecord(r.s.Evidence.Registry)
	return err == nil && r.s.Registry == RecordOK && rec.Op != nil && rec.Op.Kind == "restore"
}

func (r *restoration) run(ctx context.Context, ref ID) (SandboxStatus, error) {
	op, err := r.b.newOp()
	if err != nil {
		return SandboxStatus{}, err
	}
	if r.obs.Snapshot.ObservedAt == nil {
		return SandboxStatus{}, fmt.Errorf("%s: the host's clock could not be read: %w", r.doing, ErrIncomplete)
	}
	what := onhost.Return{ID: string(ref)}
	line := auditLine{
		Act: "restore", User: deref(r.obs.Snapshot.Identity.User), Controller: r.b.controller(), Why: "asked for", OpID: op.ID,
	}
	if r.entry != nil {
		what.Entry, what.Device, what.Inode, what.Birth = r.entry.Entry, r.entry.Device, r.entry.Inode, r.entry.Birth
		line.Path, line.Evidence = r.entry.Path, r.entry.evidence()
	}
	if r.s != nil || r.entry.SandboxID != nil {
		line.SandboxID = ref
		if err := r.records(op, &what); err != nil {
			return SandboxStatus{}, err
		}
	}
	if what.Audit, err = line.head(); err != nil {
		return SandboxStatus{}, err
	}
	if _, err := r.b.runScript(ctx, r.host, r.doing, op.Restore(what)); err != nil {
		return SandboxStatus{}, err
	}
	if line.SandboxID == "" {
		return r.unclaimed(ref)
	}
	return r.b.Status(ctx, r.host, ref)
}

// records fills in what the sandbox's records are, and are to be.
func (r *restoration) records(op onhost.Op, what *onhost.Return) error {
	now := *r.obs.Snapshot.ObservedAt
	rec := r.obs.Destroyed
	if r.s != nil {
		what.Registry = r.s.Evidence.Registry
		was, err := ParseRecord(what.Registry)
		if err != nil {
			return fmt.Errorf("%s: %w", r.doing, err)
		}
		if r.s.Locked != nil && *r.s.Locked {
			return fmt.Errorf("%s: %w", r.doing, ErrLocked)
		}
		rec, what.Prior = was, was.Op.OpID
		if r.s.DirPresent != nil && *r.s.DirPresent { // then its metadata is what it is to be
			what.Record = r.s.Evidence.Metadata
			return nil
		}
	}
	if rec == nil {
		return r.refuse("no_record", fmt.Sprintf("there is no record of it: take what you need from %s by hand", r.entry.Path))
	}
	last := *rec
	last.State, last.Phase, last.UpdatedAt = StateFailed, phaseRestore, now
	last.Resources, last.Ports, last.Op = nil, nil, nil
	last.Hold = &Hold{Until: new(now.Add(restoredHold)), Reason: "restored", By: r.b.controller(), At: now}
	last.Device, last.Inode, last.Birth = r.entry.Device, r.entry.Inode, r.entry.Birth
	record, err := last.Encode()
	if err != nil {
		return err
	}
	last.Op = &Operation{OpID: op.ID, Kind: "restore", Deadline: now.Add(restoreLimit)}
	what.Record = record
	what.Next, err = last.Encode()
	return err
}

// unclaimed is the status of a directory that is no sandbox's.
func (r *restoration) unclaimed(ref ID) (SandboxStatus, error) {
	var status SandboxStatus
	head, err := r.b.documentHeader(r.host, KindSandboxStatus, r.obs)
	status.Header, status.SandboxID, status.State = head, ref, StateUnknown
	status.Reason = new("a directory without sandboxer's records")
	status.Ports, status.Artifacts = []Port{}, []Artifact{}
	status.Telemetry = IntrospectionReport{StaleCandidates: []StaleSandbox{}, Admission: Admit(r.obs.Snapshot)}
	status.Conditions = conditions(status)
	return status, err
}

// Measure is Inspect that also measures how much each directory holds, for a
// plan that somebody is to read. It walks all of them, for half a minute at
// most: what was not come to is null.
func (b *Sandboxer) Measure(ctx context.Context, host Host) (Observation, error) {
	if err := b.canLook(); err != nil {
		return Observation{}, err
	}
	return b.Collector.Collect(ctx, host, CollectOptions{Root: b.root(), Sizes: true, Now: b.Now})
}
