package model

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A kept is a directory that a reap has put into the trash.
type kept struct {
	path  string
	ref   string    // the name it had
	until time.Time // when it may be deleted; zero: now
	print string    // of what is in it; empty: a command was cut off while it deleted that
}

// kept returns the verdict on something in the trash.
func (j judge) kept(k *kept) verdict {
	if j.policy.KeepTrash >= 0 && j.now.Before(k.until) {
		return verdict{}
	}
	return verdict{sandboxer.Trashed, j.policy.KeepTrash < 0 || k.until.IsZero() || !j.doubt}
}

// A disposal is what an operation does to the trash.
type disposal struct {
	into    map[string]string // refs that are put there, or would be; with the print of what is in them
	until   time.Time         // of those; zero: nothing of them is kept, whenever it was put there
	out     map[string]bool   // paths that leave it
	settled bool              // it was not cut off: all of that is done
}

// trashForm is the name of an entry: what it was, the operation, and until when
// it is kept.
var trashForm = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*)\.[0-9a-f]{16}\.([0-9]+)$`)

// trashNow finds what is in the trash and nobody else's.
func (w *world) trashNow() (map[string]*kept, error) {
	found := map[string]*kept{}
	for _, trash := range []string{w.m.root() + "/.trash", fmt.Sprintf("%s/.trash-%d", w.m.root(), os.Geteuid())} {
		if info, err := os.Lstat(trash); err != nil || !info.IsDir() {
			continue
		}
		entries, err := os.ReadDir(trash)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			k := &kept{path: trash + "/" + e.Name()}
			if slices.ContainsFunc(w.things, func(t *thing) bool { return t.path == k.path }) {
				continue
			}
			f := trashForm.FindStringSubmatch(e.Name())
			if f == nil {
				return nil, fmt.Errorf("%s is in the trash under no name of a reap's", k.path)
			}
			k.ref = f[1]
			if s, _ := strconv.ParseInt(f[2], 10, 64); s > 0 {
				k.until = time.Unix(s, 0)
			}
			found[k.path] = k
		}
	}
	return found, nil
}

// tend compares the trash with what it was before the operation and what that
// does to it.
func (w *world) tend() error {
	d := w.disposal
	w.disposal = disposal{settled: true}
	found, err := w.trashNow()
	errs := []error{err}
	w.trash = slices.DeleteFunc(w.trash, func(k *kept) bool {
		_, removed := d.into[k.ref]
		goes := d.out[k.path] || removed && (d.until.IsZero() || k.until.IsZero())
		_, there := found[k.path]
		delete(found, k.path)
		switch {
		case !there && !goes:
			errs = append(errs, fmt.Errorf("%s was kept, and is gone", k.path))
		case there && goes && d.settled:
			errs = append(errs, fmt.Errorf("%s is still there", k.path))
		case there && goes:
			k.print = "" // half of it may be gone
		case there && k.print != "" && k.print != contents(k.path):
			errs = append(errs, fmt.Errorf("%s was kept, and holds\n%swant\n%s", k.path, contents(k.path), k.print))
		}
		return !there
	})
	for _, path := range slices.Sorted(maps.Keys(found)) {
		k := found[path]
		print, ok := d.into[k.ref]
		switch {
		case !ok, d.settled && !k.until.Equal(d.until), d.settled && print == "gone":
			errs = append(errs, fmt.Errorf("got %s in the trash, want nothing of that name kept until that time", k.path))
		case print != "" && !d.until.IsZero() && print != contents(k.path):
			errs = append(errs, fmt.Errorf("%s is kept, and holds\n%swant\n%s", k.path, contents(k.path), print))
		case !d.until.IsZero():
			k.print = print
		}
		delete(d.into, k.ref)
		w.trash = append(w.trash, k)
	}
	for ref, print := range d.into {
		if d.settled && !d.until.IsZero() && print != "" && print != "gone" {
			errs = append(errs, fmt.Errorf("%s is not kept", ref))
		}
	}
	return errors.Join(errs...)
}

// contents is the print of what is in a directory, sandboxer's own files aside.
func contents(dir string) string {
	entries, err := os.ReadDir(dir)
	text := "of\n"
	for _, e := range entries {
		if e.Name() != ".sandboxer" {
			text += fingerprint(dir+"/"+e.Name(), dir)
		}
	}
	if err != nil {
		text += err.Error()
	}
	return text
}

// restore brings back what was removed and kept, as far as there is something.
func (w *world) restore() (string, error) {
	ref := ""
	b := w.some(func(b *box) bool { return b.at == removed || w.chance(8) })
	switch {
	case len(w.trash) > 0 && !w.chance(4):
		ref = pick(w, w.trash).ref
	case b != nil:
		ref = string(b.id)
	default:
		return "", nil
	}
	b = w.some(func(b *box) bool { return string(b.id) == ref })
	entries := slices.DeleteFunc(slices.Clone(w.trash), func(k *kept) bool { return k.ref != ref })
	_, blocked := os.Lstat(w.m.root() + "/" + ref)
	bearer, sure := w.bearer(ref)
	w.mayCut()
	_, err := w.box.Restore(w.t.Context(), w.m, sandboxer.ID(ref))
	w.mayLitter(ref)
	said := fmt.Sprintf("%s%s: %v", ref, w.cutOff(), err)
	var back *kept
	for _, k := range entries {
		if _, gone := os.Lstat(k.path); gone != nil {
			back = k
			w.disposal.out = map[string]bool{k.path: true}
		}
	}
	var refused *sandboxer.RefusedError
	switch {
	case b != nil && b.doubt: // whatever it did, it is doubtful still
		return said, nil
	case !sure && blocked != nil && (b == nil || b.at == removed): // what bears the name may be gone
		if back != nil {
			return said, w.restored(ref, back, b, err)
		}
		w.cuts[ref] = true
		return said, nil
	case b != nil && b.at != removed || blocked == nil || bearer != nil:
		told := errors.As(err, &refused) || len(entries) == 0 && errors.Is(err, sandboxer.ErrNotFound)
		if back != nil || err != nil && w.cutOff() == "" && !told {
			return said, fmt.Errorf("restore %s, which is there: got %v", ref, err)
		}
		w.cuts[ref] = true // a lock is left, since something of that name is there
		return said, nil
	case len(entries) == 0 && !errors.Is(err, sandboxer.ErrNotFound) && w.cutOff() == "":
		return said, fmt.Errorf("restore %s, of which nothing is kept: got %v, want ErrNotFound", ref, err)
	case len(entries) == 0:
		return said, nil
	case err != nil && w.cutOff() == "", err == nil && back == nil:
		return said, fmt.Errorf("restore %s: got %v, want it back", ref, err)
	}
	return said, w.restored(ref, back, b, err)
}

// restored takes what came back, or may have.
func (w *world) restored(ref string, back *kept, b *box, err error) error {
	now, path := w.host(), w.m.root()+"/"+ref
	_, isBox := os.Lstat(path + "/.sandboxer/meta.json")
	switch {
	case back != nil && contents(path) != back.print && back.print != "":
		return fmt.Errorf("restored %s: got\n%swant\n%s", ref, contents(path), back.print)
	case err != nil && b != nil && (back == nil || isBox == nil):
		b.at, b.inode = wiped, 1
		w.doubt(b)
		w.returns[b.id]++ // even if the log does not say so yet
	case back == nil:
	case isBox != nil:
		w.keep(&thing{path: path, free: true})
	default:
		hold := now.Add(24 * time.Hour)
		b.at, b.meta, b.registry, b.runs, b.inode = here, true, true, w.engine.self && exists(path+"/.sandboxer/process"), inode(path)
		for i := range b.may {
			b.may[i].updated, b.may[i].hold = now, &hold
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(filepath.Clean(path))
	return err == nil
}
