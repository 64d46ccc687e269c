package onhost_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

const (
	someID = "canary-000000"
	later  = 32503680000 // the year 3000
)

// kept makes a sandbox, lets a reap take it away, and returns what brings it
// back.
func (m *machine) kept() onhost.Return {
	m.t.Helper()
	a := m.reserve(someID, "rec")
	item := m.item(a, someID, "rec", "true")
	item.Keep = later
	got, _ := m.run(m.op.Reap([]onhost.Item{item}))
	if it := got.Item(someID); it.Result != onhost.Destroyed || exists(m.dir(someID)) {
		m.t.Fatalf("got %+v, want it removed", got)
	}
	return onhost.Return{
		ID: someID, Entry: ".trash/" + someID + "." + m.op.ID + ".32503680000", Device: a.Device, Inode: a.Inode,
		Next: []byte("next"), Record: []byte("back"), Audit: []byte(`{"act":"restore","sandbox_id":"` + someID + `","op_id":"1a"`),
	}
}

func (m *machine) tombstone() string {
	return filepath.Join(m.home, ".local/state/sandboxer/registry/destroyed", someID+".json")
}

// back checks that a sandbox is where it was, and nothing else of it.
func (m *machine) back() {
	m.t.Helper()
	for path, want := range map[string]string{
		m.dir(someID) + "/data/file": "hello", m.dir(someID) + "/.sandboxer/meta.json": "back", m.registry(someID): "back",
	} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			m.t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	if exists(m.tombstone()) || exists(m.root+"/.trash") {
		m.t.Error("got its last record or an empty trash left")
	}
	if n := strings.Count(m.auditLog(), `"result":"restored"}`); n != 1 {
		m.t.Errorf("got %d lines of its return, want 1", n)
	}
}

func TestRestore(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		r := m.kept()
		if got, code := m.run(m.op.Restore(r)); !got.Done || code != 0 {
			t.Fatalf("got %+v and exit %d, want it done", got, code)
		}
		m.back()
		if got, _ := m.run(m.op.Restore(r)); got.Done {
			t.Errorf("again, with what was seen before: got %+v, want it not done", got)
		}
		m.back()
	})
}

// However far a restore has come, the next one finishes it, and says so once.
func TestRestoreGoesOn(t *testing.T) {
	for name, cut := range map[string]func(m *machine, r *onhost.Return) error{
		"after the registry": func(m *machine, r *onhost.Return) error {
			return os.WriteFile(m.registry(someID), r.Registry, 0o600)
		},
		"before the rename": func(m *machine, r *onhost.Return) error {
			return errors.Join(os.WriteFile(m.registry(someID), r.Registry, 0o600), os.Remove(m.tombstone()),
				os.WriteFile(filepath.Join(m.root, r.Entry, ".sandboxer/meta.json"), r.Record, 0o600))
		},
		"after the rename": func(m *machine, r *onhost.Return) error {
			return errors.Join(os.WriteFile(m.registry(someID), r.Registry, 0o600), os.Remove(m.tombstone()),
				os.WriteFile(filepath.Join(m.root, r.Entry, ".sandboxer/meta.json"), r.Record, 0o600),
				os.Rename(filepath.Join(m.root, r.Entry), m.dir(someID)), os.Remove(m.root+"/.trash"))
		},
		"after the audit line": func(m *machine, r *onhost.Return) error {
			log, err := os.OpenFile(filepath.Join(m.home, ".local/state/sandboxer/audit.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer log.Close()
			_, err = log.WriteString(`{"act":"restore","sandbox_id":"` + someID + `","op_id":"0f","at":"x","result":"restored"}` + "\n")
			return errors.Join(err, os.WriteFile(m.registry(someID), r.Registry, 0o600), os.Remove(m.tombstone()),
				os.WriteFile(filepath.Join(m.root, r.Entry, ".sandboxer/meta.json"), r.Record, 0o600),
				os.Rename(filepath.Join(m.root, r.Entry), m.dir(someID)), os.Remove(m.root+"/.trash"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				r := m.kept()
				r.Registry, r.Prior = []byte("before"), "0f"
				if err := cut(m, &r); err != nil {
					t.Fatal(err)
				}
				if got, code := m.run(m.op.Restore(r)); !got.Done || code != 0 {
					t.Fatalf("got %+v and exit %d, want it done", got, code)
				}
				m.back()
			})
		})
	}
}

// What is not as it was seen stays where it is.
func TestRestoreRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(m *machine, from string) error
		code   string // empty: changed
		asRoot bool
	}{
		{"something in its place", func(m *machine, _ string) error { return os.Mkdir(m.dir(someID), 0o700) }, "there", false},
		{"a dangling link in its place", func(m *machine, _ string) error { return os.Symlink("nowhere", m.dir(someID)) }, "there", false},
		{"another directory", func(m *machine, from string) error {
			return errors.Join(os.Rename(from, m.home+"/elsewhere"), os.MkdirAll(from+"/.sandboxer", 0o700))
		}, "", false},
		{"a link to it", func(m *machine, from string) error {
			return errors.Join(os.Rename(from, m.home+"/elsewhere"), os.Symlink(m.home+"/elsewhere", from))
		}, "trash", false},
		{"a trash that is a link", func(m *machine, _ string) error {
			return errors.Join(os.Rename(m.root+"/.trash", m.home+"/elsewhere"), os.Symlink(m.home+"/elsewhere", m.root+"/.trash"))
		}, "trash", false},
		{"a record came", func(m *machine, _ string) error { return os.WriteFile(m.registry(someID), []byte("new"), 0o600) }, "", false},
		{"purged", func(_ *machine, from string) error { return os.RemoveAll(from) }, "", false},
		{"another user's trash", func(m *machine, _ string) error { return os.Chown(m.root+"/.trash", 12345, -1) }, "trash", true},
		{"mount below", func(m *machine, from string) error {
			m.t.Cleanup(func() { syscall.Unmount(from+"/data", syscall.MNT_DETACH) })
			return syscall.Mount(m.home, from+"/data", "", syscall.MS_BIND, "")
		}, "mount_present", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.asRoot {
				lab.Require(t, "root")
			}
			eachShell(t, func(t *testing.T, m *machine) {
				r := m.kept()
				if err := tt.change(m, filepath.Join(m.root, r.Entry)); err != nil {
					t.Fatal(err)
				}
				got, _ := m.run(m.op.Restore(r))
				if got.Done || (tt.code == "") != got.Changed || tt.code != "" && (got.Refused == nil || got.Refused.Code != tt.code) {
					t.Errorf("got %+v, want it refused: %s", got, tt.code)
				}
				if !exists(m.tombstone()) || exists(m.dir(someID)+"/data") || strings.Contains(m.auditLog(), "restored") {
					t.Error("got something changed, want nothing")
				}
			})
		})
	}
}

func TestRestoreWhileLocked(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		r := m.kept()
		held := holdLock(t, filepath.Join(m.home, ".local/state/sandboxer/locks", someID))
		if got, _ := m.run(m.op.Restore(r)); !got.Locked || exists(m.dir(someID)) {
			t.Errorf("got %+v, want it locked", got)
		}
		held.Close()
		if got, _ := m.run(m.op.Restore(r)); !got.Done {
			t.Errorf("got %+v, want it done", got)
		}
	})
}

// A directory that was never a sandbox's comes back as it was.
func TestRestoreUnclaimed(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		item := m.stray("fake99")
		item.Keep = later
		if got, _ := m.run(m.op.Reap([]onhost.Item{item})); got.Item("fake99").Result != onhost.Destroyed || exists(m.dir("fake99")) {
			t.Fatalf("got %+v, want it removed", got)
		}
		r := onhost.Return{
			ID: "fake99", Entry: ".trash/fake99." + m.op.ID + ".32503680000", Device: item.Device, Inode: item.Inode, Audit: []byte(`{"act":"restore"`),
		}
		got, _ := m.run(m.op.Restore(r))
		if !got.Done || !exists(m.dir("fake99")+"/sub") || exists(m.root+"/.trash") || !strings.Contains(m.auditLog(), "restored") {
			t.Errorf("got %+v, want it back", got)
		}
		if left, _ := filepath.Glob(filepath.Join(m.home, ".local/state/sandboxer/*/fake99*")); len(left) > 0 {
			t.Errorf("got %q left, want nothing", left)
		}
	})
}

// trashed is the item that deletes what is kept.
func trashed(r onhost.Return) onhost.Item {
	return onhost.Item{ID: r.Entry, Trashed: true, Device: r.Device, Inode: r.Inode, Audit: []byte(`{"act":"reap"`)}
}

func TestPurgeTrashed(t *testing.T) {
	for _, tt := range []struct {
		name         string
		change       func(m *machine, from string) error
		result, code string
		asRoot       bool
	}{
		{"as it was seen", nil, onhost.Destroyed, "ok", false},
		{"gone", func(_ *machine, from string) error { return os.RemoveAll(from) }, onhost.Gone, "gone", false},
		{"another directory", func(m *machine, from string) error {
			return errors.Join(os.Rename(from, m.home+"/elsewhere"), os.Mkdir(from, 0o700))
		}, onhost.Changed, "dir_changed", false},
		{"a link to it", func(m *machine, from string) error {
			return errors.Join(os.Rename(from, m.home+"/elsewhere"), os.Symlink(m.home+"/elsewhere", from))
		}, onhost.Refused, "not_dir", false},
		{"a trash that is a link", func(m *machine, _ string) error {
			return errors.Join(os.Rename(m.root+"/.trash", m.home+"/elsewhere"), os.Symlink(m.home+"/elsewhere", m.root+"/.trash"))
		}, onhost.Refused, "trash", false},
		{"mount below", func(m *machine, from string) error {
			m.t.Cleanup(func() { syscall.Unmount(from+"/data", syscall.MNT_DETACH) })
			return syscall.Mount(m.home, from+"/data", "", syscall.MS_BIND, "")
		}, onhost.Refused, "mount_present", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.asRoot {
				lab.Require(t, "root")
			}
			eachShell(t, func(t *testing.T, m *machine) {
				r := m.kept()
				from := filepath.Join(m.root, r.Entry)
				if tt.change != nil {
					if err := tt.change(m, from); err != nil {
						t.Fatal(err)
					}
				}
				got, _ := m.run(m.op.Reap([]onhost.Item{trashed(r)}))
				if it := got.Item(r.Entry); it.Result != tt.result || it.Code != tt.code {
					t.Errorf("got %+v, want %s %s", got, tt.result, tt.code)
				}
				if gone := strings.Contains(m.auditLog(), `"result":"purged"}`); gone != (tt.result == onhost.Destroyed) {
					t.Errorf("got audit log %q", m.auditLog())
				}
				if there := exists(from); there != (tt.result == onhost.Changed || tt.result == onhost.Refused) {
					t.Errorf("%s: exists %v", from, there)
				}
				if tt.code == "ok" && exists(m.root+"/.trash") {
					t.Error("got an empty trash left")
				}
				if locks, _ := filepath.Glob(filepath.Join(m.home, ".local/state/sandboxer/locks/*")); tt.code == "ok" && len(locks) > 0 {
					t.Errorf("got %q left", locks)
				}
			})
		})
	}
}

// A destroy deletes what reaps have kept of the same name; a reap that keeps
// leaves it. Neither touches what no reap has put there.
func TestPurgeKeepsOthers(t *testing.T) {
	own := []string{"bak", "0123456789abcdef", "20261125.0", "0123456789abcdef.0.0", "0123456789abcdef.old", "0123456789abcdeg.0", "0123456789abcdef0.0"}
	eachShell(t, func(t *testing.T, m *machine) {
		for _, name := range own {
			if err := os.MkdirAll(m.root+"/.trash/fake99."+name, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range []struct {
			keep, want int64 // seconds, entries
		}{{later, 1}, {later, 2}, {0, 0}} {
			item := m.stray("fake99")
			item.Keep = c.keep
			op := m.op
			op.ID = op.ID[:15] + string(rune('a'+i))
			if got, _ := m.run(op.Reap([]onhost.Item{item})); got.Item("fake99").Result != onhost.Destroyed {
				t.Fatalf("got %+v, want it removed", got)
			}
			if found, _ := filepath.Glob(m.root + "/.trash/fake99.*"); len(found) != int(c.want)+len(own) {
				t.Errorf("keep %d: got %q in the trash, want %d and %q", c.keep, found, c.want, own)
			}
		}
	})
}

// What is kept to look back at does not grow for ever.
func TestTidy(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.op.ID = "0123456789abcde0"
		a := m.reserve(someID, "rec")
		state := filepath.Join(m.home, ".local/state/sandboxer")
		old, recent := state+"/registry/destroyed/old-000000.json", state+"/registry/destroyed/new-000000.json"
		long := time.Now().Add(-33 * 24 * time.Hour)
		if err := errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(recent, nil, 0o600), os.Chtimes(old, long, long),
			os.WriteFile(state+"/audit.jsonl", nil, 0o600), os.Truncate(state+"/audit.jsonl", 17<<20)); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, someID, "rec", "true")})); got.Item(someID).Result != onhost.Destroyed {
			t.Fatalf("got %+v, want it destroyed", got)
		}
		if exists(old) || !exists(recent) || !exists(state+"/audit.jsonl.1") || exists(state+"/audit.jsonl") {
			t.Error("got old records kept, or recent ones gone, or the log not put aside")
		}
	})
}

// What a create or a destroy that was killed has left of a sandbox that is none
// goes in the end. What a sandbox or an operation has stays.
func TestTidyAfterDeaths(t *testing.T) {
	const other = "canary-111111"
	eachShell(t, func(t *testing.T, m *machine) {
		m.op.ID = "0123abc0"
		a := m.reserve(someID, "rec")
		m.reserve(other, "rec")
		state := filepath.Join(m.home, ".local/state/sandboxer")
		dead := []string{"/locks/dead-000000", "/registry/dead-000000.json.77.tmp", "/registry/destroyed/dead-111111.json.78.tmp"}
		young := []string{"/locks/young-000000", "/registry/young-000000.json.79.tmp"}
		for _, name := range append(append([]string{"/locks/held-000000"}, dead...), young...) {
			if err := os.WriteFile(state+name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		long := time.Now().Add(-72 * time.Hour)
		for _, name := range append([]string{"/locks/held-000000", "/locks/" + other, "/registry/" + other + ".json"}, dead...) {
			if err := os.Chtimes(state+name, long, long); err != nil {
				t.Fatal(err)
			}
		}
		held, err := os.Open(state + "/locks/held-000000")
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		if got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, someID, "rec", "true")})); got.Item(someID).Result != onhost.Destroyed {
			t.Fatalf("got %+v, want it destroyed", got)
		}
		for _, name := range dead {
			if exists(state + name) {
				t.Errorf("got %s left, want it gone", name)
			}
		}
		for _, name := range append([]string{"/locks/held-000000", "/locks/" + other, "/registry/" + other + ".json"}, young...) {
			if !exists(state + name) {
				t.Errorf("got %s gone, want it left", name)
			}
		}
	})
}

// A line that was cut short is ended before the next one is begun.
func TestAuditAfterATornLine(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.reserve(someID, "rec")
		log := filepath.Join(m.home, ".local/state/sandboxer/audit.jsonl")
		if err := os.WriteFile(log, []byte(`{"act":"des`), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, _ := m.run(m.op.Audit([]byte(`{"act":"reap"`), "held")); !got.Done {
				t.Fatalf("got %+v, want it done", got)
			}
		}
		lines := strings.Split(m.auditLog(), "\n")
		if len(lines) != 4 || lines[0] != `{"act":"des` || !strings.HasPrefix(lines[1], `{"act":"reap"`) || !strings.HasPrefix(lines[2], `{"act":"reap"`) {
			t.Errorf("got %q, want the torn line and two whole ones", lines)
		}
	})
}

// What is deleted only in part is not taken for what was kept, and the next
// purge finds it by its old name.
func TestPurgeInPart(t *testing.T) {
	lab.Require(t, "root")
	eachShell(t, func(t *testing.T, m *machine) {
		r := m.kept()
		file := filepath.Join(m.root, r.Entry, "data/file")
		attr := func(flag, file string) {
			if out, err := exec.Command("chattr", flag, file).CombinedOutput(); err != nil {
				t.Fatalf("chattr: %v: %s", err, out)
			}
		}
		attr("+i", file)
		doomed := filepath.Join(m.root, strings.TrimSuffix(r.Entry, "32503680000")+"0")
		t.Cleanup(func() { _ = exec.Command("chattr", "-i", doomed+"/data/file").Run() })
		got, _ := m.run(m.op.Reap([]onhost.Item{trashed(r)}))
		if it := got.Item(r.Entry); it.Result != onhost.Failed || it.Code != onhost.TrashLeft || !exists(doomed) {
			t.Fatalf("got %+v, want it left, by a name of no time", got)
		}
		if got, _ := m.run(m.op.Restore(r)); got.Done {
			t.Errorf("restore: got %+v, want it not done", got)
		}
		attr("-i", doomed+"/data/file")
		got, _ = m.run(m.op.Reap([]onhost.Item{trashed(r)}))
		if it := got.Item(r.Entry); it.Result != onhost.Destroyed || exists(m.root+"/.trash") {
			t.Errorf("got %+v, want it deleted", got)
		}
	})
}

// What is closed to writing is the caller's own all the same.
func TestReapClosed(t *testing.T) {
	eachUsersShell(t, func(t *testing.T, m *machine, _ onhost.Item) {
		item := m.stray("fake99")
		if err := errors.Join(os.MkdirAll(m.dir("fake99")+"/a/b", 0o755), exec.Command("chown", "-R", "65534:65534", m.root+"/fake99").Run(),
			os.Chmod(m.dir("fake99")+"/a", 0o555), os.Chmod(m.dir("fake99"), 0o555)); err != nil {
			t.Fatal(err)
		}
		kept := item
		kept.Keep = later
		if got, _ := m.run(m.op.Reap([]onhost.Item{kept})); got.Item("fake99").Result != onhost.Destroyed {
			t.Fatalf("got %+v, want it moved", got)
		}
		entry := m.root + "/.trash/fake99." + m.op.ID + ".32503680000"
		if info, err := os.Stat(entry); err != nil || info.Mode().Perm() != 0o555 {
			t.Errorf("got %v, %v, want its mode as it was", info, err)
		}
		kept = onhost.Item{ID: strings.TrimPrefix(entry, m.root+"/"), Trashed: true, Device: item.Device, Inode: item.Inode, Audit: item.Audit}
		if got, _ := m.run(m.op.Reap([]onhost.Item{kept})); got.Item(kept.ID).Result != onhost.Destroyed {
			t.Errorf("got %+v, want it deleted", got)
		}
	})
}
