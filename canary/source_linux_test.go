package canary

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// put copies a program to dir/name and returns dir.
func put(t *testing.T, program, dir, name string) string {
	t.Helper()
	if err := copyFile(filepath.Join(dir, name), program); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	static := build(t, "selfmain", "CGO_ENABLED=0")
	// A position-independent program has an interpreter, as one with libc has.
	dynamic := build(t, "selfmain", "CGO_ENABLED=0", "GOFLAGS=-buildmode=pie")
	embedder := build(t, "nomain", "CGO_ENABLED=0")
	script := write(t, []byte("#!/bin/sh\n"))
	prebuilt := "sandboxer-linux-" + here.Arch
	beside := put(t, static, t.TempDir(), prebuilt)
	inPath := put(t, static, t.TempDir(), prebuilt)
	broken := put(t, script, t.TempDir(), prebuilt)
	foreign := put(t, embedder, t.TempDir(), prebuilt)
	none := t.TempDir()

	for _, c := range []struct {
		what   string
		finder finder
		path   string
		want   string   // origin
		errors []string // in place of an origin
	}{
		{what: "itself", finder: finder{began: true, running: static, dirs: []string{beside}}, path: inPath, want: "the running program"},
		{what: "beside it", finder: finder{began: true, running: dynamic, dirs: []string{beside}}, path: inPath, want: filepath.Join(beside, prebuilt)},
		{what: "beside what a link to it leads to", finder: finder{dirs: []string{none, beside}}, path: inPath, want: filepath.Join(beside, prebuilt)},
		{what: "in PATH, beside it one that does not suit", finder: finder{dirs: []string{broken}}, path: inPath, want: filepath.Join(inPath, prebuilt)},
		{what: "in PATH", finder: finder{began: true, running: dynamic, dirs: []string{none}}, path: inPath, want: filepath.Join(inPath, prebuilt)},
		{what: "an embedder without Main, one beside it", finder: finder{running: static, dirs: []string{beside}}, path: none, want: filepath.Join(beside, prebuilt)},
		{what: "another system's program, one in PATH", finder: finder{began: true, dirs: []string{none}}, path: inPath, want: filepath.Join(inPath, prebuilt)},
		{
			what: "nothing at all", finder: finder{began: true, running: dynamic, dirs: []string{none}}, path: none,
			errors: []string{
				"no program to send as a canary to linux/" + here.Arch, "the running program: linked dynamically",
				prebuilt + ": neither beside the running program (" + none + ") nor in PATH", "no Go toolchain in PATH",
			},
		},
		{
			what: "an embedder without Main", finder: finder{running: static, dirs: []string{none}}, path: none,
			errors: []string{"the running program: its main function did not begin with canary.Main()"},
		},
		{
			what: "a program that lies about Main", finder: finder{began: true, running: embedder, dirs: []string{none}}, path: none,
			errors: []string{"not a canary: its main function does not begin with canary.Main()"},
		},
		{
			what: "no program beside it", finder: finder{dirs: []string{broken}}, path: none,
			errors: []string{filepath.Join(broken, prebuilt) + ": not an ELF program"},
		},
		{
			what: "another program beside it, none in PATH", finder: finder{dirs: []string{foreign}}, path: broken,
			errors: []string{filepath.Join(foreign, prebuilt) + ": not a canary", filepath.Join(broken, prebuilt) + ": not an ELF program"},
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			got, err := c.finder.find(t.Context(), here)
			if c.errors == nil {
				if err != nil || got.Origin != c.want {
					t.Errorf("got %q, %v, want %q", got.Origin, err, c.want)
				}
				return
			}
			checkNoProgram(t, err, c.errors...)
		})
	}
}

// checkNoProgram wants the error of a Source that has found nothing.
func checkNoProgram(t *testing.T, err error, want ...string) {
	t.Helper()
	var phase *sandboxer.PhaseError
	if !errors.As(err, &phase) || phase.Phase != sandboxer.PhasePrepare || !strings.Contains(sandboxer.Hint(err), "--canary-binary") {
		t.Errorf("got %v (hint %q), want a *PhaseError with a hint", err, sandboxer.Hint(err))
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want it to say %q", err, w)
		}
	}
}

func TestFile(t *testing.T) {
	static := build(t, "selfmain", "CGO_ENABLED=0")
	got, err := File(static)(t.Context(), here)
	if err != nil || got.Origin != static {
		t.Errorf("a canary: got %q, %v, want %q", got.Origin, err, static)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	_, err = File(missing)(t.Context(), here)
	checkNoProgram(t, err, missing, "no such file")
	_, err = File(build(t, "nomain", "CGO_ENABLED=0"))(t.Context(), here)
	checkNoProgram(t, err, "canary.Main()")
	_, err = File(static)(t.Context(), sandboxer.Platform{OS: "linux", Arch: "s390x"})
	checkNoProgram(t, err, "built for "+here.Arch+", want s390x")
	if _, err = File(static)(t.Context(), sandboxer.Platform{OS: "plan9", Arch: "386"}); sandboxer.Hint(err) == "" {
		t.Errorf("another system: got %v, want an error with a hint", err)
	}
}

// What any Source returns is looked at, not only what this package finds.
func TestSpecChecksASource(t *testing.T) {
	own := func(_ context.Context, p sandboxer.Platform) (Program, error) {
		return Program{Origin: "go:embed", ELF: []byte("#!/bin/sh\n")}, nil
	}
	_, err := Spec(own).Files(t.Context(), here)
	checkNoProgram(t, err, "go:embed: not an ELF program")
}

// TestStripped runs what is left of a program with all its symbols.
func TestStripped(t *testing.T) {
	whole := build(t, "selfmain", "CGO_ENABLED=0")
	info, err := os.Stat(whole)
	if err != nil {
		t.Fatal(err)
	}
	program, err := File(whole)(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(len(program.ELF)); got >= info.Size()*9/10 {
		t.Errorf("stripped: got %d bytes of %d, want less", got, info.Size())
	}
	out, err := exec.CommandContext(t.Context(), write(t, program.ELF), mainArg, "dance").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !bytes.HasPrefix(out, []byte(mark)) {
		t.Errorf("stripped program: got %v, %q, want exit status 2 and %q", err, out, mark)
	}
}

// newCache sets a new user cache directory, in which go's own is not.
func newCache(t *testing.T) string {
	t.Helper()
	t.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	return dir
}

func testFinder() finder {
	return finder{source: sourceFile(), command: "./canary/testdata/selfmain"}
}

func TestBuild(t *testing.T) {
	cache := newCache(t)
	t.Setenv("GOFLAGS", "-race -mod=vendor") // which would break it
	module, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// Two at once, as two schedulers on one machine would.
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			got, err := testFinder().find(t.Context(), here)
			if err != nil || got.Origin != "built from "+module {
				t.Errorf("got %q, %v, want it built from %q", got.Origin, err, module)
			}
		})
	}
	wait.Wait()

	kept := filepath.Join(cache, "sandboxer", "canary-linux-"+here.Arch)
	begin := time.Now()
	again, err := testFinder().find(t.Context(), here)
	t.Logf("built again in %v", time.Since(begin))
	if err != nil {
		t.Fatal(err)
	}
	if program, err := open(kept, "kept", here); err != nil || !bytes.Equal(program.ELF, again.ELF) {
		t.Errorf("kept: got another program, %v, want the same", err)
	}
	entries, err := os.ReadDir(filepath.Dir(kept))
	if err != nil || len(entries) != 1 {
		t.Errorf("cache: got %v, %v, want one program", entries, err)
	}
}

// A canary is built also where nothing can be kept.
func TestBuildWithoutCache(t *testing.T) {
	newCache(t)
	for _, cache := range []string{"relative", write(t, nil)} { // neither can be used
		t.Setenv("XDG_CACHE_HOME", cache)
		if _, err := testFinder().find(t.Context(), here); err != nil {
			t.Errorf("cache %q: got %v, want a program", cache, err)
		}
	}
}

func TestBuildFails(t *testing.T) {
	newCache(t)
	none := t.TempDir()
	module := func(gomod string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(gomod), 0o644); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "canary", "build.go")
	}
	for _, c := range []struct {
		what, source, command, want string
	}{
		{"no such command", sourceFile(), "./cmd/missing", "cmd/missing"},
		{"it does not compile", module("module " + modulePath + "\n"), "./cmd/sandboxer", "build ./cmd/sandboxer in "},
		{"another module's source", module("module example.com/other\n"), "./cmd/sandboxer", "is not of " + modulePath},
		{"source gone", filepath.Join(none, "canary", "build.go"), "./cmd/sandboxer", "is not here"},
		{"no version known", modulePath + "/canary/build.go", "./cmd/sandboxer", "is not here"},
		{"no such version", modulePath + "@v0.0.0-missing/canary/build.go", "./cmd/sandboxer", "find the source of " + modulePath + "@v0.0.0-missing"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Chdir(none)
			t.Setenv("GOPROXY", "off")
			_, err := finder{source: c.source, command: c.command}.find(t.Context(), here)
			checkNoProgram(t, err, c.want)
		})
	}
}

func TestBuildIsInterrupted(t *testing.T) {
	newCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := testFinder().find(ctx, here); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// A path that was compiled in may since have been made by a stranger.
func TestCheckOwner(t *testing.T) {
	lab.Require(t, "root")
	const stranger = 12345
	shared := filepath.Join(t.TempDir(), "shared")
	dir := filepath.Join(shared, "module")
	gomod := filepath.Join(dir, "go.mod")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gomod, []byte("module "+modulePath+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what                       string
		sharedMode, dirMode        os.FileMode
		dirOwner, gomodOwner, user int
		ok                         bool
	}{
		{"all root's", 0o755, 0o755, 0, 0, 0, true},
		{"another's checkout, which no stranger could make", 0o755, 0o755, stranger, stranger, 0, true},
		{"ours in a shared directory", os.ModeSticky | 0o777, 0o755, 0, 0, 0, true},
		{"a stranger's in a shared directory", os.ModeSticky | 0o777, 0o755, stranger, stranger, 0, false},
		{"a stranger's file in our shared directory", 0o755, 0o777, 0, stranger, 0, false},
	} {
		err := errors.Join(os.Chmod(shared, c.sharedMode), os.Chmod(dir, c.dirMode), os.Chown(dir, c.dirOwner, -1), os.Chown(gomod, c.gomodOwner, -1))
		if err != nil {
			t.Fatal(err)
		}
		if err := checkModule(dir); (err == nil) != c.ok {
			t.Errorf("%s: got %v, want ok %v", c.what, err, c.ok)
		}
	}
	if err := checkModule(filepath.Join(shared, "missing")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("missing: got %v, want %v", err, syscall.ENOENT)
	}
}

func TestComplaint(t *testing.T) {
	for _, c := range []struct{ stderr, want string }{
		{"go: downloading golang.org/x/sys v0.1.0\n# example.com/x\n./x.go:3:1: syntax error\n./x.go:9:1: another\n", "./x.go:3:1: syntax error"},
		{"go: cannot find main module\n", "go: cannot find main module"},
		{"\n# example.com/x\n", "it does not say why"},
		{"", "it does not say why"},
	} {
		if got := complaint(c.stderr); got != c.want {
			t.Errorf("complaint(%q): got %q, want %q", c.stderr, got, c.want)
		}
	}
}
