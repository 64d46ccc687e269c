package model

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// accidents are what others do to a host: people, boots, what clears /tmp.
func accidents() []operation {
	return []operation{
		{"wipe the root", 1, (*world).wipe},
		{"remove a directory", 3, (*world).removeDir},
		{"remove metadata", 2, (*world).removeMeta},
		{"remove a registry record", 2, (*world).removeRecord},
		{"end its process", 3, (*world).endProcess},
		{"move away", 2, (*world).moveAway},
		{"move back", 3, (*world).moveBack},
		{"take its place", 3, (*world).takePlace},
		{"make a thing", 6, (*world).makeThing},
		{"copy a sandbox", 3, (*world).copySandbox},
		{"put into the trash", 1, (*world).intoTrash},
		{"clear a thing", 4, (*world).clearSome},
	}
}

// whole is a sandbox that is where it should be, with both records.
func whole(b *box) bool { return !b.doubt && b.at == here && b.meta && b.registry }

func (w *world) dir(b *box) string { return w.m.root() + "/" + string(b.id) }

// wipe is what a boot does to /tmp.
func (w *world) wipe() (string, error) {
	err := os.RemoveAll(w.m.root())
	w.trash = nil
	w.things = slices.DeleteFunc(w.things, func(t *thing) bool { return strings.HasPrefix(t.path, w.m.root()+"/") })
	for _, b := range slices.Clone(w.boxes) {
		switch {
		case b.doubt || b.at != here && b.at != taken:
		case !b.registry:
			err = errors.Join(err, w.lose(b))
		default:
			b.at, b.meta = wiped, false
		}
	}
	return "all of it", err
}

func (w *world) removeDir() (string, error) {
	b := w.some(whole)
	if b == nil {
		return "", nil
	}
	b.at, b.meta = wiped, false
	return string(b.id), os.RemoveAll(w.dir(b))
}

func (w *world) removeMeta() (string, error) {
	b := w.some(whole)
	if b == nil {
		return "", nil
	}
	b.meta = false
	if w.chance(2) {
		return string(b.id) + " meta.json", os.Remove(w.dir(b) + "/.sandboxer/meta.json")
	}
	b.runs = b.runs && !w.engine.note
	return string(b.id) + " .sandboxer", os.RemoveAll(w.dir(b) + "/.sandboxer")
}

func (w *world) removeRecord() (string, error) {
	b := w.some(whole)
	if b == nil {
		return "", nil
	}
	b.registry = false
	return string(b.id), os.Remove(w.m.state() + "/registry/" + string(b.id) + ".json")
}

func (w *world) endProcess() (string, error) {
	b := w.some(func(b *box) bool { return whole(b) && b.runs })
	if b == nil {
		return "", nil
	}
	b.runs = false
	return string(b.id), w.engine.end(b)
}

func (w *world) moveAway() (string, error) {
	b := w.some(func(b *box) bool { return whole(b) && b.runs })
	if b == nil {
		return "", nil
	}
	b.at, b.meta, b.put = away, false, slices.Clone(b.may)
	return string(b.id), os.Rename(w.dir(b), w.m.dir+"/aside/"+string(b.id))
}

// moveBack brings a directory back, also one of a sandbox that was destroyed
// without it.
func (w *world) moveBack() (string, error) {
	b := w.some(func(b *box) bool {
		return !b.doubt && b.put != nil && (b.at == away || b.at == removed && w.named(string(b.id)) == nil)
	})
	if b == nil {
		return "", nil
	}
	if err := os.MkdirAll(w.m.root(), 0o700); err != nil {
		return "", err
	}
	b.may = append(b.put, b.may...) // what the registry has learned meanwhile may count, too
	if b.at == removed {
		w.returns[b.id]++
	}
	b.runs = b.at == away || w.engine.self
	b.at, b.meta, b.put = here, true, nil
	return fmt.Sprintf("%s, destroyed: %v", b.id, !b.holds), os.Rename(w.m.dir+"/aside/"+string(b.id), w.dir(b))
}

// takePlace puts something else where a sandbox's directory was. The old one
// is kept, or its inode would be the next one's.
func (w *world) takePlace() (string, error) {
	b := w.some(whole)
	if b == nil {
		return "", nil
	}
	dir, old := w.dir(b), w.m.dir+"/aside/"+string(b.id)+".was"
	if err := os.Rename(dir, old); err != nil {
		return "", err
	}
	b.at, b.meta, b.stands = taken, false, sandboxer.Corrupt
	with, err := "a copy", error(nil)
	if w.chance(3) {
		err = copyTree(old, dir)
		if os.Geteuid() == 0 && w.chance(2) {
			with, b.stands, err = "another's copy", sandboxer.Foreign, errors.Join(err, give(dir, 65534))
		}
	} else {
		m := w.someMaker()
		with, err = m.name, m.make(w, dir)
		if info, serr := os.Lstat(dir); serr == nil && info.IsDir() {
			b.stands = ""
		}
	}
	w.keep(&thing{path: dir, behind: true})
	return fmt.Sprintf("%s by %s", b.id, with), err
}

// someMaker returns a maker whose things can be made here.
func (w *world) someMaker() maker {
	m := pick(w, makers)
	for os.Geteuid() != 0 && m.name == "another's directory" {
		m = pick(w, makers)
	}
	return m
}

const mostThings = 12

// someName returns a path in the root that is free, of a name that is good for
// a sandbox or not, or "".
func (w *world) someName() (path string, good bool) {
	name := pick(w, oddNames)
	switch gone := w.some(func(b *box) bool { return !b.doubt && b.at == removed }); {
	case gone != nil && w.chance(4):
		name, good = string(gone.id), true
	case w.chance(2):
		name, good = pick(w, goodNames), true
	}
	path = w.m.root() + "/" + name
	if _, err := os.Lstat(path); err == nil || len(w.things) > mostThings || os.MkdirAll(w.m.root(), 0o700) != nil {
		return "", false
	}
	return path, good
}

func (w *world) makeThing() (string, error) {
	path, good := w.someName()
	if path == "" {
		return "", nil
	}
	m := w.someMaker()
	err := m.make(w, path)
	w.keep(&thing{path: path, free: m.free && good})
	return fmt.Sprintf("%s %q", m.name, path), err
}

// copySandbox makes a copy under another name, which is no sandbox.
func (w *world) copySandbox() (string, error) {
	b := w.some(whole)
	if b == nil {
		return "", nil
	}
	path, good := w.someName()
	if path == "" {
		return "", nil
	}
	err := copyTree(w.dir(b), path)
	t := &thing{path: path}
	if _, noID := sandboxer.ParseID(t.ref()); good && noID == nil {
		t.claims = sandboxer.Corrupt
	}
	w.keep(t)
	return fmt.Sprintf("%s as %q", b.id, path), err
}

// intoTrash puts something where only sandboxer puts things, or a link there.
func (w *world) intoTrash() (string, error) {
	trash := w.m.root() + "/.trash"
	keepsake := trash + "/" + pick(w, []string{"keepsake", "x.bak", "fake99.bak.1", "notes.v2.1"})
	if w.named(".trash") != nil || exists(keepsake) || os.MkdirAll(w.m.root(), 0o700) != nil {
		return "", nil
	}
	if _, err := os.Lstat(trash); err != nil && w.chance(2) {
		err := os.Symlink(w.m.dir+"/outside", trash)
		w.keep(&thing{path: trash, behind: true})
		return "a link", err
	}
	err := errors.Join(os.MkdirAll(trash, 0o700), tree(keepsake, 0))
	w.keep(&thing{path: keepsake, behind: true})
	return keepsake, err
}

func (w *world) clearSome() (string, error) {
	t := pick(w, w.things)
	if t == w.things[0] || w.chance(2) && !t.behind {
		return "", nil
	}
	return fmt.Sprintf("%q", t.path), w.clearThing(t)
}

// clearThing is a person who removes what is no sandbox's.
func (w *world) clearThing(t *thing) error {
	w.things = slices.DeleteFunc(w.things, func(other *thing) bool { return other == t })
	for _, b := range w.boxes {
		if b.at == taken && w.dir(b) == t.path {
			b.at = wiped
		}
	}
	err := os.RemoveAll(t.path)
	if dir := filepath.Dir(t.path); filepath.Base(dir) == ".trash" {
		_ = os.Remove(dir) // if there is nothing else in it
	}
	return err
}
