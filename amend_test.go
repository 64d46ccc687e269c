package sandboxer_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func TestExtend(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	began := time.Now()
	status, err := w.box.Extend(t.Context(), w.host, id, time.Hour)
	if err != nil || status.ExpiresAt == nil {
		t.Fatalf("got %+v, %v, want another end", status, err)
	}
	if got := status.ExpiresAt.Sub(began); got < time.Hour-time.Minute || got > time.Hour+time.Minute {
		t.Errorf("got its end in %v, want an hour", got)
	}
	if again, err := w.box.Status(t.Context(), w.host, id); err != nil || !again.ExpiresAt.Equal(*status.ExpiresAt) {
		t.Errorf("got %v, %v on the host, want %v", again.ExpiresAt, err, status.ExpiresAt)
	}
	if _, err := w.box.Extend(t.Context(), w.host, id, 0); err == nil {
		t.Error("by nothing: got no error, want one")
	}
}

// What is held is not reaped, nor destroyed, until it is released or its time
// is over.
func TestHold(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	status, err := w.box.Hold(t.Context(), w.host, id, sandboxer.Hold{Reason: "evidence"})
	if err != nil || status.Hold == nil || status.Hold.By == "" || status.Hold.At.IsZero() {
		t.Fatalf("got %+v, %v, want it held", status.Hold, err)
	}
	held := func() []string {
		plan := w.plan(young)
		at := slices.IndexFunc(plan.Kept, func(s sandboxer.StaleSandbox) bool { return s.Ref == string(id) })
		if at < 0 {
			return nil
		}
		return plan.Kept[at].BlockedBy
	}
	if got := held(); !slices.Equal(got, []string{sandboxer.BlockHeld}) {
		t.Errorf("got it kept because of %q, want held", got)
	}
	var refused *sandboxer.RefusedError
	if _, err := w.box.Destroy(t.Context(), w.host, id); !errors.As(err, &refused) || !refused.Has(sandboxer.BlockHeld) || sandboxer.Hint(err) == "" {
		t.Errorf("destroy: got %v, want it refused with a hint", err)
	}
	w.edit(id, func(rec *sandboxer.Record) { rec.Hold.Until = new(time.Now().Add(-time.Minute)) })
	if got := held(); got != nil {
		t.Errorf("once its time is over: got it kept because of %q, want it to go", got)
	}
	if status, err := w.box.Release(t.Context(), w.host, id); err != nil || status.Hold != nil {
		t.Errorf("release: got %+v, %v, want no hold", status.Hold, err)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, id); err != nil {
		t.Error(err)
	}
	if _, err := w.box.Hold(t.Context(), w.host, id, sandboxer.Hold{}); !errors.Is(err, sandboxer.ErrNotFound) {
		t.Errorf("once destroyed: got %v, want ErrNotFound", err)
	}
	for _, reason := range []string{"a\nb", "\x1b[2J", strings.Repeat("x", sandboxer.MaxHoldReason+1), "\xff"} {
		if _, err := w.box.Hold(t.Context(), w.host, id, sandboxer.Hold{Reason: reason}); err == nil || errors.Is(err, sandboxer.ErrNotFound) {
			t.Errorf("reason %q: got %v, want it refused before the host is asked", reason, err)
		}
	}
}

// Use is what somebody says; looking at a sandbox is none.
func TestTouch(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(dummySpec())
	old := time.Now().Add(-99 * time.Hour)
	w.edit(id, func(rec *sandboxer.Record) { rec.CreatedAt, rec.UpdatedAt = old, old })
	age := func() time.Duration {
		obs, err := w.box.Inspect(t.Context(), w.host)
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(*obs.Inventory.Find(id).LastActiveAt).Round(time.Hour)
	}
	if _, err := w.box.Status(t.Context(), w.host, id); err != nil || age() != 99*time.Hour {
		t.Errorf("after a look: got age %v, %v, want 99h", age(), err)
	}
	if _, err := w.box.Touch(t.Context(), w.host, id); err != nil || age() != 0 {
		t.Errorf("after a touch: got age %v, %v, want none", age(), err)
	}
}

// What cannot be trusted, is being worked on, or is half destroyed stays as it
// is.
func TestAmendRefuses(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		edit func(*sandboxer.Record)
		want string // in the error
	}{
		"another machine's": {func(r *sandboxer.Record) { r.MachineID = "another" }, "another machine's"},
		"a create under way": {func(r *sandboxer.Record) {
			r.Op = &sandboxer.Operation{OpID: "x", Kind: "create", Deadline: soon}
		}, sandboxer.ErrLocked.Error()},
		"half destroyed":    {func(r *sandboxer.Record) { r.State = sandboxer.StateDestroying }, "stopped half-way"},
		"another directory": {func(r *sandboxer.Record) { r.Inode++ }, "metadata cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, dummy{})
			id := w.create(dummySpec())
			w.edit(id, c.edit)
			before := w.everything()
			if _, err := w.box.Touch(t.Context(), w.host, id); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if after := w.everything(); after != before {
				t.Errorf("got\n%swant\n%s", after, before)
			}
		})
	}
}

// A record that was lost is written anew from the other one.
func TestTouchMendsARecord(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(dummySpec())
	meta := w.home + "/root/" + string(id) + "/.sandboxer/meta.json"
	if err := os.RemoveAll(w.home + "/root/" + string(id) + "/.sandboxer"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Touch(t.Context(), w.host, id); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(meta)
	want, err2 := os.ReadFile(w.home + "/.local/state/sandboxer/registry/" + string(id) + ".json")
	if err := errors.Join(err, err2); err != nil || string(got) != string(want) {
		t.Errorf("got metadata %s, %v, want %s", got, err, want)
	}
}

// A hold outlives a boot that wipes the root, and so must the way out of it.
func TestReleaseWithoutRoot(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(dummySpec())
	if _, err := w.box.Hold(t.Context(), w.host, id, sandboxer.Hold{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(w.home + "/root"); err != nil {
		t.Fatal(err)
	}
	if status, err := w.box.Release(t.Context(), w.host, id); err != nil || status.Hold != nil {
		t.Errorf("got %+v, %v, want no hold", status.Hold, err)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, id); err != nil {
		t.Error(err)
	}
	w.empty("after the destroy")
}
