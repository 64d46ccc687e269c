package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

const modulePath = "github.com/tegwick/sand-boxer"

// sourceFile is the name of this file as the compiler knew it: an absolute
// path, or under -trimpath one that begins with the module's path and, unless
// it was the main module, "@" and its version.
func sourceFile() string {
	_, file, _, _ := runtime.Caller(0)
	return file
}

// build builds the sandboxer command for p.
//
// The result has a stable path, so that go build finds its last work there
// and is done in a fraction of a second when nothing has changed. It works on
// a private copy and renames it: of two processes that build at once neither
// sees half a program, and none waits for the other.
func (f finder) build(ctx context.Context, p sandboxer.Platform) (Program, error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return Program{}, errors.New("no Go toolchain in PATH to build one with")
	}
	dir, err := f.moduleDir(ctx, goTool)
	if err != nil {
		return Program{}, err
	}
	work, err := os.MkdirTemp("", "sandboxer-canary-")
	if err != nil {
		return Program{}, fmt.Errorf("build the canary: %w", err)
	}
	defer os.RemoveAll(work)

	out := filepath.Join(work, "sandboxer")
	kept := keptFile(p)
	if kept != "" {
		// Without it everything is linked again; that is all there is to lose.
		_ = copyFile(out, kept)
	}
	// No -trimpath: it would share no compiled package with the go run or go
	// build that made this program (4 s against 21 s for the first canary).
	cmd := exec.CommandContext(ctx, goTool, "build", "-buildvcs=false", "-ldflags=-s -w", "-o", out, f.command)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=on") // none of them empty: that would be go env -w's
	if _, err := runTool(cmd); err != nil {
		return Program{}, fmt.Errorf("build %s in %s: %w", f.command, dir, err)
	}
	program, err := open(out, "built from "+dir, p)
	if err == nil && kept != "" {
		keep(out, kept)
	}
	return program, err
}

// moduleDir returns the directory of this module's source.
func (f finder) moduleDir(ctx context.Context, goTool string) (string, error) {
	if filepath.IsAbs(f.source) {
		dir := filepath.Dir(filepath.Dir(f.source))
		err := checkModule(dir)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return dir, err
		}
	}
	if version := f.sourceVersion(); version != "" {
		return downloaded(ctx, goTool, version)
	}
	// Built with -trimpath from a clone, or on another machine.
	out, err := runTool(exec.CommandContext(ctx, goTool, "list", "-m", "-f", "{{.Dir}}", modulePath))
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the source of %s is not here to build one from", modulePath)
	}
	return dir, checkModule(dir)
}

// sourceVersion returns the version of this module in a program built with
// -trimpath, where f.source is "<module>@<version>/canary/build.go".
func (f finder) sourceVersion() string {
	rest, ok := strings.CutPrefix(filepath.ToSlash(f.source), modulePath+"@")
	if !ok {
		return ""
	}
	version, _, _ := strings.Cut(rest, "/")
	return version
}

// downloaded returns the directory of a version of this module in the module
// cache. The go command asks the network only if it is not there.
func downloaded(ctx context.Context, goTool, version string) (string, error) {
	cmd := exec.CommandContext(ctx, goTool, "mod", "download", "-json", modulePath+"@"+version)
	cmd.Dir = os.TempDir() // in a module it could change the go.sum
	out, err := runTool(cmd)
	if err != nil {
		return "", fmt.Errorf("find the source of %s@%s: %w", modulePath, version, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("find the source of %s@%s: %w", modulePath, version, err)
	}
	return module.Dir, checkModule(module.Dir)
}

// checkModule returns nil if dir holds this module and not just anybody can
// have put it there. The path comes out of a program that may have been built
// long ago: under /tmp, say, where a stranger may have made it again, and what
// is built from it will run.
func checkModule(dir string) error {
	gomod := filepath.Join(dir, "go.mod")
	data, err := os.ReadFile(gomod)
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(string(data), "\n"); strings.TrimSpace(first) != "module "+modulePath {
		return fmt.Errorf("%s is not of %s", gomod, modulePath)
	}
	return checkOwner(gomod)
}

// runTool runs a go command and returns its output. Its error holds the first
// thing the command complained of.
func runTool(cmd *exec.Cmd) ([]byte, error) {
	// An interrupted go command ends the compilers it has started.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%w: %s", err, complaint(string(exit.Stderr)))
	}
	return out, err
}

// complaint returns the first line of a go command's standard error that is
// neither the name of a package ("# example.com/x") nor a download.
func complaint(stderr string) string {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "go: downloading ") {
			return line
		}
	}
	return "it does not say why"
}

// keptFile is where the canary built last is kept, or "" if nowhere.
func keptFile(p sandboxer.Platform) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "sandboxer", "canary-"+p.OS+"-"+p.Arch)
}

// keep puts the program at path in place of kept, whole or not at all. That
// it could not costs time when the next one is built, and nothing else.
func keep(path, kept string) {
	if os.MkdirAll(filepath.Dir(kept), 0o700) != nil {
		return
	}
	temp, err := os.CreateTemp(filepath.Dir(kept), filepath.Base(kept)+".*")
	if err != nil {
		return
	}
	temp.Close()
	if copyFile(temp.Name(), path) != nil || os.Rename(temp.Name(), kept) != nil {
		os.Remove(temp.Name())
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
