package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// counted puts a docker first in PATH that notes its arguments, and returns
// what reads the notes and begins anew.
func counted(t *testing.T) func() []string {
	t.Helper()
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$1 $2\" >>" + log + "\nexec " + docker + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// Each run of the engine's client costs a host some 50 ms of CPU.
func TestCost(t *testing.T) {
	b := newServing(t)
	b.spec.HostCheck = []string{"image/root/program", "dial"}
	calls := counted(t)
	begin := time.Now()
	started, rec := b.mustUp()
	up, calledUp := time.Since(begin), calls()
	begin = time.Now()
	b.teardown(rec, 0)
	down, calledDown := time.Since(begin), calls()
	if got, most := len(calledUp), 6; got > most {
		t.Errorf("up: got %d runs of docker, want at most %d: %q", got, most, calledUp)
	}
	if got, most := len(calledDown), 14; got > most {
		t.Errorf("teardown: got %d runs of docker, want at most %d: %q", got, most, calledDown)
	}
	t.Logf("up %v with %d runs of docker (start %d ms), teardown %v with %d", up.Round(time.Millisecond), len(calledUp),
		*started.StartMS, down.Round(time.Millisecond), len(calledDown))
}
