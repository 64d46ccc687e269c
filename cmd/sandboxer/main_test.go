package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tegwick/sand-boxer/test/lab"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sandboxer": main})
}

// TestLocal runs what needs this machine only: sandboxes of it are plain
// processes, below a home and a root of each script's own.
func TestLocal(t *testing.T) {
	if os.Getenv(lab.StateVar) != "" { // where others' leftovers come and go
		lab.EngineLock(t)
	}
	program := buildStatic(t)
	runScripts(t, "testdata/local", func(_ *testing.T, env *testscript.Env) {
		env.Setenv("CANARY", program)
		env.Setenv("DOCKER_HOST", "unix:///nonexistent") // what else runs there is not ours to count
		env.Setenv("SANDBOXER_ENGINE", "process")
		env.Setenv("SANDBOXER_ROOT", filepath.Join(env.WorkDir, "root"))
		env.Defer(func() { destroyAll(program, env) })
	})
}

// destroyAll ends what a script that failed half-way has left running.
func destroyAll(program string, env *testscript.Env) {
	left, err := filepath.Glob(filepath.Join(env.WorkDir, "root", "canary-*"))
	if err != nil || len(left) == 0 {
		return
	}
	args := []string{"destroy"}
	for _, dir := range left {
		args = append(args, filepath.Base(dir))
	}
	cmd := exec.Command(program, args...)
	cmd.Env = env.Vars
	_ = cmd.Run() // the script's failure is the one to tell of
}

// TestLab runs what needs a host to ssh to and a docker there. The scripts
// are the only ones to touch the engine meanwhile.
func TestLab(t *testing.T) {
	lab.Open(t)
	lab.Require(t, "root", "ssh", "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	program := buildStatic(t)
	runScripts(t, "testdata/lab", func(t *testing.T, env *testscript.Env) {
		sshd := lab.SSHD(t, lab.SSHDOptions{})
		down := lab.SSHD(t, lab.SSHDOptions{Config: []string{"SetEnv DOCKER_HOST=unix:///nonexistent"}})
		env.Setenv("CANARY", program)
		env.Setenv("SANDBOXER_SSH_CONFIG", sshd.SSHConfig)
		env.Setenv("SSHD_LOG", sshd.Log)
		log, err := os.ReadFile(sshd.Log)
		if err != nil {
			t.Fatal(err)
		}
		env.Setenv("SSHD_SEEN", strconv.Itoa(len(log)))
		env.Setenv("DOWN_CONFIG", down.SSHConfig) // the same hosts, where docker does not answer
	})
}

// TestBare runs what needs a machine without any engine.
func TestBare(t *testing.T) {
	prefix := lab.WithoutEngine(t)
	program := buildStatic(t)
	runScripts(t, "testdata/bare", func(_ *testing.T, env *testscript.Env) {
		env.Setenv("SANDBOXER", program)
		env.Setenv("SANDBOXER_ROOT", filepath.Join(env.WorkDir, "root"))
		env.Values[barePrefix{}] = prefix
	})
}

// runScripts runs the scripts of a directory, one after the other: what one
// leaves on the machine for a moment is another's leftover.
func runScripts(t *testing.T, dir string, setup func(*testing.T, *testscript.Env)) {
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("got scripts %q, %v in %s, want some", scripts, err, dir)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files:               []string{script},
				UpdateScripts:       *update,
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
				Cmds:                scriptCommands,
				Setup: func(env *testscript.Env) error {
					home := filepath.Join(env.WorkDir, "home")
					env.Setenv("HOME", home)
					env.Setenv("TERM", "dumb")
					env.Setenv("TZ", "UTC")
					env.Setenv("GORACE", "atexit_sleep_ms=0") // else each run ends with a second of waiting
					setup(t, env)
					return os.Mkdir(home, 0o700)
				},
			})
		})
	}
}

// buildStatic builds the program as it is released, so that it can be a
// canary: a test binary is no such thing.
func buildStatic(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sandboxer")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}
