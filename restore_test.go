package sandboxer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// keeping is young, but keeps what it removes.
var keeping = sandboxer.StalePolicy{AllowYoung: true, IncludeUnclaimed: true}

// reaped makes a sandbox and a directory, and has both reaped and kept.
func (w *world) reaped() sandboxer.ID {
	w.t.Helper()
	id := w.create(shortLived())
	if err := os.MkdirAll(w.home+"/root/fake99/sub", 0o755); err != nil {
		w.t.Fatal(err)
	}
	result, err := w.box.Reap(w.t.Context(), w.host, w.plan(keeping))
	if err != nil || result.RemovedCount != 2 {
		w.t.Fatalf("got %+v, %v, want both removed", result.Items, err)
	}
	for _, row := range result.Items {
		if row.KeptUntil == nil || time.Until(*row.KeptUntil).Round(time.Hour) != sandboxer.DefaultKeepTrash {
			w.t.Errorf("%s: got it kept until %v, want for a day", row.Ref, row.KeptUntil)
		}
	}
	return id
}

func (w *world) inventory() sandboxer.Inventory {
	w.t.Helper()
	obs, err := w.box.Inspect(w.t.Context(), w.host)
	if err != nil {
		w.t.Fatal(err)
	}
	return obs.Inventory
}

func TestRestore(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.reaped()
	if trash := w.inventory().Trash; len(trash) != 2 || trash[0].Ref != string(id) || *trash[0].SandboxID != id || trash[1].SandboxID != nil {
		t.Fatalf("got %+v in the trash, want the sandbox and the directory", trash)
	}
	status, err := w.box.Restore(t.Context(), w.host, id)
	if err != nil || status.State != sandboxer.StateFailed || status.Hold == nil || *status.Reason != "failed in phase restore" {
		t.Fatalf("got %+v, %v, want it back, failed and held", status, err)
	}
	if data, err := os.ReadFile(w.home + "/root/" + string(id) + "/a/b"); err != nil || string(data) != "hello" {
		t.Errorf("got %q, %v, want its file", data, err)
	}
	if again, err := w.box.Restore(t.Context(), w.host, id); err != nil || again.SandboxID != id {
		t.Errorf("again: got %v, %v, want nothing done, successfully", again.SandboxID, err)
	}
	if status, err := w.box.Restore(t.Context(), w.host, "fake99"); err != nil || status.SandboxID != "fake99" {
		t.Errorf("got %+v, %v, want the directory back", status.SandboxID, err)
	}
	if plan := w.plan(keeping); len(plan.Candidates) != 1 || plan.Candidates[0].Ref != "fake99" {
		t.Errorf("got %+v to go, want the sandbox held", plan.Candidates)
	}
	if _, err := w.box.Release(t.Context(), w.host, id); err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Reap(t.Context(), w.host, w.plan(young)); err != nil {
		t.Fatal(err)
	}
	w.empty("after the last reap")
	log, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{SandboxID: id})
	var acts []string
	for _, e := range log.Entries {
		acts = append(acts, e.Result)
	}
	if want := "ready removed restored done removed"; err != nil || strings.Join(acts, " ") != want {
		t.Errorf("got %q, %v in the log, want %q", acts, err, want)
	}
}

func TestRestoreFindsNothing(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.reaped()
	live := w.create(dummySpec())
	var refused *sandboxer.RefusedError
	if _, err := w.box.Restore(t.Context(), w.host, "nobody"); !errors.Is(err, sandboxer.ErrNotFound) {
		t.Errorf("nobody: got %v, want ErrNotFound", err)
	}
	if _, err := w.box.Restore(t.Context(), w.host, live); !errors.As(err, &refused) || !refused.Has("there") {
		t.Errorf("a live sandbox: got %v, want it refused", err)
	}
	if err := os.Mkdir(w.home+"/root/fake99", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Restore(t.Context(), w.host, "fake99"); !errors.As(err, &refused) || !refused.Has("there") {
		t.Errorf("with another in its place: got %v, want it refused", err)
	}
	if err := os.Remove(w.home + "/.local/state/sandboxer/registry/destroyed/" + string(id) + ".json"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Restore(t.Context(), w.host, id); !errors.As(err, &refused) || !refused.Has("no_record") || !strings.Contains(err.Error(), ".trash/") {
		t.Errorf("without its record: got %v, want it refused with the path", err)
	}
	if len(w.inventory().Trash) != 2 {
		t.Errorf("got %+v in the trash, want both still", w.inventory().Trash)
	}
}

// Whichever command of a restore is the last one, the next one finishes, and
// its return is told of once.
func TestEveryStepOfARestoreMayBeTheLast(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/before=%v", n, before), func(t *testing.T) {
				w := newWorld(t, dummy{})
				id := w.reaped()
				if _, err := w.box.Restore(t.Context(), &mortal{Host: w.host, n: n, before: before}, id); err == nil {
					t.Fatal("got no error, want one")
				}
				if status, err := w.box.Restore(t.Context(), w.host, id); err != nil || status.State != sandboxer.StateFailed {
					t.Errorf("got %+v, %v, want it back", status.State, err)
				}
				log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
				if err != nil || strings.Count(string(log), `"result":"restored"`) != 1 {
					t.Errorf("got audit log %s, %v, want one return", log, err)
				}
			})
		}
	}
}

// What was being restored when its client died is neither live nor lost.
func TestRestoreCutOff(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.reaped()
	path := w.home + "/.local/state/sandboxer/registry/"
	w.cutRestore(id, path)
	if status, err := w.box.Status(t.Context(), w.host, id); err != nil || status.State != sandboxer.StateFailed {
		t.Errorf("got %+v, %v, want it failed", status.State, err)
	}
	if _, err := w.box.Restore(t.Context(), w.host, id); err != nil {
		t.Fatal(err)
	}
	inv := w.inventory()
	if s := inv.Find(id); s == nil || s.Operation != nil || s.Metadata != sandboxer.RecordOK || s.Registry != sandboxer.RecordOK || len(inv.Trash) != 1 {
		t.Errorf("got %+v and %+v in the trash, want it whole", s, inv.Trash)
	}
}

// cutRestore leaves a restore that came as far as the registry record.
func (w *world) cutRestore(id sandboxer.ID, registry string) {
	w.t.Helper()
	data, err := os.ReadFile(registry + "destroyed/" + string(id) + ".json")
	if err != nil {
		w.t.Fatal(err)
	}
	rec, err := sandboxer.ParseRecord(data)
	if err != nil {
		w.t.Fatal(err)
	}
	rec.State, rec.Phase, rec.Op = sandboxer.StateFailed, "restore", &sandboxer.Operation{OpID: "0f", Kind: "restore", Deadline: time.Now().Add(-time.Minute)}
	if data, err = rec.Encode(); err == nil {
		err = os.WriteFile(registry+string(id)+".json", data, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// What is kept is no candidate before its time, and then goes like the rest.
func TestTrashExpires(t *testing.T) {
	w := newWorld(t, dummy{})
	w.reaped()
	obs, err := w.box.Measure(t.Context(), w.host)
	if err != nil {
		t.Fatal(err)
	}
	classes := func(policy sandboxer.StalePolicy) []string {
		var all []string
		for _, s := range sandboxer.FindStale(obs, policy).StaleCandidates {
			if s.Class == sandboxer.OrphanProject { // another user of this machine's engine
				continue
			}
			all = append(all, fmt.Sprint(s.Class, s.BlockedBy))
			if s.SizeBytes == nil || *s.SizeBytes < 1 || len(s.Proof) == 0 {
				t.Errorf("got %+v, want a size and a proof", s)
			}
		}
		return all
	}
	if got := classes(keeping); len(got) > 0 {
		t.Errorf("right away: got %q, want none", got)
	}
	both := []string{"trashed[]", "trashed[]"}
	if got := classes(young); !slices.Equal(got, both) {
		t.Errorf("with nothing to be kept: got %q, want both", got)
	}
	*obs.Snapshot.ObservedAt = obs.Snapshot.ObservedAt.Add(25 * time.Hour)
	if got := classes(sandboxer.StalePolicy{}); !slices.Equal(got, both) {
		t.Errorf("a day later: got %q, want both", got)
	}
	obs.Snapshot.ObservedAt = nil
	if got := classes(keeping); len(got) > 0 {
		t.Errorf("without a clock: got %q, want none", got)
	}
	result, err := w.box.Reap(t.Context(), w.host, w.plan(young))
	if err != nil || result.RemovedCount != 2 || result.Items[0].KeptUntil != nil {
		t.Errorf("got %+v, %v, want both deleted", result.Items, err)
	}
	w.empty("in the end")
}

// An entry of the trash that no reap has made is none of sandboxer's business.
func TestTrashKeepsStrangers(t *testing.T) {
	w := newWorld(t, dummy{})
	w.reaped()
	for _, name := range []string{"README", "fake99", "a.b", "-x.0f.0", "fake99.0f.-1", "fake99.0f.x", "fake99.0f.1.2", "fake99..1"} {
		if err := os.Mkdir(w.home+"/root/.trash/"+name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.box.Reap(t.Context(), w.host, w.plan(young)); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(w.home + "/root/.trash/*"); err != nil || len(left) != 8 {
		t.Errorf("got %q, %v left, want the eight", left, err)
	}
}
