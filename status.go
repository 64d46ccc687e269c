package sandboxer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Inspect looks at host: its numbers and its inventory, in one command. What
// could not be read is unknown in the Observation; an error, mostly a
// *HostError, means that there is none. Provisioners are not needed.
func (b *Sandboxer) Inspect(ctx context.Context, host Host) (Observation, error) {
	if err := b.canLook(); err != nil {
		return Observation{}, err
	}
	return b.collect(ctx, host, "")
}

// List is Inspect for those who want no numbers: what of host is, or may be, a
// sandbox.
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
	if err := b.canLook(); err != nil {
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
	if err := obs.Inventory.recordsComplete(); err != nil {
		return obs, nil, fmt.Errorf("%s on %s: %w", ref, host.Name(), err)
	}
	return obs, nil, notOurs(obs.Inventory, host, ref)
}

// notOurs says why ref is no sandbox, with what else bears that name.
func notOurs(inv Inventory, host Host, ref ID) error {
	if ids := inv.named(ref); len(ids) > 1 {
		return &RefusedError{
			Doing:   fmt.Sprintf("%s on %s", ref, host.Name()),
			Reasons: []Reason{{"ambiguous", "several sandboxes have that name: " + strings.Join(ids, ", ")}},
			Hint:    "name the one that is meant by its id",
		}
	}
	for _, d := range inv.Directories {
		if d.Name == string(ref) {
			return &RefusedError{
				Doing:   fmt.Sprintf("%s on %s", ref, host.Name()),
				Reasons: []Reason{{"unclaimed", d.Path + " has none of sandboxer's metadata"}},
				Hint:    "sandboxer removes only what it can prove is its own; remove that directory by hand if it is yours",
			}
		}
	}
	for _, r := range inv.Leftovers {
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
	rec, ports := obs.Destroyed, []Port{}
	if s != nil {
		rec, ports = s.Evidence.Record, append(ports, s.Ports...)
		status.SandboxID, status.State, status.Reason = s.SandboxID, s.State, s.Reason
	}
	if rec != nil {
		status.describe(rec)
	}
	status.Ports = ports // what is published now, not what was recorded
	t := &status.Telemetry
	t.Inventory, t.StaleCandidates = &obs.Inventory, recommended(obs)
	t.Admission = admissionFor(rec, obs.Snapshot)
	if status.Artifacts == nil {
		status.Artifacts = []Artifact{}
	}
	status.Export = nil
	return status, nil
}

// describe copies what a record says into the status.
func (s *SandboxStatus) describe(rec *Record) {
	s.SandboxID, s.State, s.Profile, s.Engine = rec.SandboxID, rec.State, rec.Profile, &rec.Engine
	s.CreatedAt, s.ExpiresAt, s.Hold = &rec.CreatedAt, rec.ExpiresAt, rec.Hold
	if s.Ports = append([]Port{}, rec.Ports...); rec.Name != "" {
		s.Name = &rec.Name
	}
	if rec.State == StateFailed && rec.Phase != "" {
		reason := "failed in phase " + string(rec.Phase)
		s.Reason = &reason
	}
}
