package faults

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/test/faults/steps"
)

// A target is what an operation is about.
type target struct {
	IDs  []sandboxer.ID
	Dirs []string // names of directories that nobody accounts for
}

// An act does something about a target.
type act func(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error

// An operation is what dies.
type operation struct {
	name    string
	undoes  bool // a client that sees it fail cleans up
	resumes bool // what was done in preparation counts, too

	prepare func(w *world) target
	run     act
	again   act                         // one more run; nil: run
	then    func(w *world, what target) // what must hold after that; nil: nothing is left
	lines   string                      // results that the log must have of each thing; empty: removed
	clean   act                         // takes away what is to be left; nil: nothing is
}

func operations() []operation {
	return []operation{
		{
			name: "create", undoes: true,
			prepare: func(*world) target { return target{} },
			run:     create, again: destroy,
		},
		{name: "destroy", prepare: func(w *world) target { return target{IDs: []sandboxer.ID{w.create(living, 0)}} }, run: destroy},
		{name: "destroy again", resumes: true, prepare: (*world).halfDestroyed, run: destroy},
		{name: "reap", prepare: func(w *world) target {
			return target{IDs: []sandboxer.ID{w.create(living, time.Nanosecond)}, Dirs: []string{w.stray("stray-" + strings.ToLower(rand.Text()[:12]))}}
		}, run: reap},
		{name: "reap and keep", prepare: (*world).stale, run: reapAndKeep, then: (*world).inTrash, clean: reap, lines: "removed purged"},
		{name: "purge", prepare: (*world).kept, run: reap, lines: "purged"},
		{name: "restore", prepare: (*world).kept, run: restore, then: (*world).restored, clean: release, lines: "restored removed"},
		{
			name:    "hold",
			prepare: func(w *world) target { return target{IDs: []sandboxer.ID{w.create(brief, 0)}} },
			run:     hold, then: (*world).held, clean: release,
		},
		{name: "refused destroy", prepare: (*world).heldSandbox, run: refusedDestroy, then: (*world).held, clean: release},
	}
}

// stale makes what the next reap removes: two sandboxes, of which one runs, and
// a directory.
func (w *world) stale() target {
	w.t.Helper()
	return target{
		IDs:  []sandboxer.ID{w.create(living, time.Nanosecond), w.create(brief, 0)},
		Dirs: []string{w.stray("stray-" + strings.ToLower(rand.Text()[:12]))},
	}
}

// halfDestroyed makes a sandbox whose destroy has died once already, between
// its line in the log and the end.
func (w *world) halfDestroyed() target {
	w.t.Helper()
	what := target{IDs: []sandboxer.ID{w.create(brief, 0)}}
	last := steps.Step{Run: 2, Script: "destroy", What: "write " + strings.TrimPrefix(auditLog, "/"), Nth: 1}
	w.expect(steps.Plan{Step: last, After: true, How: steps.Shell})
	host, end := w.reach()
	defer end()
	_ = destroy(w.t.Context(), w.box(), w.watched(host), what)
	if fired, err := w.run().Fired(); !fired || err != nil {
		w.t.Fatalf("it never came to %s (%v)", last, err)
	}
	return what
}

// kept makes what an earlier reap has removed and kept.
func (w *world) kept() target {
	w.t.Helper()
	what := target{IDs: []sandboxer.ID{w.create(brief, 0)}, Dirs: []string{w.stray("stray-" + strings.ToLower(rand.Text()[:12]))}}
	w.must(reapAndKeep, what)
	return what
}

func (w *world) heldSandbox() target {
	w.t.Helper()
	what := target{IDs: []sandboxer.ID{w.create(brief, 0)}}
	w.must(hold, what)
	return what
}

// Programs of sandboxes.
const (
	living = "trap 'exit 0' TERM\n: >ready\nsleep 1000 &\nwait\n"
	brief  = ": >ready\n"
)

func spec(program string) sandboxer.Spec {
	return sandboxer.Spec{
		Profile: "test.faults", Process: []string{"run"}, ReadyFile: "ready", WaitTimeout: 30 * time.Second,
		Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
			return fstest.MapFS{
				"run":       {Data: []byte("#!/bin/sh\n" + program), Mode: 0o755},
				"data":      {Mode: fs.ModeDir | 0o750},
				"data/file": {Data: []byte(content), Mode: 0o640},
			}, nil
		},
	}
}

// content is that of the files which must be whole afterwards.
const content = "hello"

// must does something that nothing disturbs.
func (w *world) must(do act, what target) {
	w.t.Helper()
	if err := do(w.t.Context(), w.box(), w.host(), what); err != nil {
		w.t.Fatal(err)
	}
}

// create makes a sandbox for an operation to be tried on.
func (w *world) create(program string, ttl time.Duration) sandboxer.ID {
	w.t.Helper()
	s := w.spec(program)
	s.TTL = ttl
	box := w.box()
	box.Collector = remembered(w.seen)
	status, err := box.Create(w.t.Context(), w.host(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return status.SandboxID
}

// A remembered look saves one, where what is seen does not matter.
type remembered sandboxer.Observation

func (r remembered) Collect(context.Context, sandboxer.Host, sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs := sandboxer.Observation(r)
	obs.Snapshot.ObservedAt = new(time.Now())
	return obs, nil
}

// stray makes a directory that nobody accounts for, and returns its name.
func (w *world) stray(name string) string {
	w.t.Helper()
	dir := w.root() + "/" + name
	err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+"/data", 0o700), os.WriteFile(dir+"/data/file", []byte(content), 0o600))
	if err != nil {
		w.t.Fatal(err)
	}
	w.own()
	return name
}

func create(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, _ target) error {
	s := spec(living)
	if _, ok := box.Provisioners[0].(process.Provisioner); !ok {
		s = composed()
	}
	_, err := box.Create(ctx, host, s)
	return err
}

func destroy(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error {
	var errs []error
	for _, id := range what.IDs {
		_, err := box.Destroy(ctx, host, id)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// stranger is a directory that could be reaped, and is not to be.
const stranger = "young-stranger"

// reap removes everything that may be, but the stranger, and keeps nothing.
func reap(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, _ target) error {
	return reapBy(ctx, box, host, sandboxer.StalePolicy{IncludeUnclaimed: true, AllowYoung: true, KeepTrash: -1})
}

func reapAndKeep(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, _ target) error {
	return reapBy(ctx, box, host, sandboxer.StalePolicy{IncludeUnclaimed: true, AllowYoung: true})
}

func reapBy(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, policy sandboxer.StalePolicy) error {
	obs, err := box.Inspect(ctx, host)
	if err != nil {
		return err
	}
	_, err = box.Reap(ctx, host, sandboxer.PlanReap(obs, sandboxer.FindStale(obs, policy)).Without(stranger))
	return err
}

// restore brings back all of it. What has been brought back before is there.
func restore(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error {
	var errs []error
	for _, id := range what.IDs {
		_, err := box.Restore(ctx, host, id)
		errs = append(errs, err)
	}
	for _, name := range what.Dirs {
		_, err := box.Restore(ctx, host, sandboxer.ID(name))
		var refused *sandboxer.RefusedError
		if !errors.As(err, &refused) || !refused.Has("there") {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func hold(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error {
	_, err := box.Hold(ctx, host, what.IDs[0], sandboxer.Hold{Reason: "to be looked at"})
	return err
}

// refusedDestroy is of what is held: all that it does is to say so in the log.
func refusedDestroy(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error {
	err := destroy(ctx, box, host, what)
	var refused *sandboxer.RefusedError
	if errors.As(err, &refused) && refused.Has("held") {
		return nil
	}
	return fmt.Errorf("got %v, want it refused as held", err)
}

// release takes away what is held, and all else.
func release(ctx context.Context, box *sandboxer.Sandboxer, host sandboxer.Host, what target) error {
	var errs []error
	for _, id := range what.IDs {
		_, err := box.Release(ctx, host, id)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, reap(ctx, box, host, what))...)
}

// inTrash expects that everything is in the trash, once and whole.
func (w *world) inTrash(what target) {
	w.t.Helper()
	for _, name := range what.names() {
		w.whole(name, w.root()+"/.trash/"+name+".*.*")
		if _, err := os.Stat(w.root() + "/" + name); err == nil {
			w.t.Errorf("got %s still in the root", name)
		}
	}
}

func (w *world) restored(what target) {
	w.t.Helper()
	for _, name := range what.names() {
		w.whole(name, w.root()+"/"+name)
	}
	for _, id := range what.IDs {
		if s := w.find(id); s != nil && (s.State != sandboxer.StateFailed || s.Hold == nil) {
			w.t.Errorf("got state %s, hold %v, want it failed and held", s.State, s.Hold)
		}
	}
	if left, err := filepath.Glob(w.root() + "/.trash*/*"); len(left) > 0 || err != nil {
		w.t.Errorf("got trash %q, %v, want none", left, err)
	}
}

func (w *world) held(what target) {
	w.t.Helper()
	if s := w.find(what.IDs[0]); s != nil && (s.Hold == nil || s.State != sandboxer.StateReady) {
		w.t.Errorf("got state %s, hold %v, want it ready and held", s.State, s.Hold)
	}
}

func (what target) names() []string {
	names := append([]string{}, what.Dirs...)
	for _, id := range what.IDs {
		names = append(names, string(id))
	}
	return names
}

// whole expects one directory of that pattern, with all of its files.
func (w *world) whole(name, pattern string) {
	w.t.Helper()
	dirs, err := filepath.Glob(pattern)
	if err != nil || len(dirs) != 1 {
		w.t.Errorf("%s: got %q, %v, want one directory", name, dirs, err)
		return
	}
	if data, err := os.ReadFile(dirs[0] + "/data/file"); err != nil || string(data) != content {
		w.t.Errorf("%s: got %q, %v, want its file whole", name, data, err)
	}
}

// find returns a sandbox of the inventory, which has to be there.
func (w *world) find(id sandboxer.ID) *sandboxer.Sandbox {
	w.t.Helper()
	inv, err := w.box().List(w.t.Context(), w.host())
	if err != nil {
		w.t.Fatal(err)
	}
	s := inv.Find(id)
	if s == nil {
		w.t.Error(fmt.Errorf("got no sandbox %s, want it", id))
	}
	return s
}
