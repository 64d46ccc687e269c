// Package bench compares whole commands with what a person would type
// instead, in pairs and in one run. Nothing here asserts a time.
package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// build makes the command as a release would.
func build(b *testing.B) string {
	b.Helper()
	return buildProgram(b, "cmd/sandboxer")
}

// buildProgram makes a program of this module.
func buildProgram(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), filepath.Base(name))
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/tegwick/sand-boxer/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// A cost is what a command has taken: its time, that of processors for it and
// for all it has started here, and its memory at most.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // KiB; never less than this process has, which starts it
}

// measure runs argv.
func measure(b *testing.B, argv ...string) cost {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begun)
	if err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
	state := cmd.ProcessState
	return cost{took, state.UserTime() + state.SystemTime(), state.SysUsage().(*syscall.Rusage).Maxrss}
}

// pair runs two commands in turn and reports the median of their ratios.
func pair(b *testing.B, ours, peer []string) {
	b.Helper()
	compare(b, contest{do: ours}, contest{do: peer})
}

// A contest is a command that is measured, and one that takes back what it
// has done.
type contest struct{ do, undo []string }

func (c contest) run(b *testing.B) cost {
	b.Helper()
	measured := measure(b, c.do...)
	if c.undo != nil {
		measure(b, c.undo...)
	}
	return measured
}

// compare runs both in turn and reports the median of their ratios. It returns
// the median of ours.
func compare(b *testing.B, ours, peer contest) time.Duration {
	b.Helper()
	var ratios, cpu, mine, theirs []float64
	var peak int64
	ours.run(b)
	peer.run(b)
	for b.Loop() {
		x, y := ours.run(b), peer.run(b)
		ratios, cpu = append(ratios, x.wall.Seconds()/y.wall.Seconds()), append(cpu, x.cpu.Seconds()/y.cpu.Seconds())
		mine, theirs = append(mine, x.wall.Seconds()), append(theirs, y.wall.Seconds())
		peak = max(peak, x.peak)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(cpu), "cpu-ratio") // on this side only
	b.ReportMetric(median(mine)*1000, "ms-ours")
	b.ReportMetric(median(theirs)*1000, "ms-peer")
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
	return time.Duration(median(mine) * float64(time.Second))
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkInspect is "inspect host" over ssh, cold, against "ssh HOST true".
func BenchmarkInspect(b *testing.B) {
	lab.Require(b, "sshd", "ssh")
	l, path := lab.Open(b), build(b)
	for _, alias := range []string{"lab-root", "lab-docker", "lab-dash"} {
		b.Run(alias, func(b *testing.B) {
			pair(b,
				[]string{path, "inspect", "host", "--host", alias, "--ssh-config", l.SSHConfig, "-o", "json"},
				[]string{"ssh", "-F", l.SSHConfig, alias, "true"})
		})
	}
}

// BenchmarkLook is a look as an embedding program takes it, in this process:
// over a new connection and over an open one.
func BenchmarkLook(b *testing.B) {
	lab.Require(b, "sshd", "ssh")
	l := lab.Open(b)
	box := &sandboxer.Sandboxer{Collector: probe.Collector{}}
	look := func(b *testing.B, host *sshhost.Host) {
		if _, err := box.Inspect(b.Context(), host); err != nil {
			b.Fatal(err)
		}
	}
	for _, alias := range []string{"lab-docker", "lab-dash"} {
		b.Run(alias+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				host := sshhost.New(alias, sshhost.Config{ConfigFile: l.SSHConfig})
				look(b, host)
				host.Close()
			}
		})
		b.Run(alias+"/warm", func(b *testing.B) {
			host := sshhost.New(alias, sshhost.Config{ConfigFile: l.SSHConfig})
			defer host.Close()
			look(b, host)
			b.ReportAllocs()
			for b.Loop() {
				look(b, host)
			}
		})
	}
}

// BenchmarkCreate is a create of the canary over ssh against the same by hand:
// the same files, copied, built and started. Both are removed again, outside
// of what is measured.
func BenchmarkCreate(b *testing.B) {
	lab.Require(b, "sshd", "ssh", "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(b)
	l, path := lab.Open(b), build(b)
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	dir := byHand(b, path)
	ours := []string{path, "create", "--name", "bench", "--host", "lab-docker", "--ssh-config", l.SSHConfig, "--engine", "docker", "-o", "json"}
	gone := []string{path, "destroy", "bench", "--host", "lab-docker", "--ssh-config", l.SSHConfig, "--engine", "docker", "-o", "json"}
	ssh := "ssh -F " + l.SSHConfig + " lab-docker "
	peer := []string{"sh", "-c", "tar c -C " + dir + " . | " + ssh + "'mkdir byhand && cd byhand && tar x && export SANDBOXER_UID=$(id -u) SANDBOXER_GID=$(id -g) && docker compose up -d --build --wait'"}
	down := []string{"sh", "-c", ssh + "'cd byhand && docker compose down -v --rmi all 2>/dev/null; cd && rm -r byhand'"}
	compare(b, contest{ours, gone}, contest{peer, down})
}

// byHand returns a directory with what the canary uploads, as a person would
// write it who has a builder.
func byHand(b *testing.B, path string) string {
	b.Helper()
	spec := canary.Spec(canary.File(path))
	files, err := spec.Files(b.Context(), sandboxer.Platform{OS: "linux", Arch: runtime.GOARCH})
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "byhand")
	if err := os.CopyFS(dir, files); err != nil {
		b.Fatal(err)
	}
	data := []struct{ name, text string }{
		{"image/Dockerfile", "FROM scratch\nCOPY root /\n"},
		{"compose.override.yaml", "services:\n  canary:\n    build: image\n"},
		{".env", "SANDBOXER_ID=byhand-000000\nSANDBOXER_NONCE=0123456789abcdef0123456789abcdef\n" +
			"SANDBOXER_IMAGE=localhost/byhand\n"},
	}
	for _, f := range data {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}
