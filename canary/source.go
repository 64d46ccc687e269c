package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// A Source finds the program that becomes the canary on a host of platform p.
// Self and File make one; a program that carries its canary along (go:embed)
// writes a function. It is safe for concurrent use.
//
// Whatever a Source finds is looked at before it is used: it must be a static
// linux program for p whose main function begins with Main.
type Source func(ctx context.Context, p sandboxer.Platform) (Program, error)

// A Program is what a Source has found.
type Program struct {
	Origin string // where it is from, for a person
	ELF    []byte // its file; it is not changed

	stripped bool // ELF has been through readProgram for the platform
}

// upload returns the part of the program that goes to a host of platform p.
func (f Program) upload(p sandboxer.Platform) ([]byte, error) {
	if f.stripped {
		return f.ELF, nil
	}
	return readProgram(bytes.NewReader(f.ELF), p)
}

// File returns a Source that takes the program at path, and no other.
func File(path string) Source {
	return func(_ context.Context, p sandboxer.Platform) (Program, error) {
		if err := checkPlatform(p); err != nil {
			return Program{}, err
		}
		program, err := open(path, path, p)
		if err != nil {
			return Program{}, noProgram(p, err)
		}
		return program, nil
	}
}

// Self returns a Source that takes the first of these that fits the host:
//
//  1. the running program, if its main function began with Main and it is
//     static (go build links libc where a C compiler is found, unless
//     CGO_ENABLED=0);
//  2. a program named sandboxer-linux-ARCH, beside the running one (also where
//     the link leads by which that was called) or in PATH;
//  3. the sandboxer command of this module, built with the Go toolchain found
//     in PATH from the source this program was made of, or else from the
//     module as the working directory's go.mod selects it. It is kept under
//     os.UserCacheDir, and built again only when the source has changed.
//
// A program that never called Main is not started in a sandbox.
func Self() Source {
	return func(ctx context.Context, p sandboxer.Platform) (Program, error) {
		return newFinder().find(ctx, p)
	}
}

// A finder carries out Self.
type finder struct {
	began   bool     // main began with Main
	running string   // file of the running program; empty where it cannot be a canary
	dirs    []string // directories of the running program
	source  string   // file name of this package's source, as compiled in
	command string   // package to build, below the module
}

func newFinder() finder {
	f := finder{began: began.Load(), command: "./cmd/sandboxer", source: sourceFile()}
	if exe, err := os.Executable(); err == nil {
		f.dirs = directories(exe)
	}
	if runtime.GOOS == "linux" {
		// Not the path: what is there may be another program by now.
		f.running = "/proc/self/exe"
	}
	return f
}

func (f finder) find(ctx context.Context, p sandboxer.Platform) (Program, error) {
	if err := checkPlatform(p); err != nil {
		return Program{}, err
	}
	var all []error
	for _, try := range []func(context.Context, sandboxer.Platform) (Program, error){f.self, f.prebuilt, f.build} {
		program, err := try(ctx, p)
		if err == nil {
			return program, nil
		}
		if ctx.Err() != nil {
			return Program{}, fmt.Errorf("find a canary for %s/%s: %w", p.OS, p.Arch, ctx.Err())
		}
		all = append(all, err)
	}
	return Program{}, noProgram(p, all...)
}

// self is the running program.
func (f finder) self(_ context.Context, p sandboxer.Platform) (Program, error) {
	const origin = "the running program"
	switch {
	case !f.began:
		return Program{}, errors.New(origin + ": its main function did not begin with canary.Main()")
	case f.running == "":
		return Program{}, fmt.Errorf("%s: built for %s, want %s", origin, runtime.GOOS, p.OS)
	}
	return open(f.running, origin, p)
}

// directories returns where a program lies: where it was called, and where
// that leads if it is a link, as package managers make them. Linux resolves
// the link before os.Executable tells of it, a Mac does not.
func directories(exe string) []string {
	dirs := []string{filepath.Dir(exe)}
	if real, err := filepath.EvalSymlinks(exe); err == nil && filepath.Dir(real) != dirs[0] {
		dirs = append(dirs, filepath.Dir(real))
	}
	return dirs
}

// prebuilt is a program made for the purpose. One that does not suit does not
// end the search, and is told of where none suits.
func (f finder) prebuilt(_ context.Context, p sandboxer.Platform) (Program, error) {
	name := "sandboxer-linux-" + p.Arch
	var places []string
	for _, dir := range f.dirs {
		places = append(places, filepath.Join(dir, name))
	}
	if path, err := exec.LookPath(name); err == nil && !slices.Contains(places, path) {
		places = append(places, path)
	}
	var unfit []error
	for _, path := range places {
		program, err := open(path, path, p)
		if err == nil {
			return program, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			unfit = append(unfit, err)
		}
	}
	if unfit == nil {
		return Program{}, fmt.Errorf("%s: neither beside the running program (%s) nor in PATH", name, strings.Join(f.dirs, ", "))
	}
	return Program{}, &reasons{unfit}
}

// open reads the program at path.
func open(path, origin string, p sandboxer.Platform) (Program, error) {
	// First, as opening a named pipe would wait for somebody to write to it.
	if err := checkFile(path); err != nil {
		return Program{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return Program{}, err
	}
	defer file.Close()
	data, err := readProgram(file, p)
	if err != nil {
		return Program{}, fmt.Errorf("%s: %w", origin, err)
	}
	return Program{Origin: origin, ELF: data, stripped: true}, nil
}

// checkFile returns an error, fs.ErrNotExist where there is nothing at all, if
// no regular file is at path.
func checkFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if target, linkErr := os.Readlink(path); linkErr == nil {
			return fmt.Errorf("%s: a link to %q, where nothing is", path, target)
		}
		return err
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s: a directory, want a program", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: not a regular file", path)
	}
	return nil
}

// checkPlatform returns an error if no canary can run on p. The host says what
// p is, and it becomes part of file names and of an environment here.
func checkPlatform(p sandboxer.Platform) error {
	if p.OS == "linux" && p.Arch != "" && strings.Trim(p.Arch, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return nil
	}
	return &sandboxer.PhaseError{
		Phase: sandboxer.PhasePrepare,
		Err:   fmt.Errorf("no canary runs on %q/%q", p.OS, p.Arch),
		Hint:  "sandboxes live on linux hosts",
	}
}

// noProgram is the error of a Source that has found nothing for p.
func noProgram(p sandboxer.Platform, why ...error) error {
	return &sandboxer.PhaseError{
		Phase: sandboxer.PhasePrepare,
		Err:   fmt.Errorf("no program to send as a canary to %s/%s: %w", p.OS, p.Arch, &reasons{why}),
		Hint: fmt.Sprintf("put sandboxer-%[1]s-%[2]s of a release beside this program, or build it and name it with --canary-binary: "+
			"CGO_ENABLED=0 GOOS=%[1]s GOARCH=%[2]s go build -o sandboxer-%[1]s-%[2]s %[3]s/cmd/sandboxer", p.OS, p.Arch, modulePath),
	}
}

// reasons are errors in one line.
type reasons struct{ all []error }

func (r *reasons) Error() string {
	s := make([]string, len(r.all))
	for i, err := range r.all {
		s[i] = err.Error()
	}
	return strings.Join(s, "; ")
}

func (r *reasons) Unwrap() []error { return r.all }
