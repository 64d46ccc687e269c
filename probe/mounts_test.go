package probe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// hang mounts a file system that answers nobody at each of the paths, until the
// test ends. What it returns reports whether somebody had to be let go.
func hang(t *testing.T, dir string, paths ...string) (waited func() bool) {
	t.Helper()
	lab.Require(t, "root", "rootless") // which has fuse-overlayfs
	at := dir + "/server"
	for _, d := range []string{at, dir + "/lower", dir + "/upper", dir + "/work"} {
		must(t, os.MkdirAll(d, 0o700))
	}
	server := exec.Command("fuse-overlayfs", "-f", "-o", "timeout=0,lowerdir="+dir+"/lower,upperdir="+dir+"/upper,workdir="+dir+"/work", at)
	must(t, server.Start())
	var late atomic.Bool
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		for _, path := range append(paths, at) {
			_ = syscall.Unmount(path, syscall.MNT_DETACH)
		}
	})
	out, err := exec.Command("sh", "-c", "n=0; until grep -q ' "+at+" fuse' /proc/mounts; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done").CombinedOutput()
	if err != nil {
		t.Fatalf("wait for fuse-overlayfs: %v: %s", err, out)
	}
	for _, path := range paths {
		must(t, os.MkdirAll(path, 0o700))
		must(t, syscall.Mount(at, path, "", syscall.MS_BIND, ""))
	}
	must(t, server.Process.Signal(syscall.SIGSTOP))
	guard := time.AfterFunc(time.Minute, func() { // and then whoever waits gets an error
		late.Store(true)
		_ = server.Process.Kill()
	})
	t.Cleanup(func() { guard.Stop() })
	return late.Load
}

// unnoticed is a root with something mounted that hangs in every kind of place.
func unnoticed(t *testing.T, m *machine) (waited func() bool) {
	t.Helper()
	hostile(t, m)
	for _, id := range []string{"box-below", "box-data", "box-itself"} {
		m.put(m.record(id), "both")
	}
	const kept = ".0f3a5c7e9b1d2468.1795553583"
	m.write(m.root+"/.trash/kept-box"+kept+"/.sandboxer/meta.json", "{}", 0o600)
	var paths []string
	for _, name := range []string{
		"box-below/.sandboxer", "box-data/data", "box-itself", "no-record", "ab99", "fake98/deep/data", "My Disk", "Other Dir/data",
		`back\slash` + "\tand\nend", ".trash/hung-box" + kept + "/data",
	} {
		paths = append(paths, m.root+"/"+name)
	}
	m.write(m.root+"/fake98/file", "", 0o600)
	must(t, os.Chmod(m.root, 0o700))
	return hang(t, filepath.Dir(m.home)+"/hang", paths...)
}

// A file system that hangs holds up no look at a host, in no shell, wherever
// below the root it is mounted. What it hides is unknown, and not absent.
func TestHungMounts(t *testing.T) {
	lab.Require(t, "root", "rootless", "dash", "bash", "busybox", "mksh")
	m := newMachine(t)
	m.link("du")
	plain := newMachine(t)
	hostile(t, plain)
	waited := unnoticed(t, m)
	busybox, err := exec.LookPath("busybox")
	must(t, err)
	applets := t.TempDir()
	for _, tool := range append(tools, "du") {
		must(t, os.Symlink(busybox, filepath.Join(applets, tool)))
	}
	var first sandboxer.Observation
	for i, c := range []struct {
		name  string
		shell []string
		bin   string
	}{
		{"dash", []string{"dash"}, m.bin},
		{"bash", []string{"bash"}, m.bin},
		{"bash posix", []string{"bash", "--posix"}, m.bin},
		{"mksh", []string{"mksh"}, m.bin},
		{"busybox ash", []string{"busybox", "sh"}, m.bin},
		{"busybox alone", []string{"busybox", "sh"}, applets},
	} {
		other := *m
		other.t, other.shell, other.bin = t, c.shell, c.bin
		obs := other.collect(sandboxer.CollectOptions{Sandbox: "box-below", Sizes: true})
		if waited() {
			t.Fatalf("%s: the look waited for a file system that hangs", c.name)
		}
		if i == 0 {
			first = obs
			checkHeld(t, m.root, obs, plain.collect(sandboxer.CollectOptions{}))
			continue
		}
		for _, inv := range []*sandboxer.Inventory{&first.Inventory, &obs.Inventory} {
			for i := range inv.Sandboxes {
				inv.Sandboxes[i].SizeBytes = nil // they count blocks in different ways
			}
		}
		if diff := cmp.Diff(first.Inventory, obs.Inventory, append(restless(), maybeBorn())...); diff != "" {
			t.Errorf("(-dash +%s):\n%s", c.name, diff)
		}
	}
}

// checkHeld compares what is seen beside file systems that hang with the same
// root without them.
func checkHeld(t *testing.T, root string, obs, plain sandboxer.Observation) {
	t.Helper()
	for _, id := range []string{"box-below", "box-itself", "no-record"} {
		s := find(t, obs, id)
		at := map[string]string{"box-below": "box-below/.sandboxer"}[id]
		if at == "" {
			at = id
		}
		registry := sandboxer.RecordOK
		if id == "no-record" {
			registry = sandboxer.RecordMissing
		}
		if s.Metadata != sandboxer.RecordUnknown || s.Registry != registry || !strings.Contains(deref(s.Reason), root+"/"+at) || !*s.DirPresent {
			t.Errorf("%s: got metadata %s, registry %s, %q, there %t, want unknown, %s, the mount named, true",
				id, s.Metadata, s.Registry, deref(s.Reason), *s.DirPresent, registry)
		}
		if !slices.Contains(obs.Snapshot.Objects[sandboxer.Mounts], root+"/"+at) {
			t.Errorf("%s: got mounts %q, want it among them", id, obs.Snapshot.Objects[sandboxer.Mounts])
		}
	}
	if s := find(t, obs, "box-data"); s.Metadata != sandboxer.RecordOK || s.Registry != sandboxer.RecordOK || s.SizeBytes != nil {
		t.Errorf("box-data: got %s, %s, size %v, want both ok, not measured", s.Metadata, s.Registry, s.SizeBytes)
	}
	if s := find(t, obs, "good-one"); s.Metadata != sandboxer.RecordOK || s.SizeBytes == nil {
		t.Errorf("good-one: got %s, size %v, want ok, measured", s.Metadata, s.SizeBytes)
	}
	got := map[string]string{}
	for _, d := range obs.Inventory.Directories {
		row := d.Kind
		if d.LastChange == nil {
			row += " of no age"
		}
		if d.Inode == 0 {
			row += " not looked at"
		}
		got[d.Name] = row
	}
	for _, d := range plain.Inventory.Directories { // each as it is without the others
		row := d.Kind
		if d.LastChange == nil {
			row += " of no age"
		}
		if got[d.Name] != row {
			t.Errorf("%q: got %q, want %q", d.Name, got[d.Name], row)
		}
		delete(got, d.Name)
	}
	want := map[string]string{
		"fake98": "directory of no age", "My Disk": "other of no age not looked at", "Other Dir": "directory of no age",
		`back\slash` + "\tand\nend": "other of no age not looked at", "ab99": "other of no age not looked at",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directories (-want +got):\n%s", diff)
	}
	var trash []string
	for _, e := range obs.Inventory.Trash {
		trash = append(trash, e.Ref)
		if (e.Inode == 0) != (e.Ref == "hung-box") {
			t.Errorf("%s: got inode %d", e.Ref, e.Inode)
		}
	}
	if diff := cmp.Diff([]string{"hung-box", "kept-box"}, trash); diff != "" {
		t.Errorf("trash (-want +got):\n%s", diff)
	}
	inv := obs.Inventory
	if inv.Complete || !inv.Source("directories").Complete() || inv.Source("processes").Status != sandboxer.BlockMount {
		t.Errorf("got complete %t, %+v, want it not, for a process that may be noted there", inv.Complete, inv.Sources)
	}
}
