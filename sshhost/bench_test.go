package sshhost_test

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// BenchmarkExecCold connects, runs one command and closes, and does the same
// with the OpenSSH client in turns, on the same machine at the same time: only
// the ratio means anything elsewhere.
func BenchmarkExecCold(b *testing.B) {
	l := lab.Open(b)
	const alias = "lab-dash"
	var ours, theirs []time.Duration
	for b.Loop() {
		ours = append(ours, timed(func() {
			h := sshhost.New(alias, sshhost.Config{ConfigFile: l.SSHConfig})
			defer h.Close()
			mustSucceed(b, h)
		}))
		theirs = append(theirs, timed(func() {
			if out, err := exec.Command("ssh", "-F", l.SSHConfig, alias, "true").CombinedOutput(); err != nil {
				b.Fatalf("ssh: %v: %s", err, out)
			}
		}))
	}
	b.ReportMetric(0, "ns/op") // the sum of both is of no interest
	b.ReportMetric(median(ours).Seconds()*1e3, "ms-ours")
	b.ReportMetric(median(theirs).Seconds()*1e3, "ms-ssh")
	b.ReportMetric(float64(median(ours))/float64(median(theirs)), "ratio")
}

// BenchmarkExecWarm runs a command over an open connection.
func BenchmarkExecWarm(b *testing.B) {
	l := lab.Open(b)
	h := sshhost.New("lab-dash", sshhost.Config{ConfigFile: l.SSHConfig})
	defer h.Close()
	mustSucceed(b, h)
	b.ReportAllocs()
	for b.Loop() {
		mustSucceed(b, h)
	}
}

func mustSucceed(b *testing.B, h sandboxer.Host) {
	b.Helper()
	res, err := h.Run(b.Context(), sandboxer.Cmd{Args: []string{"true"}})
	if err == nil {
		err = res.Err("true")
	}
	if err != nil {
		b.Fatal(err)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
