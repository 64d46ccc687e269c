package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// want is what the program prints.
var want = regexp.MustCompile(`^(canary-[0-9a-z]{12}) is ready on (\S+): canary (pass|warn)
(?:memory available: [+-]\d+ bytes
)?destroyed: leaks pass
$`)

// embed builds the program, as static as it has to be to send itself.
func embed(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "embed")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: got %v, want success: %s", err, out)
	}
	return path
}

// try runs the program, after some words that put it somewhere, and looks at
// what it says and leaves.
func try(t *testing.T, host string, env []string, before ...string) {
	t.Helper()
	data := t.TempDir()
	root := filepath.Join(os.TempDir(), "sandboxer-embed-"+rand.Text()) // made by the host's user
	t.Cleanup(func() { os.RemoveAll(root) })
	argv := append(before, embed(t))
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), append(env, "HOME="+t.TempDir(), "XDG_DATA_HOME="+data, "SANDBOXER_ROOT="+root)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("got %v, %s, want exit status 0", err, stderr.String())
	}
	said := want.FindStringSubmatch(string(out))
	if said == nil || said[2] != host {
		t.Fatalf("got %q, want %v on %s", out, want, host)
	}
	report, err := os.ReadFile(filepath.Join(data, "sandboxer", "telemetry", said[1]+".json"))
	if err != nil || !bytes.Contains(report, []byte(`"destroy_delta"`)) {
		t.Errorf("report: got %.100q, %v, want both deltas", report, err)
	}
	if left, err := filepath.Glob(filepath.Join(root, "*")); err != nil || len(left) > 0 {
		t.Errorf("below the root: got %q, %v, want nothing", left, err)
	}
	if lab.Find("docker-cli") == nil && lab.Find("dockerd") == nil {
		for _, kind := range []string{"container", "volume", "network"} {
			left, err := exec.Command("docker", kind, "ls", "-q", "--filter", "label=sandboxer.id="+said[1]).Output()
			if err != nil || len(left) > 0 {
				t.Errorf("docker %ss: got %q, %v, want none", kind, left, err)
			}
		}
	}
}

// On a machine without an engine the canary is a process.
func TestWithoutEngine(t *testing.T) {
	try(t, "local", []string{"SANDBOXER_HOST="}, lab.WithoutEngine(t)...)
}

func TestDocker(t *testing.T) {
	lab.Require(t, "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	try(t, "local", []string{"SANDBOXER_HOST="})
}

func TestDockerOverSSH(t *testing.T) {
	lab.Require(t, "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	try(t, "lab-docker", []string{"SANDBOXER_HOST=lab-docker", "SANDBOXER_SSH_CONFIG=" + lab.Open(t).SSHConfig})
}
