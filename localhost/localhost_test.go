package localhost_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

func TestHost(t *testing.T) {
	sandboxertest.TestHost(t, func(*testing.T) sandboxer.Host { return localhost.Host{} })
}

func TestName(t *testing.T) {
	if got := (localhost.Host{}).Name(); got != "local" {
		t.Errorf("got %q, want %q", got, "local")
	}
}

// run returns the output of a shell script that must succeed.
func run(t *testing.T, h localhost.Host, script string) string {
	t.Helper()
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", script}})
	if err == nil {
		err = res.Err(script)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Stdout)
}

func TestDir(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	for _, tt := range []struct{ dir, want string }{{"", home}, {dir, dir}, {"/", "/"}} {
		if got := run(t, localhost.Host{Dir: tt.dir}, `pwd; echo "$PWD"`); got != tt.want+"\n"+tt.want+"\n" {
			t.Errorf("Dir %q: got %q, want %q twice", tt.dir, got, tt.want)
		}
	}
	t.Setenv("HOME", "/nonexistent")
	if got := run(t, localhost.Host{}, "test -d . && echo exists"); got != "exists\n" {
		t.Errorf("home directory not there: got %q, want a directory all the same", got)
	}
	_, err := localhost.Host{Dir: "/nonexistent"}.Run(t.Context(), sandboxer.Cmd{Args: []string{"true"}})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || he.Started || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Dir not there: got %v, want a HostError, not started", err)
	}
}

func TestHomeIsKnown(t *testing.T) {
	t.Setenv("HOME", "")
	if got := run(t, localhost.Host{}, `printf %s "$HOME"`); !strings.HasPrefix(got, "/") {
		t.Errorf("without HOME: got %q, want the one of the account", got)
	}
}

// TestLookup: a program is found as a shell would find it.
func TestLookup(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("a/tool", "#!/bin/sh\necho a\n", 0o644)
	write("b/tool", "#!/bin/sh\necho b\n", 0o755)
	write("c/tool/file", "", 0o644)
	write("interpreter", "#!/nonexistent/sh\n", 0o755)
	for _, tt := range []struct {
		name, path, out string
		code            int
	}{
		{"tool", dir + "/b", "b\n", 0},
		{"tool", dir + "/a:" + dir + "/b", "b\n", 0},     // the first one is not executable
		{"tool", dir + "/c:" + dir + "/b", "b\n", 0},     // the first one is a directory
		{"tool", "/nonexistent:" + dir + "/b", "b\n", 0}, // the first one is not there
		{"tool", "b", "b\n", 0},                          // relative to where the command starts
		{"tool", dir + "/a", "", 126},
		{"tool", dir + "/c", "", 127},
		{"b/tool", "", "b\n", 0},
		{"./b/tool", "", "b\n", 0},
		{dir + "/c/tool", "", "", 126},
		{"a/tool", "", "", 126},
		{"./interpreter", "", "", 127},
		{"b/tool/x", "", "", 127},
		{strings.Repeat("x", 5000), "", "", 127},
	} {
		res, err := localhost.Host{Dir: dir}.Run(t.Context(), sandboxer.Cmd{Args: []string{tt.name}, Env: []string{"PATH=" + tt.path}})
		if err != nil || res.ExitCode != tt.code || string(res.Stdout) != tt.out || tt.code != 0 && !strings.Contains(string(res.Stderr), tt.name) {
			t.Errorf("%.50q in PATH %q: got exit %d, %q, %q, %v, want %d, %q", tt.name, tt.path, res.ExitCode, res.Stdout, res.Stderr, err, tt.code, tt.out)
		}
	}
}

// TestRefusedWriter: the message of a program that did not start goes where
// standard error goes.
func TestRefusedWriter(t *testing.T) {
	var errs strings.Builder
	res, err := localhost.Host{}.Run(t.Context(), sandboxer.Cmd{Args: []string{"sbx-none"}, Stderr: &errs})
	if err != nil || res.ExitCode != 127 || errs.String() != "sandboxer: sbx-none: not found\n" || res.Stderr != nil {
		t.Errorf("got exit %d, %q, %q, %v, want 127 and the message in the writer only", res.ExitCode, errs.String(), res.Stderr, err)
	}
	full := errors.New("full")
	_, err = localhost.Host{}.Run(t.Context(), sandboxer.Cmd{Args: []string{"sbx-none"}, Stderr: failing{full}})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestOddEnvironment: what this process has does not change what cd means.
func TestOddEnvironment(t *testing.T) {
	t.Setenv("CDPATH", "/")
	for want, env := range map[string][]string{"unset": nil, "/usr": {"CDPATH=/usr"}} {
		res, err := localhost.Host{}.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", `printf %s "${CDPATH-unset}"`}, Env: env})
		if err != nil || string(res.Stdout) != want {
			t.Errorf("with %q: got %q, %v, want %q", env, res.Stdout, err, want)
		}
	}
}

// TestCancelWithABlockedWriter: a Write that blocks delays the call until the
// context ends, and no longer.
func TestCancelWithABlockedWriter(t *testing.T) {
	blocked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	block := sync.OnceFunc(func() { close(blocked); <-release })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := localhost.Host{}.Run(ctx, sandboxer.Cmd{Args: []string{"yes"}, Stdout: writerFunc(func(p []byte) (int, error) { block(); return len(p), nil })})
		result <- err
	}()
	<-blocked
	cancel()
	select {
	case err := <-result:
		var he *sandboxer.HostError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &he) || !he.Killed {
			t.Errorf("got %v, want context.Canceled, killed", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("got no end of a cancelled call while its writer blocks")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
