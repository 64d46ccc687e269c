package model

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A thing is something in or near the root that is no sandbox's.
type thing struct {
	path   string
	print  string               // of all of it, as it was made
	free   bool                 // a directory of the user's own with a name like an id: goes where that is asked for
	claims sandboxer.StaleClass // what its metadata makes of it; empty: it has none
	behind bool                 // no entry of the root has its name for a ref: it is outside, or in a sandbox's place
}

// ref is the name by which a look shows it.
func (t *thing) ref() string { return strings.ReplaceAll(filepath.Base(t.path), "\xff", `\xff`) }

// unchanged returns an error unless the thing is what it was, to the byte, the
// mode, the owner, the inode and the time of its last change.
func (t *thing) unchanged() error {
	if now := fingerprint(t.path, ""); now != t.print {
		return fmt.Errorf("%q is no sandbox's and was changed: got\n%swant\n%s", t.path, now, t.print)
	}
	return nil
}

// changed is the newest change in it, as stat(1) tells it.
func (t *thing) changed() time.Time {
	var newest time.Time
	_ = filepath.WalkDir(t.path, func(path string, _ fs.DirEntry, err error) error {
		if st, ok := lstat(path); ok {
			if at := time.Unix(st.Ctim.Sec, 0); at.After(newest) {
				newest = at
			}
		}
		return err
	})
	return newest
}

// fingerprint is of a file, or a directory with all that is in it. Paths are
// told as they are below base.
func fingerprint(root, base string) string {
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		st, ok := lstat(path)
		if err != nil || !ok {
			return errors.Join(err, fs.ErrNotExist)
		}
		content := ""
		switch d.Type() {
		case fs.ModeSymlink:
			content, err = os.Readlink(path)
		case 0:
			var data []byte
			data, err = os.ReadFile(path)
			content = fmt.Sprintf("%x", sha256.Sum256(data))
		}
		fmt.Fprintf(&b, "%q %o %d:%d inode %d ctime %d.%09d %s\n", strings.TrimPrefix(path, base), st.Mode, st.Uid, st.Gid, st.Ino, st.Ctim.Sec, st.Ctim.Nsec, content)
		return err
	})
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	return b.String()
}

func lstat(path string) (*syscall.Stat_t, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

func inode(path string) uint64 {
	if st, ok := lstat(path); ok {
		return st.Ino
	}
	return 0
}

// keep remembers a thing as it is now.
func (w *world) keep(t *thing) {
	t.print = fingerprint(t.path, "")
	w.things = append(w.things, t)
}

// named returns the thing of that name in the root, or nil.
func (w *world) named(name string) *thing {
	for _, t := range w.things {
		if t.path == w.m.root()+"/"+name {
			return t
		}
	}
	return nil
}

// Names that somebody gives to something in the root. Those of the first list
// have the form of an id or a name.
var (
	goodNames = []string{"fake99", "x", "nightly", "web-000000000000", "stray-4k9x0q2m7t3b", "0", "a-", strings.Repeat("z", 40)}
	oddNames  = []string{"-odd", "Web-1", ".hidden", "with space", "new\nline", "\xff", "$HOME", "*", strings.Repeat("z", 41), ".trash-", "..."}
)

// A maker makes something at a path, and returns whether it is free to go.
type maker struct {
	name string
	make func(w *world, path string) error
	free bool
}

var makers = []maker{
	{"directory", func(w *world, path string) error { return tree(path, 0) }, true},
	{"empty directory", func(w *world, path string) error { return os.Mkdir(path, 0o755) }, true},
	{"directory with a link out of it", func(w *world, path string) error {
		return errors.Join(tree(path, 0), os.Symlink(w.m.dir+"/outside", path+"/out"))
	}, true},
	{"another's directory", func(w *world, path string) error { return tree(path, 65534) }, false},
	{"file", func(w *world, path string) error { return os.WriteFile(path, []byte(path), 0o600) }, false},
	{"symlink to a directory", func(w *world, path string) error { return os.Symlink(w.m.dir+"/outside", path) }, false},
	{"dangling symlink", func(w *world, path string) error { return os.Symlink("nowhere", path) }, false},
	{"fifo", func(w *world, path string) error { return syscall.Mkfifo(path, 0o600) }, false},
}

// tree makes a directory with something in it, of that user. Nobody but root
// can give things away.
func tree(path string, uid int) error {
	err := errors.Join(os.Mkdir(path, 0o755), os.Mkdir(path+"/sub", 0o700), os.WriteFile(path+"/sub/file", []byte("mine"), 0o640))
	if err != nil || uid == 0 {
		return err
	}
	return give(path, uid)
}

// give gives a directory and all in it to a user.
func give(path string, uid int) error {
	return filepath.WalkDir(path, func(p string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(p, uid, uid))
	})
}

// copyTree copies a directory as a person would, with all that it is.
func copyTree(from, to string) error {
	out, err := exec.Command("cp", "-a", "--", from, to).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("cp: %v: %s", err, out)
	}
	return err
}
