package probe_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

func TestMain(m *testing.M) {
	syscall.Umask(0o022)
	os.Exit(m.Run())
}

// hostile fills a root with everything that can go wrong in one.
func hostile(t testing.TB, m *machine) {
	t.Helper()
	m.put(m.record("good-one"), "both")
	lost := m.record("lost-meta")
	m.put(lost, "registry")
	m.write(m.root+"/lost-meta/file", "x", 0o600)
	m.put(m.record("dir-gone"), "registry")
	m.put(m.record("no-registry"), "directory")
	m.write(m.root+"/cut-short/.sandboxer/meta.json", `{"schema":1,"sandbox_id":"cut-`, 0o600)
	m.write(m.root+"/too-large/.sandboxer/meta.json", strings.Repeat(" ", sandboxer.MaxRecord+1), 0o600)
	m.write(m.root+"/fake99/deep/file", "x", 0o600)
	m.write(m.root+"/ab", "a file, whose name is no id", 0o600)
	m.write(m.root+"/.trash/good-one.123/file", "x", 0o600)
	m.write(m.root+"/My Dir/file", "x", 0o600)
	other := m.record("other-name")
	m.put(other, "directory")
	must(t, os.Rename(m.root+"/other-name", m.root+"/copied-one"))
	for _, dir := range []string{"/a-fifo", "/a-link", "/two-names"} {
		must(t, os.MkdirAll(m.root+dir+"/.sandboxer", 0o700))
	}
	must(t, syscall.Mkfifo(m.root+"/a-fifo/.sandboxer/meta.json", 0o600))
	must(t, os.Symlink(m.root+"/good-one/.sandboxer/meta.json", m.root+"/a-link/.sandboxer/meta.json"))
	must(t, os.Link(m.root+"/cut-short/.sandboxer/meta.json", m.root+"/two-names/.sandboxer/meta.json"))
	must(t, os.Remove(m.root+"/cut-short/.sandboxer/meta.json"))
	m.write(m.root+"/cut-short/.sandboxer/meta.json", `{"schema":1,"sandbox_id":"cut-`, 0o600)
	must(t, os.Symlink(m.root+"/good-one", m.root+"/linked-dir"))
	must(t, os.Mkdir(m.root+"/line\n41ed 0 0 1 2 3 4 5 forged-one", 0o700))
	must(t, os.Mkdir(m.root+"/-rf", 0o700))
	must(t, os.Mkdir(m.root+"/bad-\xff-utf8", 0o700))
	must(t, os.MkdirAll(m.root+"/$(id)/.sandboxer", 0o700))
	must(t, os.Symlink("nowhere", m.root+"/.hidden"))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHostileRoot(t *testing.T) {
	m := newMachine(t)
	hostile(t, m)
	obs := m.collect(sandboxer.CollectOptions{})
	inv := obs.Inventory
	type row struct {
		ID                 string
		Metadata, Registry sandboxer.RecordState
		State              sandboxer.State
	}
	var got []row
	for _, s := range inv.Sandboxes {
		got = append(got, row{string(s.SandboxID), s.Metadata, s.Registry, s.State})
	}
	const ok, missing, corrupt = sandboxer.RecordOK, sandboxer.RecordMissing, sandboxer.RecordCorrupt
	const ready, unknown = sandboxer.StateReady, sandboxer.StateUnknown
	want := []row{
		{"a-fifo", corrupt, missing, unknown},
		{"a-link", corrupt, missing, unknown},
		{"copied-one", corrupt, missing, unknown},
		{"cut-short", corrupt, missing, unknown},
		{"dir-gone", missing, ok, ready},
		{"good-one", ok, ok, ready},
		{"lost-meta", missing, ok, ready},
		{"no-registry", ok, missing, ready},
		{"too-large", corrupt, missing, unknown},
		{"two-names", corrupt, missing, unknown},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sandboxes (-want +got):\n%s", diff)
	}
	checkEntries(t, inv)
	if !inv.Complete || inv.RootState != sandboxer.RootOK {
		t.Errorf("got complete %t, root %q, want true, ok: %+v", inv.Complete, inv.RootState, inv.Sources)
	}
	if inv.Root != m.root {
		t.Errorf("root: got %q, want %q", inv.Root, m.root)
	}
}

// checkEntries looks at what is nobody's sandbox.
func checkEntries(t *testing.T, inv sandboxer.Inventory) {
	t.Helper()
	type dir struct {
		Name, Kind string
		ValidID    bool
		Changed    bool
	}
	var dirs []dir
	for _, d := range inv.Directories {
		dirs = append(dirs, dir{d.Name, d.Kind, d.ValidID, d.LastChange != nil})
		if !d.Own {
			t.Errorf("directory %q: got another user's, want own", d.Name)
		}
	}
	wantDirs := []dir{
		{"$(id)", "directory", false, false},
		{"-rf", "directory", false, true},
		{".hidden", "symlink", false, true},
		{"My Dir", "directory", false, false},
		{"ab", "other", true, true},
		{`bad-\xff-utf8`, "directory", false, false},
		{"fake99", "directory", true, true},
		{"line\n41ed 0 0 1 2 3 4 5 forged-one", "directory", false, false},
		{"linked-dir", "symlink", true, true},
	}
	if diff := cmp.Diff(wantDirs, dirs); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
}

// The same numbers and the same inventory, whatever the shell and the tools.
func TestShells(t *testing.T) {
	lab.Require(t, "dash", "bash", "busybox", "mksh")
	m := newMachine(t)
	m.shell = []string{"dash"}
	hostile(t, m)
	want := m.collect(sandboxer.CollectOptions{})
	busybox, err := exec.LookPath("busybox")
	must(t, err)
	applets := t.TempDir()
	for _, tool := range tools {
		must(t, os.Symlink(busybox, filepath.Join(applets, tool)))
	}
	for _, c := range []struct {
		name  string
		shell []string
		bin   string
	}{
		{"bash", []string{"bash"}, m.bin},
		{"bash posix", []string{"bash", "--posix"}, m.bin},
		{"mksh", []string{"mksh"}, m.bin},
		{"busybox ash", []string{"busybox", "sh"}, m.bin},
		{"busybox alone", []string{"busybox", "sh"}, applets},
		{"dash and busybox", []string{"dash"}, applets},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := *m
			other.t, other.shell, other.bin = t, c.shell, c.bin
			got := other.collect(sandboxer.CollectOptions{})
			options := restless()
			if c.bin == applets { // whose stat cannot tell births
				options = append(options, maybeBorn())
			}
			if diff := cmp.Diff(want, got, options...); diff != "" {
				t.Errorf("(-dash +%s):\n%s", c.name, diff)
			}
			if len(got.Snapshot.Collection.Missing) != len(want.Snapshot.Collection.Missing) {
				t.Errorf("missing: got %v, want %v", got.Snapshot.Collection.Missing, want.Snapshot.Collection.Missing)
			}
		})
	}
}

// Past some hundred entries the script goes other ways, and says the same.
func TestManyEntries(t *testing.T) {
	lab.Require(t, "busybox")
	m := newMachine(t)
	hostile(t, m)
	rec := m.record("canary-0000")
	few := m.collect(sandboxer.CollectOptions{})
	const count = 600
	for i := range count {
		rec.SandboxID = sandboxer.ID(fmt.Sprintf("canary-%04d", i))
		m.put(rec, "both")
	}
	registry := m.home + "/.local/state/sandboxer/registry/"
	must(t, os.Symlink("canary-0001.json", registry+"linked-record.json"))
	m.write(registry+"large-record.json", strings.Repeat(" ", sandboxer.MaxRecord+1), 0o600)
	many := m.collect(sandboxer.CollectOptions{})
	if got, want := len(many.Inventory.Sandboxes), len(few.Inventory.Sandboxes)+count+2; got != want || !many.Inventory.Complete {
		t.Fatalf("got %d sandboxes, complete %t, want %d, true", got, many.Inventory.Complete, want)
	}
	for _, s := range few.Inventory.Sandboxes {
		if diff := cmp.Diff(s, find(t, many, string(s.SandboxID))); diff != "" {
			t.Errorf("%s (-few +many):\n%s", s.SandboxID, diff)
		}
	}
	if diff := cmp.Diff(few.Inventory.Directories, many.Inventory.Directories); diff != "" {
		t.Errorf("directories (-few +many):\n%s", diff)
	}
	for _, id := range []string{"linked-record", "large-record"} {
		if s := find(t, many, id); s.Registry != sandboxer.RecordCorrupt {
			t.Errorf("%s: got registry %s, want corrupt", id, s.Registry)
		}
	}
	other := *m
	other.bin, other.shell = t.TempDir(), []string{"busybox", "sh"}
	busybox, err := exec.LookPath("busybox")
	must(t, err)
	for _, tool := range tools {
		must(t, os.Symlink(busybox, filepath.Join(other.bin, tool)))
	}
	if diff := cmp.Diff(many.Inventory, other.collect(sandboxer.CollectOptions{}).Inventory, maybeBorn()); diff != "" {
		t.Errorf("(-dash +busybox):\n%s", diff)
	}
}

// maybeBorn is for tools that may not tell when a file was made.
func maybeBorn() cmp.Option {
	return cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Birth" },
		cmp.Comparer(func(a, b int64) bool { return a == b || a == 0 || b == 0 }))
}

// restless ignores what differs from one moment to the next, but not whether
// it is known, nor what order of size it is of.
func restless() []cmp.Option {
	near := cmp.Comparer(func(a, b *int64) bool {
		return (a == nil) == (b == nil) && (a == nil || *a == *b || *a/2 <= *b && *b/2 <= *a || *a < 2000 && *b < 2000)
	})
	nearly := cmp.Comparer(func(a, b *float64) bool {
		return (a == nil) == (b == nil) && (a == nil || *a == *b || *a/2 <= *b && *b/2 <= *a || *a < 100 && *b < 100)
	})
	return []cmp.Option{
		cmp.FilterPath(func(p cmp.Path) bool {
			switch p.String() {
			case "Snapshot.ObservedAt", "Snapshot.ClockOffsetMS", "Snapshot.ClockUncertaintyMS", "Snapshot.Collection.Bytes",
				"Snapshot.Collection.DurationMS", "Snapshot.Collection.Missing", "Snapshot.Objects", "Facts.Tools",
				"Snapshot.Memory.DirtyBytes":
				return true
			}
			return false
		}, cmp.Ignore()),
		near, nearly, cmpopts.EquateComparable(time.Time{}),
	}
}

func TestRootStates(t *testing.T) {
	home := func(m *machine) string { return m.home }
	for _, c := range []struct {
		name string
		make func(m *machine) string // returns the root to ask for
		want sandboxer.RootState
	}{
		{"absent", func(m *machine) string { return m.root }, sandboxer.RootAbsent},
		{"below an absent one", func(m *machine) string { return m.root + "/a/b/c" }, sandboxer.RootAbsent},
		{"good", func(m *machine) string { must(m.t, os.Mkdir(m.root, 0o700)); return m.root }, sandboxer.RootOK},
		{"under home", func(m *machine) string { must(m.t, os.Mkdir(home(m)+"/x", 0o755)); return "~/x" }, sandboxer.RootOK},
		{"a file", func(m *machine) string { m.write(m.root, "", 0o600); return m.root }, sandboxer.RootNotDir},
		{"a link", func(m *machine) string { must(m.t, os.Symlink(m.home, m.root)); return m.root }, sandboxer.RootSymlink},
		{"a link to nothing", func(m *machine) string { must(m.t, os.Symlink("x", m.root)); return m.root }, sandboxer.RootSymlink},
		{"below a link", func(m *machine) string {
			must(m.t, os.Symlink(m.home, m.root))
			must(m.t, os.Mkdir(m.home+"/sub", 0o700))
			return m.root + "/sub"
		}, sandboxer.RootSymlink},
		{"group may write", func(m *machine) string {
			must(m.t, os.Mkdir(m.root, 0o700))
			must(m.t, os.Chmod(m.root, 0o775))
			return m.root
		}, sandboxer.RootWritable},
		{"with a space", func(m *machine) string { must(m.t, os.Mkdir(m.root+" x", 0o700)); return m.root + " x" }, sandboxer.RootOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			obs := m.collect(sandboxer.CollectOptions{Root: c.make(m)})
			if obs.Inventory.RootState != c.want {
				t.Errorf("got %q, want %q", obs.Inventory.RootState, c.want)
			}
			if !obs.Inventory.Complete {
				t.Errorf("got incomplete, want complete: %+v", obs.Inventory.Sources)
			}
			warned := len(obs.Snapshot.Collection.Warnings) > 0
			if want := c.want == sandboxer.RootSymlink || c.want == sandboxer.RootWritable; warned != want {
				t.Errorf("warnings: got %q, want some: %t", obs.Snapshot.Collection.Warnings, want)
			}
		})
	}
}

func TestRootOfOthers(t *testing.T) {
	lab.Require(t, "root")
	for _, c := range []struct {
		name  string
		owner int
		mode  os.FileMode
		want  sandboxer.RootState
	}{
		{"another user's", 12345, 0o700, sandboxer.RootForeign},
		{"another user's, sticky", 12345, os.ModeSticky | 0o777, sandboxer.RootForeign},
		{"root's, sticky", 0, os.ModeSticky | 0o777, sandboxer.RootOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			must(t, os.Mkdir(m.root, 0o700))
			must(t, os.Chmod(m.root, c.mode))
			must(t, os.Chown(m.root, c.owner, 0))
			if got := m.collect(sandboxer.CollectOptions{}).Inventory.RootState; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBadRoots(t *testing.T) {
	m := newMachine(t)
	for _, root := range []string{"relative", "/", "~", "~/", "~user/x", "/a\nb", `/a\b`, "//"} {
		_, err := probe.Collector{}.Collect(t.Context(), m, sandboxer.CollectOptions{Root: root})
		if err == nil {
			t.Errorf("root %q: got no error, want one", root)
		}
	}
	if m.runs != 0 {
		t.Errorf("got %d commands run, want none", m.runs)
	}
}

func TestLocks(t *testing.T) {
	m := newMachine(t)
	for _, id := range []string{"held-one", "free-one", "none-yet"} {
		m.put(m.record(id), "both")
	}
	locks := m.home + "/.local/state/sandboxer/locks/"
	m.write(locks+"free-one", "", 0o600)
	m.write(locks+"held-one", "", 0o600)
	f, err := os.Open(locks + "held-one")
	must(t, err)
	defer f.Close()
	must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	obs := m.collect(sandboxer.CollectOptions{})
	for id, want := range map[string]bool{"held-one": true, "free-one": false, "none-yet": false} {
		s := find(t, obs, id)
		if s.Locked == nil || *s.Locked != want {
			t.Errorf("%s: got locked %s, want %t", id, show(s.Locked), want)
		}
	}
}

func show[T any](p *T) string {
	if p == nil {
		return "null"
	}
	return cmp.Diff(nil, *p)
}

// Where all entries have metadata, and be they very many, none is looked at by
// itself; one that has none is found among them.
func TestManySandboxesAlone(t *testing.T) {
	lab.Require(t, "dash", "bash", "mksh", "busybox")
	m := newMachine(t)
	rec := m.record("canary-0000")
	const count = 600
	for i := range count {
		rec.SandboxID = sandboxer.ID(fmt.Sprintf("canary-%04d", i))
		m.put(rec, "both")
	}
	m.write(m.root+"/canary-0007/.sandboxer/process", fmt.Sprintf("%d 1\n", os.Getpid()), 0o600)
	for _, fake := range []bool{false, true} {
		if fake {
			m.write(m.root+"/fake99/file", "", 0o600)
		}
		for _, shell := range [][]string{{"dash"}, {"bash"}, {"mksh"}, {"busybox", "sh"}} {
			other := *m
			other.shell = shell
			inv := other.collect(sandboxer.CollectOptions{}).Inventory
			good := 0
			for _, s := range inv.Sandboxes {
				if s.Metadata == sandboxer.RecordOK && s.Registry == sandboxer.RecordOK {
					good++
				}
			}
			dirs := len(inv.Directories)
			if !inv.Complete || len(inv.Sandboxes) != count || good != count || fake && (dirs != 1 || inv.Directories[0].LastChange == nil) || !fake && dirs != 0 {
				t.Errorf("%s, fake99 there %t: got complete %t, %d sandboxes, %d good, directories %+v, want %d good ones",
					shell, fake, inv.Complete, len(inv.Sandboxes), good, inv.Directories, count)
			}
			if !strings.Contains(string(other.bytes), fmt.Sprintf("\n/proc/%d/stat:", os.Getpid())) {
				t.Errorf("%s, fake99 there %t: got no word of the process that a note names", shell, fake)
			}
		}
	}
}
