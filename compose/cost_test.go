package compose_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// counted puts clients and tools first in the bench's PATH that note their
// arguments, and returns what reads the notes and begins anew. What a tool
// calls itself is not noted.
func (b *bench) counted() func() []string {
	b.t.Helper()
	dir := lab.OpenDir(b.t)
	log := filepath.Join(dir, "log")
	begin := func() {
		if err := os.WriteFile(log, nil, 0o666); err != nil {
			b.t.Fatal(err)
		}
		if err := os.Chmod(log, 0o666); err != nil {
			b.t.Fatal(err)
		}
	}
	begin()
	for _, name := range []string{"docker", "docker-compose", "podman", "podman-compose"} {
		real, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		script := fmt.Sprintf("#!/bin/sh\n[ -n \"${COUNTED-}\" ] || echo \"%s $1 $2\" >>%s\nCOUNTED=yes exec %s \"$@\"\n", name, log, real)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	b.env = append(b.env, "PATH="+dir+":"+os.Getenv("PATH"))
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			b.t.Fatal(err)
		}
		begin()
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// Each run of an engine's client costs a host some 50 ms of CPU, one of a tool
// written in Python six times that.
func TestCost(t *testing.T) { onEach(t, testCost) }

func testCost(t *testing.T, e lab.Engine) {
	if strings.HasPrefix(e.Compose, "sudo ") {
		return // its PATH is not ours
	}
	b := newServing(t, e)
	b.spec.HostCheck = []string{"image/root/program", "dial"}
	calls := b.counted()
	begin := time.Now()
	started, rec := b.mustUp()
	up, calledUp := time.Since(begin), calls()
	begin = time.Now()
	b.teardown(rec, 0)
	down, calledDown := time.Since(begin), calls()
	mostDown := 14
	if e.Program == "podman" {
		mostDown += 2 // the pods
	}
	if got, most := len(calledUp), 7; got > most {
		t.Errorf("up: got %d runs, want at most %d: %q", got, most, calledUp)
	}
	if got := len(calledDown); got > mostDown {
		t.Errorf("teardown: got %d runs, want at most %d: %q", got, mostDown, calledDown)
	}
	t.Logf("up %v with %d runs (start %d ms), teardown %v with %d", up.Round(time.Millisecond), len(calledUp),
		*started.StartMS, down.Round(time.Millisecond), len(calledDown))
}
