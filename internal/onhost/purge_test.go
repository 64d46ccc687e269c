package onhost_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

const leftover = "canary-000000"

// eachUsersShell runs f, for every shell, on a machine of an ordinary user, on
// which a destroy has just failed: there is a directory in the trash that has
// something in it and is root's. A purger has an rm of root's.
func eachUsersShell(t *testing.T, f func(t *testing.T, m *machine, item onhost.Item)) {
	lab.Require(t, "root")
	eachShell(t, func(t *testing.T, m *machine) {
		base, err := os.MkdirTemp("", "onhost") // t.TempDir is closed to others
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(base) })
		m.uid = 65534
		m.home, m.root = base+"/home", base+"/root"
		m.op.Root = m.root
		err = errors.Join(os.Chmod(base, 0o755), os.Mkdir(m.home, 0o700), os.Mkdir(m.root, 0o700),
			os.Chown(m.home, m.uid, m.uid), os.Chown(m.root, m.uid, m.uid))
		if err != nil {
			t.Fatal(err)
		}
		a := m.reserve(leftover, "rec")
		rm, err := os.ReadFile("/bin/rm")
		if err := errors.Join(err, os.Chown(a.Dir+"/data", 0, 0), os.Chmod(a.Dir+"/data", 0o755),
			os.WriteFile(base+"/rm", rm, 0o755), os.Chmod(base+"/rm", 0o755|os.ModeSetuid)); err != nil {
			t.Fatal(err)
		}
		item := m.item(a, leftover, "rec", "echo removed image i; echo . >>$HOME/teardowns")
		got, _ := m.run(m.op.Destroy([]onhost.Item{item}))
		if it := got.Item(leftover); it.Result != onhost.Failed || it.Code != onhost.TrashLeft {
			t.Fatalf("destroy: got %+v, want it failed with %s", it, onhost.TrashLeft)
		}
		f(t, m, item)
	})
}

// empties is a purger that keeps what it was given to read.
const empties = `cat >"$HOME/got" && "$HOME/../rm" -r "$1/data"`

// helper is what purgers read: nothing that a shell would take as it is.
var helper = append(bytes.Repeat([]byte("\x00\x1f\x8b\n\\}'\n\xff"), 20000), "exit 0"...)

func (m *machine) purge(item onhost.Item, purger string) onhost.ItemAnswer {
	m.t.Helper()
	item.Purger = purger
	got, _ := m.run(m.op.Purge(item, bytes.NewReader(helper)))
	return got.Item(item.ID)
}

// checkEnded asserts that nothing is left but the last record.
func (m *machine) checkEnded() {
	m.t.Helper()
	state := filepath.Join(m.home, ".local/state/sandboxer")
	for _, path := range []string{m.dir(leftover), m.registry(leftover), m.root + "/.trash", state + "/locks/" + leftover} {
		if exists(path) {
			m.t.Errorf("%s is left behind", path)
		}
	}
	if tomb, _ := os.ReadFile(state + "/registry/destroyed/" + leftover + ".json"); string(tomb) != `{"tomb":1}` {
		m.t.Errorf("got last record %q, want the tombstone", tomb)
	}
	log := m.auditLog()
	if strings.Count(log, `"result":"trash_left"`) != 1 || !strings.HasSuffix(log, `"result":"removed"}`+"\n") {
		m.t.Errorf("got audit log %s, want what was left, and the removal last", log)
	}
}

func TestPurge(t *testing.T) {
	eachUsersShell(t, func(t *testing.T, m *machine, item onhost.Item) {
		it := m.purge(item, empties)
		if it.Result != onhost.Destroyed || len(it.Removed) != 2 { // by a teardown before, and one after
			t.Fatalf("got %+v, want it destroyed", it)
		}
		if got, err := os.ReadFile(m.home + "/got"); err != nil || !bytes.Equal(got, helper) {
			t.Errorf("the helper: got %d bytes, %v, want all %d, unaltered", len(got), err, len(helper))
		}
		m.checkEnded()
		if it := m.purge(item, "echo never"); it.Result != onhost.Gone {
			t.Errorf("again: got %+v, want it gone", it)
		}
	})
}

// What a reap has kept, and a later one cannot delete.
func TestPurgeOfTrash(t *testing.T) {
	eachUsersShell(t, func(t *testing.T, m *machine, item onhost.Item) {
		var stat syscall.Stat_t
		if err := errors.Join(syscall.Stat(m.entry(), &stat), os.Remove(m.registry(leftover))); err != nil {
			t.Fatal(err)
		}
		kept := onhost.Item{
			ID: strings.TrimPrefix(m.entry(), m.root+"/"), Trashed: true, Device: int64(stat.Dev), Inode: int64(stat.Ino),
			Audit: item.Audit, Teardown: item.Teardown,
		}
		it := m.purge(kept, "echo no; exit 1")
		if it.Result != onhost.Failed || it.Code != onhost.TrashLeft || !strings.Contains(it.Message, ": no;") {
			t.Errorf("a purger that fails: got %+v, want it failed with its word", it)
		}
		if it = m.purge(kept, empties); it.Result != onhost.Destroyed || len(it.Removed) != 2 {
			t.Errorf("got %+v, want it destroyed, by a teardown before and one after", it)
		}
		if exists(m.root+"/.trash") || exists(filepath.Join(m.home, ".local/state/sandboxer/locks", leftover)) {
			t.Error("something of it is left behind")
		}
		if log := m.auditLog(); !strings.HasSuffix(log, `"result":"purged"}`+"\n") {
			t.Errorf("got audit log %s, want it purged", log)
		}
		kept.Inode++ // another one
		if it := m.purge(kept, "touch $HOME/ran"); it.Result != onhost.Gone || exists(m.home+"/ran") {
			t.Errorf("again: got %+v, want it gone", it)
		}
	})
}

// entry is where the destroy has left it.
func (m *machine) entry() string { return m.root + "/.trash/" + leftover + "." + m.op.ID + ".0" }

// Wherever a purge fails, the trash is named and a later one goes on.
func TestPurgeFails(t *testing.T) {
	for _, tt := range []struct {
		name, purger, teardown string
		result, code, message  string
	}{
		{"says why", "echo first; echo 'last one' >&2; exit 1", "", onhost.Failed, onhost.TrashLeft, "last one; as root"},
		{"says nothing", "exit 3", "", onhost.Failed, onhost.TrashLeft, "ended with status 3"},
		{"lies", "exit 0", "", onhost.Failed, onhost.TrashLeft, "denied"},
		{"broken", "syntax error (", "", onhost.Failed, onhost.TrashLeft, ".trash/" + leftover},
		{"leaves a container", empties, "if [ -e $HOME/got ]; then echo remains container c; exit 1; fi", onhost.Failed, "remains", "engine still holds"},
		{"engine dies", empties, "[ ! -e $HOME/got ] || exit 2", onhost.Unknown, "engine_unknown", "could not be asked"},
		{"is killed", "kill -9 0", "", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachUsersShell(t, func(t *testing.T, m *machine, item onhost.Item) {
				teardown := item.Teardown
				if tt.teardown != "" {
					item.Teardown = tt.teardown
				}
				it := m.purge(item, tt.purger)
				if it.Result != tt.result || it.Code != tt.code || !strings.Contains(it.Message, tt.message) {
					t.Errorf("got %+v, want %s %s with %q", it, tt.result, tt.code, tt.message)
				}
				if record, err := os.ReadFile(m.registry(leftover)); string(record) != `{"next":1}` {
					t.Errorf("got record %q, %v, want the one of a removal under way", record, err)
				}
				item.Teardown = teardown
				if it := m.purge(item, `[ ! -e "$1/data" ] || { `+empties+`; }`); it.Result != onhost.Destroyed {
					t.Errorf("the next: got %+v, want it destroyed", it)
				}
			})
		})
	}
}

// What is not as the destroy has left it is not touched.
func TestPurgeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name         string
		change       func(m *machine) error
		result, code string
	}{
		{"locked", nil, onhost.Locked, "locked"},
		{"another record", func(m *machine) error { return os.WriteFile(m.registry(leftover), []byte("other"), 0o600) }, onhost.Changed, "record_changed"},
		{"a new directory", func(m *machine) error {
			return errors.Join(os.Mkdir(m.dir(leftover), 0o700), os.Chown(m.dir(leftover), m.uid, m.uid))
		}, onhost.Changed, "dir_changed"},
		{"a mount", func(m *machine) error {
			below := m.entry() + "/data"
			m.t.Cleanup(func() { syscall.Unmount(below, syscall.MNT_DETACH) })
			return syscall.Mount(m.home, below, "", syscall.MS_BIND, "")
		}, onhost.Refused, "mount_present"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachUsersShell(t, func(t *testing.T, m *machine, item onhost.Item) {
				if tt.change != nil {
					if err := tt.change(m); err != nil {
						t.Fatal(err)
					}
				} else {
					defer holdLock(t, filepath.Join(m.home, ".local/state/sandboxer/locks", leftover)).Close()
				}
				if it := m.purge(item, "touch $HOME/ran"); it.Result != tt.result || it.Code != tt.code {
					t.Errorf("got %+v, want %s %s", it, tt.result, tt.code)
				}
				if exists(m.home + "/ran") {
					t.Error("the purger has run, want not")
				}
			})
		})
	}
}

// As TestDestroyCutOff: what a link that is cut has let through runs whole or
// not at all.
func TestPurgeCutOff(t *testing.T) {
	eachUsersShell(t, func(t *testing.T, m *machine, item onhost.Item) {
		item.Purger = "touch $HOME/ran"
		c := m.op.Purge(item, strings.NewReader(""))
		script, err := io.ReadAll(c.Stdin)
		if err != nil {
			t.Fatal(err)
		}
		for n := len(script) - 2; n > 0; n -= 311 {
			c.Stdin = bytes.NewReader(script[:n])
			var failed *exec.ExitError
			if err := m.command(c).Run(); !errors.As(err, &failed) {
				t.Errorf("cut off after %d of %d: got %v, want it to fail", n, len(script), err)
			}
			if exists(m.home + "/ran") {
				t.Fatalf("cut off after %d of %d: the purger has run", n, len(script))
			}
		}
	})
}
