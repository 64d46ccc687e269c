package jsonfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/test/lab"
)

// asNobody runs f with the file permissions of an ordinary user. Only this
// thread changes: fsuid is a property of threads (setfsuid(2)).
func asNobody(f func()) {
	const nobody = 65534
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		syscall.Setfsuid(nobody)
		f()
	}()
	<-done
}

func TestUnwritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "telemetry")
	if err := os.Mkdir(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	for up := dir; up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o555); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(up, 0o755)
	}
	asNobody(func() {
		for _, dir := range []string{dir, filepath.Join(dir, "new", "telemetry")} {
			e := jsonfile.Exporter{Dir: dir}
			if err := e.Export(t.Context(), status(sandboxer.StateReady)); !errors.Is(err, syscall.EACCES) {
				t.Errorf("Export: got %v, want %v", err, syscall.EACCES)
			}
			var r *sandboxer.RefusedError
			if err := e.Check(); !errors.As(err, &r) {
				t.Errorf("Check: got %v, want a *RefusedError", err)
				continue
			}
			if want := "cannot write to " + dir + ": permission denied"; r.Reasons[0].Message != want {
				t.Errorf("Check: got %q, want %q", r.Reasons[0].Message, want)
			}
			if !strings.HasPrefix(r.Hint, "make it writable") {
				t.Errorf("hint: got %q, want it to begin with make it writable", r.Hint)
			}
		}
	})
	if got := entries(t, dir); len(got) != 0 {
		t.Errorf("got %q, want nothing written", got)
	}
}

// TestDiskFull fills a file system of its own.
func TestDiskFull(t *testing.T) {
	lab.Require(t, "root")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=700"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	e := jsonfile.Exporter{Dir: dir}
	small := status(sandboxer.StateReady)
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	if err := e.Export(t.Context(), small); err != nil {
		t.Fatal(err)
	}
	large := status(sandboxer.StateDestroyed)
	large.Profile = strings.Repeat("x", 512<<10)
	err := e.Export(t.Context(), large)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), e.Artifact(large)) {
		t.Errorf("Export: got %v, want no space left at %s", err, e.Artifact(large))
	}
	var got sandboxer.SandboxStatus
	if err := readJSON(e.Artifact(small), &got); err != nil || got.State != sandboxer.StateReady {
		t.Errorf("the report before: got state %q, %v, want it untouched", got.State, err)
	}
	if got := entries(t, dir); len(got) != 1 {
		t.Errorf("got %q, want only the report before", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 256<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: got %v, want %v", err, syscall.ENOSPC)
	}
	refused(t, e.Check(), dir, "no space left on device", "free some space there")
	if got := entries(t, dir); len(got) != 2 {
		t.Errorf("after Check: got %q, want the report and the filler", got)
	}
}
