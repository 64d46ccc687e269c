package model

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A box is what the model knows of one sandbox.
type box struct {
	id    sandboxer.ID
	name  string
	made  time.Time // host's clock
	may   []facts   // what its records may say: one thing, unless an operation was cut off
	at    spot      // where its directory is
	inode uint64    // of its directory

	meta, registry bool // that record is there
	runs           bool // a look finds it running
	holds          bool // the engine has something of it

	stands sandboxer.StaleClass // what is in its place makes it that; empty: its registry record decides
	put    []facts              // what may was when its directory was moved out of the root

	doubt   bool // an operation was cut off: anything between none and all of it may be there
	partial bool // and so its directory may not have all that it should
}

// Facts are what a record says.
type facts struct {
	expires time.Time  // zero: never
	updated time.Time  // last use
	hold    *time.Time // its end; zero: for good; nil: nobody holds it
}

// active is when b was last in use, by those facts.
func (b *box) active(f facts) time.Time {
	if f.updated.Before(b.made) {
		return b.made
	}
	return f.updated
}

// held reports whether somebody holds a sandbox at that time.
func (f facts) held(now time.Time) bool {
	return f.hold != nil && (f.hold.IsZero() || now.Before(*f.hold))
}

// A spot is where the directory of a sandbox is.
type spot string

const (
	here    spot = "here"
	wiped   spot = "wiped" // removed by somebody else
	away    spot = "away"  // moved out of the root
	taken   spot = "taken" // something else stands in its place
	removed spot = "removed"
)

// A verdict is what a look has to say of something. The zero value is nothing.
type verdict struct {
	class sandboxer.StaleClass
	free  bool // nothing blocks its removal
}

// A judge knows what a look depends on beside the things themselves.
type judge struct {
	policy sandboxer.StalePolicy
	now    time.Time // host's clock
	doubt  bool      // of the host's clock
}

// box returns the verdict on b, and whether there is only one.
func (j judge) box(b *box) (verdict, bool) {
	if b.doubt {
		return verdict{}, false
	}
	first := j.byFacts(b, b.may[0])
	for _, f := range b.may[1:] {
		if j.byFacts(b, f) != first {
			return verdict{}, false
		}
	}
	return first, true
}

func (j judge) byFacts(b *box, f facts) verdict {
	olderThan := j.policy.OlderThan
	if olderThan == 0 {
		olderThan = sandboxer.DefaultOlderThan
	}
	age := j.now.Sub(b.active(f))
	old := func(floor time.Duration) bool { return !f.held(j.now) && j.oldEnough(age, floor) }
	expired := !f.expires.IsZero() && !j.now.Before(f.expires)
	switch {
	case b.at == removed:
		return verdict{}
	case b.at == taken && b.stands != "":
		return verdict{b.stands, false}
	case b.at == taken && expired:
		return verdict{sandboxer.Expired, false}
	case b.at == taken:
		return verdict{sandboxer.OrphanDir, false}
	case b.at != here:
		return verdict{sandboxer.OrphanProject, old(sandboxer.MinOrphanAge)}
	case expired:
		return verdict{sandboxer.Expired, old(sandboxer.MinAge)}
	case !b.runs:
		return verdict{sandboxer.OrphanDir, old(sandboxer.MinOrphanAge)}
	case f.expires.IsZero() && age >= olderThan:
		return verdict{sandboxer.Aged, old(sandboxer.MinAge)}
	}
	return verdict{}
}

// oldEnough holds the floors that every removal has.
func (j judge) oldEnough(age, floor time.Duration) bool {
	if j.policy.AllowYoung {
		floor = 0
	}
	return !j.doubt && age >= max(floor, j.policy.OlderThan, 0)
}

// thing returns the verdict on an entry of the root that is no sandbox's.
func (j judge) thing(t *thing) verdict {
	if t.claims != "" {
		return verdict{t.claims, false}
	}
	free := t.free && j.policy.IncludeUnclaimed && j.oldEnough(j.now.Sub(t.changed()), sandboxer.MinOrphanAge)
	return verdict{sandboxer.Unclaimed, free}
}

// future reports whether some sandbox was active later than a clock that can be
// trusted would have it, and whether that is sure.
func (j judge) future(boxes []*box) (yes, sure bool) {
	sure = true
	for _, b := range boxes {
		if b.at == removed {
			continue
		}
		late := 0
		for _, f := range b.may {
			if b.active(f).Sub(j.now) > sandboxer.MaxClockOffset {
				late++
			}
		}
		yes = yes || late == len(b.may) && !b.doubt
		sure = sure && (late == 0 || late == len(b.may) && !b.doubt)
	}
	return yes, sure || yes
}

// rows compares what a look says with what the model knows.
func (j judge) rows(stale sandboxer.StaleReport, w *world) error {
	said := map[string]verdict{}
	for _, s := range stale.StaleCandidates {
		said[s.Ref] = verdict{s.Class, len(s.BlockedBy) == 0}
	}
	var errs []error
	compare := func(ref string, want verdict, sure bool) {
		if got := said[ref]; sure && got != want {
			errs = append(errs, fmt.Errorf("%q: got %+v, want %+v", ref, got, want))
		}
		delete(said, ref)
	}
	for _, t := range w.things {
		if !t.behind {
			compare(t.ref(), j.thing(t), true)
		}
	}
	for ref, want := range w.engine.strangers {
		compare(ref, want, true)
	}
	for _, k := range w.trash {
		compare(strings.TrimPrefix(k.path, w.m.root()+"/"), j.kept(k), true)
	}
	for _, b := range w.boxes {
		if want, sure := j.box(b); !sure || want != (verdict{}) {
			compare(string(b.id), want, sure)
		}
	}
	for ref, got := range said {
		if w.engine.shared && !strings.HasPrefix(ref, "model-") {
			continue // with other tests
		}
		errs = append(errs, fmt.Errorf("%q: got %+v, want no row", ref, got))
	}
	return errors.Join(errs...)
}

// disk compares what there is of b with what the model knows.
func (w *world) disk(b *box, held map[sandboxer.ID]bool) error {
	if b.doubt {
		return nil
	}
	dir := w.dir(b)
	for path, want := range map[string]bool{
		dir: b.at == here || b.at == taken || w.named(string(b.id)) != nil,
		w.m.state() + "/registry/" + string(b.id) + ".json": b.registry,
	} {
		if _, err := os.Lstat(path); (err == nil) != want {
			return fmt.Errorf("%s: got %v, want it there: %v", path, err, want)
		}
	}
	if held[b.id] != b.holds {
		return fmt.Errorf("%s: got an engine that holds something of it: %v, want %v", b.id, held[b.id], b.holds)
	}
	if b.at != here {
		return nil
	}
	if _, err := os.Lstat(dir + "/.sandboxer/meta.json"); (err == nil) != b.meta {
		return fmt.Errorf("%s: got metadata %v, want it there: %v", dir, err, b.meta)
	}
	data, err := os.ReadFile(dir + "/a/b")
	if !b.partial && (err != nil || string(data) != payload) || inode(dir) != b.inode {
		return fmt.Errorf("%s: got %q and inode %d, %v, want %q and %d", dir, data, inode(dir), err, payload, b.inode)
	}
	return nil
}

// check holds after every step, and returns what does not.
func (w *world) check() error {
	var errs []error
	for _, t := range w.things {
		errs = append(errs, t.unchanged())
	}
	held, err := w.engine.holds()
	errs = append(errs, err)
	for _, b := range w.boxes {
		errs = append(errs, w.disk(b, held))
	}
	errs = append(errs, w.tend(), w.checkAudit())
	if w.engine.check != nil {
		errs = append(errs, w.engine.check())
	}
	obs, err := w.box.Inspect(w.t.Context(), w.m)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	w.obs = obs
	if !obs.Inventory.Complete {
		errs = append(errs, fmt.Errorf("got sources %+v, want them complete", obs.Inventory.Sources))
	}
	j := w.judge(w.somePolicy())
	if err := j.rows(sandboxer.FindStale(obs, j.policy), w); err != nil {
		errs = append(errs, fmt.Errorf("policy %+v: %v", j.policy, err))
	}
	return errors.Join(errs...)
}

// litter reports whether a file is what a command leaves that is killed before
// there is any record, or after the last one is gone: an empty lock, or a record
// that never got its name. They are no part of a sandbox and in nobody's way.
func (w *world) litter(path string) bool {
	id, _, half := strings.Cut(filepath.Base(path), ".json.")
	return w.cuts[id] && (filepath.Dir(path) == w.m.state()+"/locks" || half && strings.HasSuffix(path, ".tmp"))
}

// nothingLeft holds after the last reap: there is nothing of ours, and what is
// not ours is as it was.
func (w *world) nothingLeft() error {
	var errs []error
	held, err := w.engine.holds()
	if err != nil || len(held) > 0 {
		errs = append(errs, fmt.Errorf("the engine holds something of %v, %v", held, err))
	}
	trash, err := w.trashNow()
	if err != nil || len(trash) > 0 {
		errs = append(errs, fmt.Errorf("got %v in the trash, %v", slices.Collect(maps.Keys(trash)), err))
	}
	for _, dir := range []string{w.m.root(), w.m.state() + "/registry", w.m.state() + "/locks"} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			path := dir + "/" + e.Name()
			known := slices.ContainsFunc(w.things, func(t *thing) bool { return strings.HasPrefix(t.path+"/", path+"/") })
			if !known && e.Name() != "destroyed" && !w.litter(path) {
				errs = append(errs, fmt.Errorf("%s is left", path))
			}
		}
	}
	for _, t := range w.things {
		errs = append(errs, t.unchanged())
	}
	return errors.Join(errs...)
}
