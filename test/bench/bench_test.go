// Package bench compares whole commands with what a person would type
// instead, in pairs and in one run. Nothing here asserts a time.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// build makes the command as a release would.
func build(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "sandboxer")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/tegwick/sand-boxer/cmd/sandboxer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// measure runs argv and returns its wall time and peak memory.
func measure(b *testing.B, argv ...string) (time.Duration, int64) {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begun)
	if err != nil {
		b.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
}

// pair runs two commands in turn and reports the median of their ratios.
func pair(b *testing.B, ours, peer []string) {
	var ratios, mine, theirs []float64
	var peak int64
	measure(b, ours...)
	measure(b, peer...)
	for b.Loop() {
		x, rss := measure(b, ours...)
		y, _ := measure(b, peer...)
		ratios, mine, theirs = append(ratios, x.Seconds()/y.Seconds()), append(mine, x.Seconds()), append(theirs, y.Seconds())
		peak = max(peak, rss)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(mine)*1000, "ms-ours")
	b.ReportMetric(median(theirs)*1000, "ms-peer")
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
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

// BenchmarkCreate is a canary over ssh, created and destroyed, against the
// same by hand: copy, build and start, then remove.
func BenchmarkCreate(b *testing.B) {
	lab.Require(b, "sshd", "ssh", "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(b)
	l, path := lab.Open(b), build(b)
	b.Setenv("XDG_DATA_HOME", b.TempDir())
	byHand := filepath.Join(b.TempDir(), "by-hand")
	script := fmt.Sprintf(byHandScript, path, l.SSHConfig)
	if err := os.WriteFile(byHand, []byte(script), 0o700); err != nil {
		b.Fatal(err)
	}
	pair(b,
		[]string{path, "create", "--rm", "--host", "lab-root", "--ssh-config", l.SSHConfig, "--engine", "docker", "-o", "json"},
		[]string{"sh", byHand})
}

// byHandScript takes the program and the ssh configuration.
const byHandScript = `set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp %[1]s "$dir/sandboxer"
printf 'FROM scratch\nCOPY sandboxer /\nENTRYPOINT ["/sandboxer", "version"]\n' >"$dir/Dockerfile"
printf 'services:\n  canary:\n    build: .\n' >"$dir/compose.yaml"
tar czf - -C "$dir" . | ssh -F %[2]s lab-root '
	d=$(mktemp -d) && cd "$d" && tar xzf - &&
	docker compose -p byhand up -d --build --quiet-pull >/dev/null 2>&1 &&
	docker compose -p byhand down --rmi all -v >/dev/null 2>&1; cd / && rm -rf "$d"'
`
