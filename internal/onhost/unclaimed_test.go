package onhost_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// stray makes a directory that nobody accounts for, and the item that removes
// it as it is now.
func (m *machine) stray(name string) onhost.Item {
	m.t.Helper()
	if err := os.MkdirAll(m.dir(name)+"/sub", 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(m.root, 0o700); err != nil {
		m.t.Fatal(err)
	}
	info, err := os.Lstat(m.dir(name))
	if err != nil {
		m.t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return onhost.Item{
		ID: name, Unclaimed: true, Device: int64(st.Dev), Inode: int64(st.Ino),
		Audit: []byte(`{"act":"reap"`),
	}
}

func (m *machine) auditLog() string {
	m.t.Helper()
	log, err := os.ReadFile(filepath.Join(m.home, ".local/state/sandboxer/audit.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(log)
}

// Whatever lies in it, all of an unclaimed directory goes, and nothing beside.
func TestReapUnclaimed(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		item := m.stray("fake99")
		outside := filepath.Join(m.home, "precious")
		if err := os.WriteFile(outside, []byte("x"), 0o640); err != nil {
			t.Fatal(err)
		}
		dir := m.dir("fake99")
		for _, name := range []string{"-rf", "a\nb", "\xff\xfe", "--", "*", "$(id)", "' '"} {
			if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, err := range []error{
			os.Link(outside, dir+"/hard"), os.Symlink(outside, dir+"/soft"), os.Symlink(m.home, dir+"/home"),
			os.Symlink("loop", dir+"/loop"), syscall.Mkfifo(dir+"/fifo", 0o600),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		deep := dir + "/deep"
		for range 400 {
			deep += "/dddddd"
		}
		if err := os.MkdirAll(deep, 0o700); err != nil {
			t.Fatal(err)
		}
		got, _ := m.run(m.op.Reap([]onhost.Item{item}))
		if it := got.Item("fake99"); it.Result != onhost.Destroyed {
			t.Fatalf("got %+v, want it removed", got)
		}
		if exists(dir) || exists(m.root+"/.trash") {
			t.Error("something of it is left")
		}
		if data, err := os.ReadFile(outside); string(data) != "x" || err != nil {
			t.Errorf("a file outside: got %q, %v, want it untouched", data, err)
		}
		if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("a file outside: got %v, %v, want its mode untouched", info.Mode(), err)
		}
		if log := m.auditLog(); strings.Count(log, "\n") != 1 || !strings.HasSuffix(log, `"result":"removed"}`+"\n") {
			t.Errorf("got audit log %q, want one line", log)
		}
		if locks, _ := filepath.Glob(m.home + "/.local/state/sandboxer/locks/*"); len(locks) > 0 {
			t.Errorf("got locks %q left, want none", locks)
		}
	})
}

// What is not as it was seen stays, and nothing is followed.
func TestReapUnclaimedRefuses(t *testing.T) {
	const name = "fake99"
	for _, tt := range []struct {
		name         string
		change       func(m *machine, item *onhost.Item) error
		result, code string
		asRoot       bool
	}{
		{"locked", nil, onhost.Locked, "locked", false},
		{"another directory", func(m *machine, _ *onhost.Item) error {
			if err := os.Rename(m.dir(name), m.root+"/elsewhere"); err != nil {
				return err
			}
			return os.Mkdir(m.dir(name), 0o700)
		}, onhost.Changed, "dir_changed", false},
		{"a link to it", func(m *machine, _ *onhost.Item) error {
			if err := os.Rename(m.dir(name), m.root+"/elsewhere"); err != nil {
				return err
			}
			return os.Symlink(m.root+"/elsewhere", m.dir(name))
		}, onhost.Refused, "not_dir", false},
		{"a dangling link", func(m *machine, _ *onhost.Item) error {
			if err := os.Rename(m.dir(name), m.root+"/elsewhere"); err != nil {
				return err
			}
			return os.Symlink("nowhere", m.dir(name))
		}, onhost.Refused, "not_dir", false},
		{"a file", func(m *machine, _ *onhost.Item) error {
			if err := os.RemoveAll(m.dir(name)); err != nil {
				return err
			}
			return os.WriteFile(m.dir(name), nil, 0o600)
		}, onhost.Refused, "not_dir", false},
		{"another device", func(_ *machine, item *onhost.Item) error { item.Device++; return nil }, onhost.Changed, "dir_changed", false},
		{"another user's", func(m *machine, _ *onhost.Item) error { return os.Chown(m.dir(name), 12345, -1) }, onhost.Changed, "dir_changed", true},
		{"metadata came", func(m *machine, _ *onhost.Item) error { return os.Mkdir(m.dir(name)+"/.sandboxer", 0o700) }, onhost.Changed, "claimed", false},
		{"a link for metadata came", func(m *machine, _ *onhost.Item) error { return os.Symlink("nowhere", m.dir(name)+"/.sandboxer") }, onhost.Changed, "claimed", false},
		{"a record came", func(m *machine, _ *onhost.Item) error {
			if err := os.MkdirAll(filepath.Dir(m.registry(name)), 0o700); err != nil {
				return err
			}
			return os.WriteFile(m.registry(name), []byte("{}"), 0o600)
		}, onhost.Changed, "claimed", false},
		{"mount below", func(m *machine, _ *onhost.Item) error {
			m.t.Cleanup(func() { syscall.Unmount(m.dir(name)+"/sub", syscall.MNT_DETACH) })
			return syscall.Mount(m.home, m.dir(name)+"/sub", "", syscall.MS_BIND, "")
		}, onhost.Refused, "mount_present", true},
		{"gone", func(m *machine, _ *onhost.Item) error { return os.RemoveAll(m.dir(name)) }, onhost.Gone, "gone", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.asRoot {
				lab.Require(t, "root")
			}
			eachShell(t, func(t *testing.T, m *machine) {
				item := m.stray(name)
				if tt.change != nil {
					if err := tt.change(m, &item); err != nil {
						t.Fatal(err)
					}
				}
				if tt.name == "locked" {
					locks := filepath.Join(m.home, ".local/state/sandboxer/locks")
					if err := os.MkdirAll(locks, 0o700); err != nil {
						t.Fatal(err)
					}
					defer holdLock(t, filepath.Join(locks, name)).Close()
				}
				got, _ := m.run(m.op.Reap([]onhost.Item{item}))
				if it := got.Item(name); it.Result != tt.result || it.Code != tt.code {
					t.Errorf("got %+v, want %s %s", it, tt.result, tt.code)
				}
				if exists(m.dir(name)) != (tt.name != "gone") {
					t.Errorf("%s: exists %v, want it as it was", m.dir(name), exists(m.dir(name)))
				}
				if strings.Contains(m.auditLog(), "removed") {
					t.Errorf("got audit log %q, want no removal", m.auditLog())
				}
			})
		})
	}
}

// What cannot be deleted goes back to where it is seen.
func TestReapUnclaimedBack(t *testing.T) {
	stubs := t.TempDir()
	script := "#!/bin/sh\ncase $1 in -rf) echo rm: Operation not permitted >&2; exit 1 ;; esac\nexec /bin/rm \"$@\"\n"
	if err := os.WriteFile(stubs+"/rm", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", stubs+":"+os.Getenv("PATH"))
	eachShell(t, func(t *testing.T, m *machine) {
		if filepath.Base(m.shell) == "busybox" {
			return // its rm is its own
		}
		item := m.stray("fake99")
		got, _ := m.run(m.op.Reap([]onhost.Item{item}))
		it := got.Item("fake99")
		if it.Result != onhost.Failed || it.Code != "trash_left" || !strings.Contains(it.Message, "not permitted") {
			t.Errorf("got %+v, want it failed with the reason", it)
		}
		if !exists(m.dir("fake99")+"/sub") || exists(m.root+"/.trash") {
			t.Errorf("got it in trash, want it where it was")
		}
	})
}

// A directory that a process of another mount name space uses stays.
func TestReapUnclaimedInUse(t *testing.T) {
	lab.Require(t, "root")
	eachShell(t, func(t *testing.T, m *machine) {
		item, other := m.stray("fake99"), m.stray("fake9")
		target := t.TempDir()
		user := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$1" "$2" && echo mounted && read -r end`, "sh", m.dir("fake99")+"/sub", target)
		end, err := user.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said, err := user.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := user.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { end.Close(); _ = user.Wait() })
		if line, err := bufio.NewReader(said).ReadString('\n'); err != nil {
			t.Fatalf("got %q, %v, want it mounted", line, err)
		}
		got, _ := m.run(m.op.Reap([]onhost.Item{item, other}))
		if it := got.Item("fake99"); it.Result != onhost.Refused || it.Code != "in_use" || !exists(m.dir("fake99")+"/sub") {
			t.Errorf("got %+v, want it refused as in use", it)
		}
		if it := got.Item("fake9"); it.Result != onhost.Destroyed {
			t.Errorf("beside it: got %+v, want it removed", it)
		}
	})
}

// A root that is a link leads to no removal at all.
func TestReapRefusesALinkedRoot(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		item := m.stray("fake99")
		if err := os.Rename(m.root, m.root+"-real"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(m.root+"-real", m.root); err != nil {
			t.Fatal(err)
		}
		got, code := m.run(m.op.Reap([]onhost.Item{item}))
		if got.Refused == nil || got.Refused.Code != "root_symlink" || code != 4 || !exists(m.root+"-real/fake99") {
			t.Errorf("got %+v and exit %d, want it refused and nothing removed", got, code)
		}
	})
}

// What the caller refuses is noted and left alone, and forges no other's end.
func TestReapNotesRefusals(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		const id = "canary-000000"
		a := m.reserve(id, "rec")
		item := m.item(a, id, "rec", "echo never")
		item.Refusal, item.Message = "engine_mismatch", "it's another\nend other destroyed ok"
		got, _ := m.run(m.op.Reap([]onhost.Item{item}))
		if it := got.Item(id); len(got.Items) != 1 || it.Result != onhost.Refused || it.Code != "engine_mismatch" || !exists(m.dir(id)) {
			t.Errorf("got %+v, want it refused and left", got)
		}
		if log := m.auditLog(); !strings.HasSuffix(log, `"result":"engine_mismatch"}`+"\n") {
			t.Errorf("got audit log %q, want the refusal", log)
		}
	})
}

// One reap at a time; a child that a teardown leaves running does not keep the
// next one out.
func TestReapIsAlone(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		const id = "canary-000000"
		a := m.reserve(id, "rec")
		lock := filepath.Join(m.home, ".local/state/sandboxer/reap.lock")
		held := holdLock(t, lock)
		item := m.item(a, id, "rec", "sleep 60 >/dev/null 2>&1 </dev/null & echo removed process $!")
		got, _ := m.run(m.op.Reap([]onhost.Item{item, m.stray("fake99")}))
		if !got.Locked || len(got.Items) > 0 || !exists(m.dir(id)) || !exists(m.dir("fake99")) {
			t.Errorf("while another reaps: got %+v, want it locked and nothing done", got)
		}
		held.Close()
		got, _ = m.run(m.op.Reap([]onhost.Item{item}))
		if it := got.Item(id); it.Result != onhost.Destroyed || len(it.Removed) != 1 {
			t.Fatalf("got %+v, want it destroyed", got)
		} else if pid := 0; true {
			fmt.Sscanf(it.Removed[0], "process %d", &pid)
			t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
		}
		got, _ = m.run(m.op.Reap([]onhost.Item{m.stray("fake99")}))
		if it := got.Item("fake99"); it.Result != onhost.Destroyed {
			t.Errorf("beside a child left running: got %+v, want it removed", got)
		}
	})
}

// A removal that died after its audit line is finished without a second one;
// one that died before it still gets its line, and so does another removal of
// what was restored in between.
func TestDestroyIsAuditedOnce(t *testing.T) {
	const id = "canary-000000"
	for _, tt := range []struct {
		name   string
		before []string // lines on it, without their beginning
		want   int
	}{
		{"no line", nil, 1},
		{"the one that was cut off", []string{`0f","at":"x","result":"removed"}`}, 1},
		{"the one that was cut off before that", []string{`0e","at":"x","result":"removed"}`, `0f","at":"x","result":"held"}`}, 1},
		{"one before it was restored", []string{`0d","at":"x","result":"removed"}`, `0e","at":"x","result":"restored"}`}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				a := m.reserve(id, "rec")
				line := `{"act":"destroy","sandbox_id":"` + id + `","op_id":"`
				log := line + `0f","at":"x","result":"mount_present"}` + "\n" + strings.Replace(line, id, "other-000000", 1) + `0f","at":"x","result":"removed"}` + "\n"
				for _, end := range tt.before {
					log += line + end + "\n"
				}
				if err := os.WriteFile(filepath.Join(m.home, ".local/state/sandboxer/audit.jsonl"), []byte(log), 0o600); err != nil {
					t.Fatal(err)
				}
				item := m.item(a, id, "rec", "true")
				item.Audit, item.Prior = []byte(line+`1a"`), "0f"
				got, _ := m.run(m.op.Destroy([]onhost.Item{item}))
				if it := got.Item(id); it.Result != onhost.Destroyed {
					t.Fatalf("got %+v, want it destroyed", got)
				}
				n := 0
				for l := range strings.Lines(m.auditLog()) {
					if strings.Contains(l, id) && strings.HasSuffix(l, `"result":"removed"}`+"\n") {
						n++
					}
				}
				if n != tt.want {
					t.Errorf("got %d lines of its removal, want %d:\n%s", n, tt.want, m.auditLog())
				}
			})
		})
	}
}

// A script of which the end did not arrive removes no directory.
func TestReapUnclaimedCutOff(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		c := m.op.Reap([]onhost.Item{m.stray("fake99")})
		var script bytes.Buffer
		if _, err := script.ReadFrom(c.Stdin); err != nil {
			t.Fatal(err)
		}
		for n := bytes.LastIndex(script.Bytes(), []byte("remove_unclaimed")); n < script.Len()-2; n += 7 {
			c.Stdin = bytes.NewReader(script.Bytes()[:n])
			m.command(c).Run() // whatever it makes of that
			if !exists(m.dir("fake99")) {
				t.Fatalf("cut off after %d of %d bytes: it is gone", n, script.Len())
			}
		}
	})
}
