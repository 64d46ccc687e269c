package jsonfile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
)

func TestSymlink(t *testing.T) {
	e := jsonfile.Exporter{Dir: t.TempDir()}
	doc := status(sandboxer.StateReady)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{victim, filepath.Join(t.TempDir(), "dangling")} {
		os.Remove(e.Artifact(doc))
		if err := os.Symlink(target, e.Artifact(doc)); err != nil {
			t.Fatal(err)
		}
		if err := e.Export(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(e.Artifact(doc))
		if err != nil {
			t.Fatal(err)
		}
		if !info.Mode().IsRegular() {
			t.Errorf("link to %s: got mode %v, want a regular file in its place", target, info.Mode())
		}
	}
	if got, err := os.ReadFile(victim); err != nil || string(got) != "precious" {
		t.Errorf("the file linked to: got %q, %v, want it untouched", got, err)
	}
}

// TestInTheWay checks that a directory where the file should be is an error
// that leaves nothing behind.
func TestInTheWay(t *testing.T) {
	e := jsonfile.Exporter{Dir: t.TempDir()}
	doc := status(sandboxer.StateReady)
	if err := os.Mkdir(e.Artifact(doc), 0o700); err != nil {
		t.Fatal(err)
	}
	err := e.Export(t.Context(), doc)
	if err == nil || !strings.Contains(err.Error(), e.Artifact(doc)) {
		t.Errorf("got %v, want an error that names the path", err)
	}
	if got := entries(t, e.Dir); len(got) != 1 {
		t.Errorf("got %q, want only the directory in the way", got)
	}
}

// TestNotADirectory also covers every user: root may write anywhere, but not
// below a file.
func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "sandboxer", "telemetry")} {
		err := jsonfile.Exporter{Dir: dir}.Check()
		refused(t, err, dir, "not a directory", "choose another directory")
		if err := (jsonfile.Exporter{Dir: dir}).Export(t.Context(), status(sandboxer.StateReady)); err == nil {
			t.Errorf("Export below %s: got no error", file)
		}
	}
	t.Setenv("XDG_DATA_HOME", file)
	err := jsonfile.Exporter{}.Check()
	refused(t, err, filepath.Join(file, "sandboxer", "telemetry"), "not a directory", "another directory with XDG_DATA_HOME")
}

// refused checks what Check says of a directory that cannot be used.
func refused(t *testing.T, err error, dir, why, hint string) {
	t.Helper()
	var r *sandboxer.RefusedError
	if !errors.As(err, &r) || !r.Has("artifact_dir") {
		t.Fatalf("got %v, want a *RefusedError with the reason artifact_dir", err)
	}
	if want := fmt.Sprintf("cannot write to %s: %s", dir, why); r.Reasons[0].Message != want {
		t.Errorf("got message %q, want %q", r.Reasons[0].Message, want)
	}
	if got := sandboxer.Hint(err); !strings.Contains(got, hint) {
		t.Errorf("got hint %q, want %q in it", got, hint)
	}
}

func TestCheck(t *testing.T) {
	e := jsonfile.Exporter{Dir: filepath.Join(t.TempDir(), "new", "telemetry")}
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, e.Dir); len(got) != 0 {
		t.Errorf("got %q left behind, want nothing", got)
	}
}

// TestLeftovers checks that the temporary files of crashes go, and nothing
// else does.
func TestLeftovers(t *testing.T) {
	e := jsonfile.Exporter{Dir: t.TempDir()}
	old := time.Now().Add(-2 * time.Hour)
	for name, at := range map[string]time.Time{
		".tmp-canary-aaaaaaaaaaaa.json-1": old,
		".tmp-probe-2":                    old,
		".tmp-canary-bbbbbbbbbbbb.json-3": time.Now(), // somebody may be writing it
		"canary-cccccccccccc.json":        old,
		".hidden":                         old,
	} {
		path := filepath.Join(e.Dir, name)
		if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(e.Dir, ".tmp-link")
	if err := os.Symlink("/etc/hostname", link); err != nil {
		t.Fatal(err)
	}
	if err := e.Export(t.Context(), status(sandboxer.StateReady)); err != nil {
		t.Fatal(err)
	}
	want := []string{".hidden", ".tmp-canary-bbbbbbbbbbbb.json-3", ".tmp-link", "canary-4k9x0q2m7t3b.json", "canary-cccccccccccc.json"}
	if diff := cmp.Diff(want, entries(t, e.Dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestConcurrent has many write one file while somebody reads it: what is
// there is always one whole document.
func TestConcurrent(t *testing.T) {
	e := jsonfile.Exporter{Dir: t.TempDir()}
	first := status(sandboxer.StateReady)
	if err := e.Export(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			doc := status(sandboxer.StateReady)
			for i := range 10 {
				doc.Profile = strings.Repeat("x", 1000*(w+1)*(i+1))
				if err := e.Export(t.Context(), doc); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reads := 0; ; reads++ {
		var got sandboxer.SandboxStatus
		if err := readJSON(e.Artifact(first), &got); err != nil {
			t.Fatalf("read %d: %v", reads, err)
		}
		select {
		case <-done:
			if files := entries(t, e.Dir); len(files) != 1 {
				t.Errorf("got %q, want one file", files)
			}
			return
		default:
		}
	}
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// crashVar makes this test program one that exports until it is killed.
const crashVar = "JSONFILE_TEST_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashVar); dir != "" {
		exportForever(dir)
	}
	os.Exit(m.Run())
}

func exportForever(dir string) {
	doc := status(sandboxer.StateReady)
	doc.Profile = strings.Repeat("x", 4<<20)
	for {
		if err := (jsonfile.Exporter{Dir: dir}).Export(context.Background(), doc); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("done")
	}
}

// TestKilled kills programs in the middle of an export. The report is whole,
// and what they leave is known by its name, and goes in time.
func TestKilled(t *testing.T) {
	for range 3 {
		e := jsonfile.Exporter{Dir: t.TempDir()}
		doc := status(sandboxer.StateReady)
		killMidway(t, e.Dir)
		var got sandboxer.SandboxStatus
		if err := readJSON(e.Artifact(doc), &got); err != nil {
			t.Errorf("after the kill: %v", err)
		}
		old := time.Now().Add(-2 * time.Hour)
		for _, name := range entries(t, e.Dir) {
			if name == filepath.Base(e.Artifact(doc)) {
				continue
			}
			if !strings.HasPrefix(name, ".tmp-") {
				t.Errorf("got %q left behind, want a name that begins with .tmp-", name)
			}
			t.Logf("left behind: %s", name)
			if err := os.Chtimes(filepath.Join(e.Dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Export(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		if got := entries(t, e.Dir); len(got) != 1 {
			t.Errorf("after the next export: got %q, want only the report", got)
		}
	}
}

// killMidway runs this program as one that exports to dir, and kills it once
// it has written one report and begun another.
func killMidway(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVar+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "done\n" {
		t.Errorf("the program that exports: got %q, %v, want done", line, err)
	}
	writing := func(name string) bool { return strings.HasPrefix(name, ".tmp-") }
	for deadline := time.Now().Add(10 * time.Second); !slices.ContainsFunc(entries(t, dir), writing); {
		if time.Now().After(deadline) {
			t.Error("the program that exports has not begun another")
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the program that exports ended by itself")
	}
}
