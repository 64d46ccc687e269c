package sandboxer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// young lets a test reap what it has just made.
var young = sandboxer.StalePolicy{AllowYoung: true, IncludeUnclaimed: true, KeepTrash: -1}

// shortLived is a spec whose sandbox is expired as soon as it is looked at.
func shortLived() sandboxer.Spec {
	s := dummySpec()
	s.TTL = time.Nanosecond
	return s
}

func (w *world) create(s sandboxer.Spec) sandboxer.ID {
	w.t.Helper()
	status, err := w.box.Create(w.t.Context(), w.host, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return status.SandboxID
}

func (w *world) plan(policy sandboxer.StalePolicy) sandboxer.ReapPlan {
	w.t.Helper()
	obs, err := w.box.Inspect(w.t.Context(), w.host)
	if err != nil {
		w.t.Fatal(err)
	}
	return sandboxer.PlanReap(obs, sandboxer.FindStale(obs, policy))
}

// row returns "RESULT CODE" of one item.
func row(result sandboxer.ReapResult, ref string) string {
	for _, i := range result.Items {
		if i.Ref == ref {
			code := ""
			if i.Code != nil {
				code = *i.Code
			}
			return strings.TrimSpace(string(i.Result) + " " + code)
		}
	}
	return "no row"
}

func TestReap(t *testing.T) {
	w := newWorld(t, dummy{})
	spec := dummySpec()
	spec.Name = "fake99" // which stands for no directory of that name
	dead, live := w.create(shortLived()), w.create(spec)
	for _, name := range []string{"fake99", "-odd"} {
		if err := os.MkdirAll(w.home+"/root/"+name+"/sub", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// What a dummy starts is no process that the probe could find.
	plan := w.plan(young).Without(live)
	refs := []string{}
	for _, c := range plan.Candidates {
		refs = append(refs, c.Ref+" "+string(c.Class))
	}
	want := []string{string(dead) + " expired", "fake99 unclaimed"}
	if slices.Sort(want); !slices.Equal(refs, want) {
		t.Fatalf("got candidates %q, want %q", refs, want)
	}
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if err != nil || result.RemovedCount != 2 || result.DestroyDelta == nil {
		t.Fatalf("got %+v, %v, want both removed", result, err)
	}
	entries, err := filepath.Glob(w.home + "/root/*")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{w.home + "/root/-odd", w.home + "/root/" + string(live)}; !slices.Equal(entries, want) {
		t.Errorf("got %q left, want %q", entries, want)
	}
	log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil || strings.Count(string(log), `"act":"reap"`) != 2 || strings.Count(string(log), `"result":"removed"`) != 2 {
		t.Errorf("got audit log %s, %v, want two removals", log, err)
	}
	again, err := w.box.Reap(t.Context(), w.host, plan)
	if err != nil || row(again, string(dead)) != "skipped gone" || row(again, "fake99") != "skipped gone" {
		t.Errorf("again: got %+v, %v, want both gone", again.Items, err)
	}
}

// Metadata that cannot be read condemns nothing; a destroy by id is enough.
func TestReapKeepsCorrupt(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	if err := os.WriteFile(w.home+"/root/"+string(id)+"/.sandboxer/meta.json", []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := w.plan(young)
	at := slices.IndexFunc(plan.Kept, func(s sandboxer.StaleSandbox) bool { return s.Ref == string(id) })
	if len(plan.Candidates) != 0 || at < 0 || plan.Kept[at].Class != sandboxer.Corrupt {
		t.Fatalf("got %+v to go and %+v to stay, want it kept as corrupt", plan.Candidates, plan.Kept)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, id); err != nil {
		t.Error(err)
	}
	w.empty("after the destroy")
}

// A latecomer collector sees, once a sandbox is gone, something that was
// started with its labels meanwhile, and what bore them before.
type latecomer struct {
	sandboxer.Collector
	id   sandboxer.ID
	late bool
}

func (c *latecomer) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := c.Collector.Collect(ctx, host, opts)
	refs := []string{"copy"}
	if obs.Inventory.Find(c.id) == nil && c.late {
		refs = append(refs, "late")
	}
	for _, ref := range refs {
		obs.Inventory.Leftovers = append(obs.Inventory.Leftovers,
			sandboxer.Resource{Engine: "docker", Kind: sandboxer.KindContainer, Ref: ref, SandboxID: &c.id})
	}
	return obs, err
}

// What comes while a sandbox goes is no removal of all of it.
func TestReapSeesWhatComesLate(t *testing.T) {
	for late, want := range map[bool]string{true: "failed still_there", false: "removed"} {
		w := newWorld(t, dummy{})
		id := w.create(shortLived())
		plan := w.plan(young)
		w.box.Collector = &latecomer{w.box.Collector, id, late}
		result, err := w.box.Reap(t.Context(), w.host, plan)
		if got := row(result, string(id)); got != want || (err != nil) != late {
			t.Errorf("late %v: got %s, %v, want %s", late, got, err, want)
		}
		if late && !slices.Equal(result.Items[0].Remains, []string{"container late its labels name it"}) {
			t.Errorf("got %q, want the latecomer", result.Items[0].Remains)
		}
	}
}

// A closed collector sees a docker that is forbidden to the user, and one more
// sandbox.
type closed struct {
	sandboxer.Collector
	extra sandboxer.Sandbox
}

func (c closed) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := c.Collector.Collect(ctx, host, opts)
	for i := range obs.Snapshot.Engines {
		if e := &obs.Snapshot.Engines[i]; e.Name == sandboxer.EngineDocker {
			e.Status = sandboxer.EngineForbidden
		}
	}
	for i := range obs.Inventory.Sources {
		if s := &obs.Inventory.Sources[i]; s.Name == "docker" {
			s.Status = "forbidden"
		}
	}
	obs.Inventory.Sandboxes = append(obs.Inventory.Sandboxes, c.extra)
	return obs, err
}

// What another user writes into the root changes nobody's exit code; a record
// of the user's own does.
func TestReapWithAClosedEngine(t *testing.T) {
	docker, there := sandboxer.EngineDocker, true
	own := sandboxer.Sandbox{
		SandboxID: "mine-000000", Engine: &docker, DirPresent: &there, Metadata: sandboxer.RecordOK, Registry: sandboxer.RecordOK,
		Evidence: sandboxer.Evidence{Record: &sandboxer.Record{Engine: docker}},
	}
	spoof := sandboxer.Sandbox{SandboxID: "spoof-000000", Metadata: sandboxer.RecordCorrupt, Registry: sandboxer.RecordMissing}
	for _, c := range []struct {
		extra sandboxer.Sandbox
		want  error
	}{{spoof, nil}, {own, sandboxer.ErrIncomplete}} {
		w := newWorld(t, dummy{})
		w.create(shortLived())
		plan := w.plan(young)
		w.box.Collector = closed{w.box.Collector, c.extra}
		if result, err := w.box.Reap(t.Context(), w.host, plan); result.RemovedCount != 1 || !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("beside %s: got %+v, %v, want %v", c.extra.SandboxID, result.Items, err, c.want)
		}
	}
}

// The guards count what is here and the user's own.
func TestReapPlanCountsItsOwn(t *testing.T) {
	obs := live(time.Hour)
	away, theirs := obs.Inventory.Sandboxes[0], obs.Inventory.Sandboxes[0]
	away.Metadata, away.Registry = sandboxer.RecordMissing, sandboxer.RecordForeign
	away.Evidence.Record = &sandboxer.Record{Root: "/elsewhere"}
	theirs.Metadata = sandboxer.RecordForeign
	obs.Inventory.Sandboxes = append(obs.Inventory.Sandboxes, away, theirs)
	if plan := sandboxer.PlanReap(obs, sandboxer.FindStale(obs, sandboxer.StalePolicy{})); plan.SandboxesCount != 1 {
		t.Errorf("got %d sandboxes, want 1", plan.SandboxesCount)
	}
}

// Only what is as the plan saw it goes.
func TestReapSkipsWhatHasChanged(t *testing.T) {
	w := newWorld(t, dummy{})
	changed, swapped := w.create(shortLived()), "fake99"
	if err := os.Mkdir(w.home+"/root/"+swapped, 0o755); err != nil {
		t.Fatal(err)
	}
	plan := w.plan(young)
	w.edit(changed, func(rec *sandboxer.Record) { rec.UpdatedAt = rec.UpdatedAt.Add(time.Millisecond) })
	if err := errors.Join(os.Remove(w.home+"/root/"+swapped), os.Symlink(t.TempDir(), w.home+"/root/"+swapped)); err != nil {
		t.Fatal(err)
	}
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if !errors.Is(err, sandboxer.ErrRemains) {
		t.Errorf("got %v, want ErrRemains", err)
	}
	for ref, want := range map[string]string{string(changed): "skipped evidence_changed", swapped: "skipped not_a_directory"} {
		if got := row(result, ref); got != want {
			t.Errorf("%s: got %s, want %s", ref, got, want)
		}
	}
	if _, err := os.Stat(w.home + "/root/" + string(changed)); err != nil {
		t.Error(err)
	}
}

func TestReapPlanGuards(t *testing.T) {
	plan := func(n int, all, limit int64, profile string) sandboxer.ReapPlan {
		p := sandboxer.ReapPlan{SandboxesCount: all, Max: limit}
		for i := range n {
			p.Candidates = append(p.Candidates, sandboxer.ReapCandidate{Ref: fmt.Sprint(i), Profile: &profile})
		}
		return p
	}
	for _, c := range []struct {
		plan sandboxer.ReapPlan
		ok   bool
	}{
		{plan(5, 5, 0, "web"), true}, {plan(6, 12, 0, "web"), true}, {plan(6, 11, 0, "web"), false},
		{plan(20, 40, 0, "web"), true}, {plan(21, 100, 0, "web"), false}, {plan(21, 100, 21, "web"), true},
		{plan(21, 100, 20, "web"), false}, {plan(300, 0, 0, "profile.sandbox-canary"), true},
	} {
		err := c.plan.Guard()
		var refused *sandboxer.RefusedError
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &refused) || !refused.Has("too_many")) {
			t.Errorf("%d of %d with max %d: got %v, want allowed %v", len(c.plan.Candidates), c.plan.SandboxesCount, c.plan.Max, err, c.ok)
		}
	}
	w := newWorld(t, dummy{})
	if _, err := w.box.Reap(t.Context(), w.host, plan(21, 100, 0, "web")); sandboxer.Hint(err) != "read the list; if it is right: --max 21" {
		t.Errorf("got %v, want it refused before anything is asked of the host", err)
	}
}

func TestReapPlanWithout(t *testing.T) {
	w := newWorld(t, dummy{})
	named := shortLived()
	named.Name = "nightly"
	a, b := w.create(named), w.create(shortLived())
	plan := w.plan(young)
	plan.Kept = nil // what others have on this machine
	less := plan.Without("nightly", "nobody")
	if len(less.Candidates) != 1 || less.Candidates[0].Ref != string(b) || len(plan.Candidates) != 2 || plan.Kept != nil {
		t.Errorf("got %+v and %+v, want only %s to go and the plan untouched", less, plan, b)
	}
	if len(less.Kept) != 1 || less.Kept[0].Ref != string(a) || !slices.Equal(less.Kept[0].BlockedBy, []string{sandboxer.BlockExcepted}) {
		t.Errorf("got %+v kept, want %s", less.Kept, a)
	}
}

// Whoever comes second says so and does nothing.
func TestReapIsAlone(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	plan := w.plan(young)
	holding, err := filepath.Abs(w.home)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	held, done := newSignal(), make(chan struct{})
	go func() {
		defer close(done)
		_, _ = w.host.Run(ctx, sandboxer.Cmd{
			Args:   []string{"flock", holding + "/.local/state/sandboxer/reap.lock", "sh", "-c", "echo held; sleep 600"},
			Stdout: held,
		})
	}()
	<-held.seen
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if !errors.Is(err, sandboxer.ErrLocked) || row(result, string(id)) != "skipped locked" {
		t.Errorf("got %+v, %v, want ErrLocked and nothing tried", result.Items, err)
	}
	stop()
	<-done
	if result, err := w.box.Reap(t.Context(), w.host, plan); err != nil {
		t.Errorf("got %+v, %v, want it removed", result.Items, err)
	}
	w.empty("after the second reap")
}

// A clock in doubt condemns nothing, whatever the plan says.
func TestReapDoubtsTheClock(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	plan := w.plan(young)
	w.box.Now = func() time.Time { return time.Now().Add(time.Hour) }
	var refused *sandboxer.RefusedError
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if !errors.As(err, &refused) || !refused.Has("clock_in_doubt") || len(result.Items) != 0 {
		t.Errorf("got %+v, %v, want all of it refused", result.Items, err)
	}
	w.box.Now = nil
	future := time.Now().Add(48 * time.Hour)
	w.edit(id, func(rec *sandboxer.Record) { rec.CreatedAt = future })
	if result, err := w.box.Reap(t.Context(), w.host, plan); !errors.As(err, &refused) || !refused.Has("clock_in_doubt") {
		t.Errorf("created in the future: got %s, %v, want all of it refused", row(result, string(id)), err)
	}
	log, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{Limit: -1})
	refusals := slices.DeleteFunc(log.Entries, func(e sandboxer.AuditEntry) bool { return e.Act != "reap" || e.Result != "clock_in_doubt" })
	if err != nil || len(refusals) != 2 || refusals[0].Why != "a plan with 1 candidate" {
		t.Errorf("got %+v, %v in the audit log, want both refusals", refusals, err)
	}
}

// A dry run leaves everything as it was, to the byte and the time.
func TestPlanningWritesNothing(t *testing.T) {
	w := newWorld(t, dummy{})
	w.create(shortLived())
	before := w.everything()
	w.plan(young)
	if after := w.everything(); after != before {
		t.Errorf("got\n%swant\n%s", after, before)
	}
}

func (w *world) everything() string {
	w.t.Helper()
	res, err := w.host.Run(w.t.Context(), sandboxer.Cmd{Args: []string{
		"find", w.home, "-printf", "%p %m %s %i %n %T@ %C@\n", "-type", "f", "-exec", "cksum", "{}", "+",
	}})
	if err != nil || res.ExitCode != 0 {
		w.t.Fatalf("find: %v, %s", err, res.Stderr)
	}
	return string(res.Stdout)
}

// More than fits one command.
func TestReapManyDirectories(t *testing.T) {
	w := newWorld(t, dummy{})
	const n = 230
	for i := range n {
		if err := os.MkdirAll(fmt.Sprintf("%s/root/stray-%04d", w.home, i), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	plan := w.plan(young)
	plan.Max = n
	counting := &countingHost{Host: w.host}
	result, err := w.box.Reap(t.Context(), counting, plan)
	if err != nil || result.RemovedCount != n || counting.runs != 5 {
		t.Errorf("got %d removed in %d commands, %v, want %d in 5: look, three batches, look", result.RemovedCount, counting.runs, err, n)
	}
}

// A thousand sandboxes cost two looks and one command for each hundred.
func TestReapManySandboxes(t *testing.T) {
	w := newWorld(t, dummy{})
	first := w.create(shortLived())
	data, err := os.ReadFile(w.home + "/root/" + string(first) + "/.sandboxer/meta.json")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := sandboxer.ParseRecord(data)
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for i := range n - 1 {
		w.like(*rec, sandboxer.ID(fmt.Sprintf("dummy-%06d", i)))
	}
	plan := w.plan(young)
	plan.Max = n
	counting := &countingHost{Host: w.host}
	result, err := w.box.Reap(t.Context(), counting, plan)
	if err != nil || result.RemovedCount != n || counting.runs > 4+n/100 {
		t.Errorf("got %d removed in %d commands, %v, want %d in at most %d", result.RemovedCount, counting.runs, err, n, 4+n/100)
	}
	w.empty("after the reap")
}

// like puts a sandbox where its host would have it, with a record like that one.
func (w *world) like(rec sandboxer.Record, id sandboxer.ID) {
	w.t.Helper()
	dir := w.home + "/root/" + string(id)
	if err := os.MkdirAll(dir+"/.sandboxer", 0o700); err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	rec.SandboxID, rec.Inode, rec.Birth = id, int64(info.Sys().(*syscall.Stat_t).Ino), 0
	data, err := rec.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range []string{dir + "/.sandboxer/meta.json", w.home + "/.local/state/sandboxer/registry/" + string(id) + ".json"} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

type countingHost struct {
	sandboxer.Host
	runs int
}

func (h *countingHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	h.runs++
	return h.Host.Run(ctx, cmd)
}

// Whichever command of a reap is the last one, the next reap finishes, and no
// removal is told of twice.
func TestEveryStepOfAReapMayBeTheLast(t *testing.T) {
	for n := 1; n <= 3; n++ {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/before=%v", n, before), func(t *testing.T) {
				w := newWorld(t, dummy{})
				id := w.create(shortLived())
				if err := os.Mkdir(w.home+"/root/fake99", 0o755); err != nil {
					t.Fatal(err)
				}
				plan := w.plan(young)
				result, err := w.box.Reap(t.Context(), &mortal{Host: w.host, n: n, before: before}, plan)
				if err == nil {
					t.Fatalf("got %+v and no error, want one", result.Items)
				}
				if n == 2 && !before && row(result, string(id)) != "removed" {
					t.Errorf("got %s, want what the host said before the link was lost", row(result, string(id)))
				}
				if n == 2 && before && row(result, string(id)) != "skipped not_tried" {
					t.Errorf("got %s, want it not tried", row(result, string(id)))
				}
				if _, err := w.box.Reap(t.Context(), w.host, w.plan(young)); err != nil {
					t.Error(err)
				}
				w.empty("after the next reap")
				log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
				if err != nil || strings.Count(string(log), `"result":"removed"`) != 2 {
					t.Errorf("got audit log %s, %v, want each removal once", log, err)
				}
			})
		}
	}
}

// A link that is lost between two items leaves one known and one not.
func TestReapHalfHeard(t *testing.T) {
	w := newWorld(t, dummy{})
	w.create(shortLived())
	w.create(shortLived())
	plan := w.plan(young)
	host := &hardOfHearing{mortal: mortal{Host: w.host, n: 2}}
	result, err := w.box.Reap(t.Context(), host, plan)
	var lost *sandboxer.HostError
	if !errors.As(err, &lost) || result.RemovedCount != 1 || result.UnknownCount != 1 || row(result, plan.Candidates[1].Ref) != "unknown no_answer" {
		t.Errorf("got %+v, %v, want the second unknown", result.Items, err)
	}
	if result, err := w.box.Reap(t.Context(), w.host, w.plan(young)); err != nil || len(result.Items) != 0 {
		t.Errorf("again: got %+v, %v, want nothing left to do", result.Items, err)
	}
	w.empty("after both")
}

// A hardOfHearing host passes on what it says up to the end of the first item.
type hardOfHearing struct{ mortal }

func (h *hardOfHearing) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if out := cmd.Stdout; out != nil {
		var said strings.Builder
		cmd.Stdout = &said
		defer func() {
			first, _, _ := strings.Cut(said.String(), " destroyed ok")
			_, _ = io.WriteString(out, first+" destroyed ok\n")
		}()
	}
	return h.mortal.Run(ctx, cmd)
}

// Of reapers side by side exactly one removes each thing.
func TestReapersSideBySide(t *testing.T) {
	w := newWorld(t, dummy{})
	for range 3 {
		w.create(shortLived())
	}
	plan := w.plan(young)
	results := make([]sandboxer.ReapResult, 4)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i], _ = w.box.Reap(t.Context(), w.host, plan) })
	}
	all.Wait()
	var removed int64
	for _, r := range results {
		removed += r.RemovedCount
		if r.FailedCount > 0 {
			t.Errorf("got %+v, want nothing failed", r.Items)
		}
	}
	log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
	if got := strings.Count(string(log), `"result":"removed"`); err != nil || removed != 3 || got != 3 {
		t.Errorf("got %d removed and %d lines, %v, want 3 of each", removed, got, err)
	}
	w.empty("after them all")
}

// A name that two sandboxes have, as two creates at once can give, is no name.
func TestAmbiguousName(t *testing.T) {
	w := newWorld(t, dummy{})
	a, b := w.create(dummySpec()), w.create(dummySpec())
	for _, id := range []sandboxer.ID{a, b} {
		w.edit(id, func(rec *sandboxer.Record) { rec.Name = "twin" })
	}
	var refused *sandboxer.RefusedError
	_, err := w.box.Destroy(t.Context(), w.host, "twin")
	if !errors.As(err, &refused) || !refused.Has("ambiguous") || !strings.Contains(err.Error(), string(a)) || !strings.Contains(err.Error(), string(b)) {
		t.Errorf("got %v, want it refused as ambiguous, with both ids", err)
	}
}

// What an engine does not answer for stays, and the rest goes.
func TestReapAsksTheSameEngine(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	plan := w.plan(young)
	w.box.Provisioners = []sandboxer.Provisioner{otherEngine{}}
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if !errors.Is(err, sandboxer.ErrRemains) || row(result, string(id)) != "skipped engine_mismatch" {
		t.Errorf("got %+v, %v, want it skipped", result.Items, err)
	}
	log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil || !strings.Contains(string(log), `"act":"reap","sandbox_id":"`+string(id)) || !strings.Contains(string(log), `"result":"engine_mismatch"`) {
		t.Errorf("got audit log %s, %v, want the refusal in it", log, err)
	}
}
