package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// Extend lets a sandbox, by id or exact name, live for ttl from now on, on the
// host's clock, whether it had a TTL before or not. Like Touch it counts as
// use.
//
// Extend, Touch, Hold and Release change a sandbox's two records and nothing
// else, under its lock, and note it in the audit log; a record that is missing
// is written anew from the other. The status is as Status gives it. The error
// is ErrNotFound, also for a sandbox that was destroyed, ErrLocked while an
// operation is at it, ErrIncomplete where a source that decides did not
// answer, or a *RefusedError where the records prove nothing.
func (b *Sandboxer) Extend(ctx context.Context, host Host, ref ID, ttl time.Duration) (SandboxStatus, error) {
	if ttl <= 0 {
		return SandboxStatus{}, fmt.Errorf("extend %s by %v: want more than 0", ref, ttl)
	}
	return b.amend(ctx, host, ref, amendment{"extend", "expires " + ttl.String() + " from then", func(rec *Record, now time.Time) {
		rec.ExpiresAt, rec.UpdatedAt = new(now.Add(ttl)), now
	}})
}

// Touch notes that a sandbox is in use: its age is counted from now. To read
// about one never counts as use. See Extend.
func (b *Sandboxer) Touch(ctx context.Context, host Host, ref ID) (SandboxStatus, error) {
	return b.amend(ctx, host, ref, amendment{"touch", "in use", func(rec *Record, now time.Time) { rec.UpdatedAt = now }})
}

// Hold keeps a sandbox from being reaped, and from being destroyed, until
// hold.Until, or for good where that is nil; By and At are set here. Another
// hold takes the place of the one before. See Extend.
func (b *Sandboxer) Hold(ctx context.Context, host Host, ref ID, hold Hold) (SandboxStatus, error) {
	if err := hold.check(); err != nil {
		return SandboxStatus{}, fmt.Errorf("hold %s: %w", ref, err)
	}
	hold.By = b.controller()
	return b.amend(ctx, host, ref, amendment{"hold", hold.words(), func(rec *Record, now time.Time) {
		held := hold
		held.At = now
		rec.Hold = &held
	}})
}

// Release ends a hold, if there is one. See Extend.
func (b *Sandboxer) Release(ctx context.Context, host Host, ref ID) (SandboxStatus, error) {
	return b.amend(ctx, host, ref, amendment{"release", "asked for", func(rec *Record, _ time.Time) { rec.Hold = nil }})
}

// check refuses what a record cannot hold or a terminal cannot show.
func (h Hold) check() error {
	switch {
	case len(h.Reason) > MaxHoldReason:
		return fmt.Errorf("its reason has %d bytes, want at most %d", len(h.Reason), MaxHoldReason)
	case !utf8.ValidString(h.Reason), strings.ContainsFunc(h.Reason, unicode.IsControl):
		return errors.New("its reason is no line of text")
	}
	return nil
}

// An amendment is a change of a sandbox's records.
type amendment struct {
	act, why string // for the audit log
	change   func(rec *Record, now time.Time)
}

func (b *Sandboxer) amend(ctx context.Context, host Host, ref ID, what amendment) (SandboxStatus, error) {
	obs, s, err := b.find(ctx, host, ref)
	if err != nil {
		return SandboxStatus{}, err
	}
	doing := fmt.Sprintf("%s %s on %s", what.act, ref, host.Name())
	rec, err := amendable(doing, obs, s)
	if err != nil {
		return SandboxStatus{}, err
	}
	op, err := b.newOp()
	if err != nil {
		return SandboxStatus{}, err
	}
	what.change(&rec, *obs.Snapshot.ObservedAt)
	if err := b.renew(ctx, host, op, doing, *s, rec, what); err != nil {
		return SandboxStatus{}, err
	}
	s.Evidence.Record = &rec
	s.Hold, s.ExpiresAt = rec.Hold, rec.ExpiresAt
	s.LastActiveAt = latest(s.LastActiveAt, &rec.UpdatedAt)
	status, err := b.statusOf(host, obs, s)
	status.Conditions = conditions(status)
	return status, err
}

// amendable returns a copy of the record of s, or why it may not be changed.
func amendable(doing string, obs Observation, s *Sandbox) (Record, error) {
	if s == nil {
		return Record{}, fmt.Errorf("%s: it was destroyed: %w", doing, ErrNotFound)
	}
	class, detail := untrusted(s)
	switch {
	case class == Undecided:
		return Record{}, fmt.Errorf("%s: %s: %w", doing, detail, ErrIncomplete)
	case class == "" && s.Metadata == RecordCorrupt:
		class, detail = Corrupt, "its metadata cannot be read"
		fallthrough
	case class != "":
		return Record{}, &RefusedError{Doing: doing, Reasons: []Reason{{string(class), detail}}}
	case obs.Snapshot.ObservedAt == nil:
		return Record{}, fmt.Errorf("%s: the host's clock could not be read: %w", doing, ErrIncomplete)
	}
	rec := *s.Evidence.Record
	dir := s.Evidence.Dir
	switch {
	case s.Locked != nil && *s.Locked,
		rec.Op != nil && obs.Snapshot.ObservedAt.Before(rec.Op.Deadline):
		return Record{}, fmt.Errorf("%s: %w", doing, ErrLocked)
	case rec.State == StateDestroying:
		return Record{}, &RefusedError{
			Doing: doing, Reasons: []Reason{{string(StateDestroying), "a destroy of it stopped half-way"}},
			Hint: "finish that: sandboxer destroy " + string(s.SandboxID),
		}
	case dir.Present && !dir.IsDir, rec.isAnother(dir, obs.Snapshot):
		return Record{}, &RefusedError{Doing: doing, Reasons: []Reason{{BlockDirChanged, s.Dir + " is not the directory that was made for it"}}}
	}
	return rec, nil
}

// renew writes rec in the place of the records of s.
func (b *Sandboxer) renew(ctx context.Context, host Host, op onhost.Op, doing string, s Sandbox, rec Record, what amendment) error {
	record, err := rec.Encode()
	if err != nil {
		return err
	}
	head, err := auditLine{
		Act: what.act, OpID: op.ID, SandboxID: s.SandboxID, Profile: rec.Profile, Engine: rec.Engine, User: rec.Owner.User,
		Controller: b.controller(), Why: what.why, Evidence: digestOf(s.Evidence.Metadata, s.Evidence.Registry),
	}.head()
	if err != nil {
		return err
	}
	_, err = b.runScript(ctx, host, doing, op.Store(onhost.Renewal{
		ID: string(s.SandboxID), Metadata: s.Evidence.Metadata, Registry: s.Evidence.Registry, Record: record, Audit: head, Result: "done",
	}))
	return err
}

func latest(a, b *time.Time) *time.Time {
	if a == nil || b.After(*a) {
		return b
	}
	return a
}
