package hostfile

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
)

// A Tree is a file tree on its way to the script of Put. It holds no more than
// a few names of it at a time.
type Tree struct {
	files fs.FS
	nonce string
	mode  fs.FileMode // of the tree itself

	archive *tar.Writer
	lists   map[string]*list // by kind: "f", "d", or "m" and a mode
	content hash.Hash        // of all files
	entries int
	proven  atomic.Bool
}

// A list is one of names, sent in pieces.
type list struct {
	names  []byte // not sent yet
	pieces int
	sum    hash.Hash // of all names
	facts  hash.Hash // of all modes and sizes, as stat prints them
}

// piece is the length above which what is there of a list is sent.
const piece = 32 << 10

// NewTree returns files as a Tree, or an error if there is anything in it
// that cannot be put: neither a file nor a directory, or closed to its own
// owner, who is to prove it. The nonce is as for Temp.
func NewTree(files fs.FS, nonce string) (*Tree, error) {
	t := &Tree{files: files, nonce: nonce, lists: map[string]*list{}, content: sha256.New()}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if name == "." {
			t.mode = info.Mode().Perm()
		}
		return check(name, d.Name(), info)
	})
	return t, err
}

func check(name, base string, info fs.FileInfo) error {
	perm := info.Mode().Perm()
	switch {
	case name != "." && (base == "" || base == "." || base == ".." || strings.ContainsAny(base, "/\x00")):
		return fmt.Errorf("%q: not a name", name)
	case info.IsDir():
		if perm&0o500 != 0o500 {
			return fmt.Errorf("%q: its mode %04o closes it to its own owner", name, perm)
		}
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: neither a file nor a directory", name)
	case perm&0o400 == 0:
		return fmt.Errorf("%q: its mode %04o closes it to its own owner", name, perm)
	}
	return nil
}

// Proven reports whether the proof was written. Nothing that ends before it is
// ever put in place.
func (t *Tree) Proven() bool { return t.proven.Load() }

// Write writes all that the script reads. It is called once.
//
// Compression is the fastest: on a local network the processor is the
// bottleneck.
func (t *Tree) Write(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "sandboxer %s %o\n", t.nonce, t.mode); err != nil {
		return err
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t.archive = tar.NewWriter(zip)
	if err := t.addDir("."); err != nil {
		return err
	}
	if err := t.prove(); err != nil {
		return err
	}
	if err := t.archive.Close(); err != nil {
		return err
	}
	return zip.Close()
}

// addDir writes what is in a directory.
func (t *Tree) addDir(dir string) error {
	entries, err := fs.ReadDir(t.files, dir)
	if err != nil {
		return err
	}
	for _, d := range entries {
		name := path.Join(dir, d.Name())
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := check(name, d.Name(), info); err != nil {
			return err
		}
		if info.IsDir() {
			err = t.directory(name, info.Mode())
		} else {
			err = t.file(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) directory(name string, mode fs.FileMode) error {
	if err := t.header(tar.TypeDir, name+"/", 0); err != nil {
		return err
	}
	if err := t.note("d", name, mode, fmt.Sprintf("%v\n", fs.ModeDir|mode.Perm())); err != nil {
		return err
	}
	return t.addDir(name)
}

func (t *Tree) file(name string) error {
	f, err := t.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := check(name, path.Base(name), info); err != nil {
		return err
	}
	if info.IsDir() {
		return changed(name)
	}
	if err := t.header(tar.TypeReg, name, info.Size()); err != nil {
		return err
	}
	n, err := io.Copy(io.MultiWriter(t.archive, t.content), f)
	if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n < info.Size() {
		return changed(name)
	} else if err != nil {
		return err
	}
	return t.note("f", name, info.Mode(), fmt.Sprintf("%v %d\n", info.Mode().Perm(), n))
}

func changed(name string) error { return fmt.Errorf("%q: changed while it was read", name) }

// header begins an entry. Modes are set by the script, times and owners are
// the host's. Names are bytes in this format, of any length; in POSIX's they
// are UTF-8.
func (t *Tree) header(kind byte, name string, size int64) error {
	head := &tar.Header{Typeflag: kind, Name: name, Mode: 0o600, Size: size, Format: tar.FormatGNU}
	if kind == tar.TypeDir {
		head.Mode = 0o700
	}
	return t.archive.WriteHeader(head)
}

// note takes an entry that was written into the lists.
func (t *Tree) note(kind, name string, mode fs.FileMode, facts string) error {
	t.entries++
	io.WriteString(t.list(kind).facts, facts)
	for _, kind := range []string{kind, fmt.Sprintf("m%o-", mode.Perm())} {
		l := t.list(kind)
		l.names = append(l.names, "./"+name+"\x00"...)
		if len(l.names) < piece {
			continue
		}
		if err := t.send(kind); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tree) list(kind string) *list {
	if t.lists[kind] == nil {
		t.lists[kind] = &list{sum: sha256.New(), facts: sha256.New()}
	}
	return t.lists[kind]
}

// send writes what is there of a list as an entry of its own.
func (t *Tree) send(kind string) error {
	l := t.list(kind)
	l.sum.Write(l.names)
	l.pieces++
	// A glob gives the pieces back in the order of their names.
	err := t.entry(fmt.Sprintf("%s%09d", kind, l.pieces), l.names)
	l.names = l.names[:0]
	return err
}

// entry writes a file of ours.
func (t *Tree) entry(name string, data []byte) error {
	if err := t.header(tar.TypeReg, t.nonce+"/"+name, int64(len(data))); err != nil {
		return err
	}
	_, err := t.archive.Write(data)
	return err
}

// prove ends the lists and writes what is to come out on the host.
func (t *Tree) prove() error {
	t.list("f") // these two are there even if empty
	t.list("d")
	ours := 3 // the tree itself, the directory of our files, the proof
	for kind, l := range t.lists {
		if err := t.send(kind); err != nil {
			return err
		}
		ours += l.pieces
	}
	files, dirs := t.list("f"), t.list("d")
	proof := fmt.Sprintf("%x\n%x\n%x\n%x\n%x\n%d\n",
		files.sum.Sum(nil), dirs.sum.Sum(nil), files.facts.Sum(nil), dirs.facts.Sum(nil), t.content.Sum(nil), t.entries+ours)
	t.proven.Store(true)
	return t.entry("proof", []byte(proof))
}
