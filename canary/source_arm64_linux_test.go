package canary

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

// A looker is a provisioner that looks at the program that has arrived on the
// host, and starts nothing.
type looker struct{ machine elf.Machine }

var errSeen = errors.New("seen enough")

func (*looker) Engine() sandboxer.Engine { return sandboxer.EngineProcess }

func (*looker) Teardown(sandboxer.Record) sandboxer.Script { return "exit 0\n" }

func (l *looker) Up(_ context.Context, _ sandboxer.Host, _ sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	f, err := elf.Open(filepath.Join(box.Dir, programFile))
	if err != nil {
		return sandboxer.Started{}, err
	}
	l.machine = f.Machine
	return sandboxer.Started{}, errors.Join(errSeen, f.Close())
}

// An arm64Collector sees a host as it is, but for its architecture, which no
// fake host can change: the kernel itself tells of it.
type arm64Collector struct{ probe.Collector }

func (c arm64Collector) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := c.Collector.Collect(ctx, host, opts)
	obs.Snapshot.Identity.Arch = new("arm64")
	return obs, err
}

// TestHostOfAnotherArchitecture creates a canary on a host of arm64, from a
// controller of amd64: the running program does not suit.
func TestHostOfAnotherArchitecture(t *testing.T) {
	cache := newCache(t)
	host := sandboxertest.NewHost(t, sandboxertest.Scenario{})
	beside := t.TempDir()
	if err := os.WriteFile(filepath.Join(beside, "sandboxer-linux-arm64"), tinyARM64(0), 0o755); err != nil {
		t.Fatal(err)
	}
	running := finder{began: true, running: write(t, tinyProgram()), dirs: []string{beside}}
	alone := running
	alone.dirs = nil
	builder := testFinder()
	builder.began, builder.running = true, running.running

	for _, c := range []struct {
		what   string
		finder finder
		path   string
		errors []string // empty for a program of arm64
	}{
		{what: "a program beside the running one", finder: running},
		{what: "a program in PATH", finder: alone, path: beside},
		{what: "a program built for it", finder: builder, path: os.Getenv("PATH")},
		{what: "no program", finder: alone, errors: []string{
			"no program to send as a canary to linux/arm64: the running program: built for amd64, want arm64; sandboxer-linux-arm64: neither ",
			"; no Go toolchain in PATH to build one with",
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			var seen looker
			box := sandboxer.Sandboxer{Provisioners: []sandboxer.Provisioner{&seen}, Collector: arm64Collector{}, Root: host.Root()}
			_, err := box.Create(t.Context(), host, Spec(c.finder.find))
			if c.errors != nil {
				checkNoProgram(t, err, c.errors...)
				return
			}
			if !errors.Is(err, errSeen) || seen.machine != elf.EM_AARCH64 {
				t.Errorf("got a program for %v, %v, want one for %v", seen.machine, err, elf.EM_AARCH64)
			}
		})
	}
	kept := filepath.Join(cache, "sandboxer", "canary-linux-arm64")
	if program, err := open(kept, "kept", arm64); err != nil || len(program.ELF) == 0 {
		t.Errorf("the program built: got %v, want it kept in %s", err, kept)
	}
	left, err := filepath.Glob(host.Root() + "/*")
	if err != nil || len(left) > 0 {
		t.Errorf("got %q, %v on the host, want nothing left", strings.Join(left, " "), err)
	}
}
