package sandboxer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// A dummy is a Provisioner whose sandboxes are files: the smallest thing that
// can be started, fail, and be taken down.
type dummy struct {
	up func(ctx context.Context, host sandboxer.Host, box sandboxer.Placement) error // nil: it works
}

func (dummy) Engine() sandboxer.Engine { return sandboxer.EngineProcess }

func (d dummy) Up(ctx context.Context, host sandboxer.Host, _ sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	res, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"touch", box.Dir + "/up"}})
	if err == nil {
		err = res.Err("touch")
	}
	if err == nil && d.up != nil {
		err = d.up(ctx, host, box)
	}
	return sandboxer.Started{Resources: []sandboxer.Resource{{Kind: sandboxer.KindProcess, Ref: "1:1"}}}, err
}

func (dummy) Teardown(sandboxer.Record) sandboxer.Script { return "true" }

// A world is a host with a home and a root of its own.
type world struct {
	t    *testing.T
	box  *sandboxer.Sandboxer
	host sandboxer.Host
	home string
}

func newWorld(t *testing.T, d dummy) *world {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	return &world{
		t: t, host: localhost.Host{}, home: dir,
		box: &sandboxer.Sandboxer{Provisioners: []sandboxer.Provisioner{d}, Collector: probe.Collector{}, Root: dir + "/root"},
	}
}

func dummySpec() sandboxer.Spec {
	return sandboxer.Spec{
		Profile: "test.dummy", Process: []string{"x"},
		Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
			return fstest.MapFS{"a/b": {Data: []byte("hello"), Mode: 0o640}}, nil
		},
	}
}

// left returns everything of sandboxes that is on the host, but for the
// records of those that were destroyed.
func (w *world) left() []string {
	w.t.Helper()
	var all []string
	for _, pattern := range []string{"/root/*", "/root/.[!.]*", "/.local/state/sandboxer/registry/*.json", "/.local/state/sandboxer/locks/*"} {
		found, err := filepath.Glob(w.home + pattern)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func (w *world) empty(when string) {
	w.t.Helper()
	if left := w.left(); len(left) > 0 {
		w.t.Errorf("%s: got %q left, want nothing", when, left)
	}
}

func TestCreateAndDestroy(t *testing.T) {
	w := newWorld(t, dummy{})
	status, err := w.box.Create(t.Context(), w.host, dummySpec())
	if err != nil {
		t.Fatal(err)
	}
	if status.State != sandboxer.StateReady || status.Telemetry.ProvisionDelta == nil || status.Kind != sandboxer.KindSandboxStatus {
		t.Errorf("got %+v, want it ready, with a delta and a header", status)
	}
	data, err := os.ReadFile(w.home + "/root/" + string(status.SandboxID) + "/a/b")
	if err != nil || string(data) != "hello" {
		t.Errorf("got %q, %v, want the file uploaded", data, err)
	}
	gone, err := w.box.Destroy(t.Context(), w.host, status.SandboxID)
	if err != nil || gone.State != sandboxer.StateDestroyed || gone.Telemetry.DestroyDelta == nil || gone.Telemetry.ProvisionDelta == nil {
		t.Errorf("got %+v, %v, want it destroyed, with both deltas", gone.State, err)
	}
	w.empty("after destroy")
}

// A create that fails says in which phase, and leaves nothing.
func TestCreateFails(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name   string
		change func(*world, *sandboxer.Spec)
		phase  sandboxer.Phase
		is     error
	}{
		{"spec", func(_ *world, s *sandboxer.Spec) { s.Profile = "" }, sandboxer.PhaseValidate, nil},
		{"root", func(w *world, _ *sandboxer.Spec) { w.box.Root = "/tmp" }, sandboxer.PhaseValidate, nil},
		{"files", func(_ *world, s *sandboxer.Spec) {
			s.Files = func(context.Context, sandboxer.Platform) (fs.FS, error) { return nil, boom }
		}, sandboxer.PhasePrepare, boom},
		{"a reserved name", func(_ *world, s *sandboxer.Spec) {
			s.Files = func(context.Context, sandboxer.Platform) (fs.FS, error) {
				return fstest.MapFS{".sandboxer/meta.json": {}}, nil
			}
		}, sandboxer.PhaseReserve, nil},
		{"a file that cannot be read", func(_ *world, s *sandboxer.Spec) {
			s.Files = func(context.Context, sandboxer.Platform) (fs.FS, error) { return brokenFS{}, nil }
		}, sandboxer.PhaseReserve, fs.ErrPermission},
		{"start", func(w *world, _ *sandboxer.Spec) {
			w.box.Provisioners[0] = dummy{up: func(context.Context, sandboxer.Host, sandboxer.Placement) error { return boom }}
		}, sandboxer.PhaseStart, boom},
		{"the provisioner's own phase", func(w *world, _ *sandboxer.Spec) {
			w.box.Provisioners[0] = dummy{up: func(context.Context, sandboxer.Host, sandboxer.Placement) error {
				return &sandboxer.PhaseError{Phase: sandboxer.PhaseWait, Service: "web", Err: boom}
			}}
		}, sandboxer.PhaseWait, boom},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, spec := newWorld(t, dummy{}), dummySpec()
			tt.change(w, &spec)
			status, err := w.box.Create(t.Context(), w.host, spec)
			var failure *sandboxer.PhaseError
			if !errors.As(err, &failure) || failure.Phase != tt.phase || len(failure.Left) > 0 {
				t.Fatalf("got %v, want a PhaseError of phase %s with nothing left", err, tt.phase)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want it to be %v", err, tt.is)
			}
			if status.State != sandboxer.StateFailed || status.Reason == nil {
				t.Errorf("got state %s, want failed with a reason", status.State)
			}
			w.empty("after a failed create")
		})
	}
}

type brokenFS struct{}

func (brokenFS) Open(name string) (fs.File, error) {
	if name == "." {
		return fstest.MapFS{"x": {Data: []byte("x")}}.Open(name)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func TestCreateKeepsFailed(t *testing.T) {
	w, spec := newWorld(t, dummy{up: func(context.Context, sandboxer.Host, sandboxer.Placement) error { return errors.New("boom") }}), dummySpec()
	spec.KeepFailed = true
	status, err := w.box.Create(t.Context(), w.host, spec)
	if err == nil {
		t.Fatal("got no error")
	}
	inv, err := w.box.List(t.Context(), w.host)
	if err != nil {
		t.Fatal(err)
	}
	s := inv.Find(status.SandboxID)
	if s == nil || s.State != sandboxer.StateFailed || s.Reason == nil {
		t.Fatalf("got %+v, want it kept, as failed, with its phase", s)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); err != nil {
		t.Error(err)
	}
	w.empty("after destroy")
}

// Names are unique, and as good as ids.
func TestNames(t *testing.T) {
	w, spec := newWorld(t, dummy{}), dummySpec()
	spec.Name = "mine"
	if _, err := w.box.Create(t.Context(), w.host, spec); err != nil {
		t.Fatal(err)
	}
	var refused *sandboxer.RefusedError
	if _, err := w.box.Create(t.Context(), w.host, spec); !errors.As(err, &refused) || !refused.Has("name_taken") {
		t.Errorf("the same name again: got %v, want it refused with name_taken", err)
	}
	status, err := w.box.Destroy(t.Context(), w.host, "mine")
	if err != nil || status.Telemetry.ProvisionDelta == nil {
		t.Errorf("destroy by name: got %v, want it done, with the create's delta", err)
	}
	w.empty("after destroy")
	if _, err := w.box.Destroy(t.Context(), w.host, "nobody"); !errors.Is(err, sandboxer.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// A boot may change the number of a directory's device; nothing else does.
func TestDestroyAfterBoot(t *testing.T) {
	for _, booted := range []bool{false, true} {
		t.Run(fmt.Sprintf("booted=%v", booted), func(t *testing.T) {
			w := newWorld(t, dummy{})
			status, err := w.box.Create(t.Context(), w.host, dummySpec())
			if err != nil {
				t.Fatal(err)
			}
			w.edit(status.SandboxID, func(rec *sandboxer.Record) {
				rec.Device++
				if booted {
					rec.BootID = "00000000-0000-4000-8000-000000000000"
				}
			})
			_, err = w.box.Destroy(t.Context(), w.host, status.SandboxID)
			var refused *sandboxer.RefusedError
			if got := errors.As(err, &refused); got == booted || booted && err != nil {
				t.Errorf("got %v, want it refused: %v", err, !booted)
			}
		})
	}
}

// edit changes both of a sandbox's records.
func (w *world) edit(id sandboxer.ID, change func(*sandboxer.Record)) {
	w.t.Helper()
	for _, name := range []string{"/root/" + string(id) + "/.sandboxer/meta.json", "/.local/state/sandboxer/registry/" + string(id) + ".json"} {
		data, err := os.ReadFile(w.home + name)
		if err != nil {
			w.t.Fatal(err)
		}
		rec, err := sandboxer.ParseRecord(data)
		if err != nil {
			w.t.Fatal(err)
		}
		change(rec)
		if data, err = rec.Encode(); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(w.home+name, data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Whoever destroys a sandbox while it is created wins; the create says so.
func TestDestroyDuringCreate(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Provisioners[0] = dummy{up: func(ctx context.Context, _ sandboxer.Host, box sandboxer.Placement) error {
		_, err := w.box.Destroy(ctx, w.host, box.ID)
		return err
	}}
	status, err := w.box.Create(t.Context(), w.host, dummySpec())
	var failure *sandboxer.PhaseError
	if !errors.As(err, &failure) || failure.Phase != sandboxer.PhaseRecord || len(failure.Left) > 0 {
		t.Errorf("got %v, want a PhaseError of phase record with nothing left", err)
	}
	if status.State != sandboxer.StateFailed {
		t.Errorf("got state %s, want failed", status.State)
	}
	w.empty("afterwards")
}

// Nobody gets at a sandbox while one of a create's commands runs.
func TestDestroyIsLockedOut(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Provisioners[0] = dummy{up: func(ctx context.Context, host sandboxer.Host, box sandboxer.Placement) error {
		r, end := blockedReader()
		defer end()
		done := make(chan error, 1)
		out := newSignal()
		go func() {
			_, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"sh", "-c", "echo in; cat"}, Stdin: r, Stdout: out})
			done <- err
		}()
		<-out.seen
		_, err := w.box.Destroy(ctx, w.host, box.ID)
		end()
		if !errors.Is(err, sandboxer.ErrLocked) {
			t.Errorf("got %v, want ErrLocked", err)
		}
		return <-done
	}}
	status, err := w.box.Create(t.Context(), w.host, dummySpec())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); err != nil {
		t.Error(err)
	}
}

// A ctx that ends during a create undoes it.
func TestCreateCancelled(t *testing.T) {
	w := newWorld(t, dummy{})
	ctx, cancel := context.WithCancel(t.Context())
	w.box.Provisioners[0] = dummy{up: func(ctx context.Context, host sandboxer.Host, _ sandboxer.Placement) error {
		out := newSignal()
		go func() { <-out.seen; cancel() }()
		_, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"sh", "-c", "echo in; exec sleep 600"}, Stdout: out})
		return err
	}}
	_, err := w.box.Create(ctx, w.host, dummySpec())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	w.empty("after a cancelled create")
}

// A mortal host dies at its n-th command: before it runs, or after it ran and
// before its answer came back. From then on it cannot be reached.
type mortal struct {
	sandboxer.Host
	n      int
	before bool
	calls  int
}

func (h *mortal) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	h.calls++
	if h.calls > h.n || h.calls == h.n && h.before {
		return sandboxer.Result{}, &sandboxer.HostError{Host: h.Name(), Op: "dial", Err: errors.New("no route"), Started: false}
	}
	res, err := h.Host.Run(ctx, cmd)
	if h.calls == h.n {
		return sandboxer.Result{}, &sandboxer.HostError{Host: h.Name(), Op: "run", Err: errors.New("link lost"), Started: true}
	}
	return res, err
}

// Whichever command of a create or a destroy is the last one, what it leaves
// can be read, and one more destroy finishes.
func TestEveryStepMayBeTheLast(t *testing.T) {
	for _, verb := range []string{"create", "destroy"} {
		for n := 1; ; n++ {
			reached := false
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/before=%v", verb, n, before), func(t *testing.T) {
					w := newWorld(t, dummy{})
					host := &mortal{Host: w.host, n: n, before: before}
					var id sandboxer.ID
					if verb == "create" {
						status, err := w.box.Create(t.Context(), host, dummySpec())
						id, reached = status.SandboxID, err != nil
					} else {
						status, err := w.box.Create(t.Context(), w.host, dummySpec())
						if err != nil {
							t.Fatal(err)
						}
						id = status.SandboxID
						_, err = w.box.Destroy(t.Context(), host, id)
						reached = err != nil
					}
					w.finish(id)
				})
			}
			if !reached {
				if n < 3 {
					t.Errorf("%s ended after %d commands, want more", verb, n)
				}
				break
			}
			if n > 20 {
				t.Fatalf("%s: no end after %d commands", verb, n)
			}
		}
	}
}

// finish expects that the inventory can be read whatever is there, and that
// one destroy leaves nothing.
func (w *world) finish(id sandboxer.ID) {
	w.t.Helper()
	obs, err := w.box.Inspect(w.t.Context(), w.host)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range obs.Inventory.Sandboxes {
		if s.SandboxID != id || s.Evidence.Record == nil {
			w.t.Errorf("got %+v in the inventory, want only %q, readable", s, id)
		}
	}
	if id == "" {
		w.empty("a create that never got an id")
		return
	}
	if _, err := w.box.Destroy(w.t.Context(), w.host, id); err != nil && !errors.Is(err, sandboxer.ErrNotFound) {
		w.t.Errorf("destroy: %v (left: %s)", err, strings.Join(w.left(), " "))
	}
	w.empty("after destroy")
}

// What a guard here refuses is noted on the host too.
func TestRefusalIsAudited(t *testing.T) {
	w := newWorld(t, dummy{})
	status, err := w.box.Create(t.Context(), w.host, dummySpec())
	if err != nil {
		t.Fatal(err)
	}
	w.box.Provisioners = []sandboxer.Provisioner{otherEngine{}}
	var refused *sandboxer.RefusedError
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); !errors.As(err, &refused) || !refused.Has("engine_mismatch") {
		t.Fatalf("got %v, want it refused with engine_mismatch", err)
	}
	log, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil || !strings.Contains(string(log), `"sandbox_id":"`+string(status.SandboxID)) || !strings.Contains(string(log), `"result":"engine_mismatch"`) {
		t.Errorf("got audit log %q, %v, want the refusal in it", log, err)
	}
}

// Two engines of one name share nothing: that a user's podman holds nothing of
// a sandbox says nothing about root's.
func TestDestroyAsksTheSameEngine(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Collector = rooted("/var/lib/a")
	status, err := w.box.Create(t.Context(), w.host, dummySpec())
	if err != nil {
		t.Fatal(err)
	}
	w.box.Collector = rooted("/var/lib/b")
	var refused *sandboxer.RefusedError
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); !errors.As(err, &refused) || !refused.Has("engine_mismatch") {
		t.Fatalf("got %v, want it refused with engine_mismatch", err)
	}
	w.box.Collector = rooted("/var/lib/a")
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); err != nil {
		t.Fatal(err)
	}
	w.empty("after the destroy")
}

// rooted is a Collector on whose host every engine keeps its things there.
type rooted string

func (r rooted) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := probe.Collector{}.Collect(ctx, host, opts)
	for i := range obs.Snapshot.Engines {
		obs.Snapshot.Engines[i].RootDir = new(string(r))
	}
	return obs, err
}

type otherEngine struct{ dummy }

func (otherEngine) Engine() sandboxer.Engine { return sandboxer.EnginePodman }
