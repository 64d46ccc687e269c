package bench

import (
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// worker uses a processor, and 64 MiB of memory that come and go, until it is
// killed: tail keeps its whole input, for there is no line in it.
const worker = `while :; do head -c 67108864 /dev/zero | tail -n 1 >/dev/null; done`

// BenchmarkFalseAlarms is the share of differences that are called significant
// with nothing done to the host, under a load that somebody else has put on it:
// of 100 pairs of looks, a second apart, each judged by those before it, of
// which there are MinNoisePairs at first. More than one in twenty is too much.
func BenchmarkFalseAlarms(b *testing.B) {
	const runs, lag = 100, time.Second
	load := exec.Command("sh", "-c", worker)
	load.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := load.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-load.Process.Pid, syscall.SIGKILL)
		_ = load.Wait() // it was killed
	}()
	box := &sandboxer.Sandboxer{Collector: probe.Collector{}}
	alarms, judged := map[string]int{}, map[string]int{}
	for b.Loop() {
		known, err := box.Baseline(b.Context(), localhost.Host{}, sandboxer.BaselineOptions{Lag: lag})
		if err != nil {
			b.Fatal(err)
		}
		looks := take(b, box, runs+1, lag)
		for i, after := range looks[1:] {
			for field, d := range fieldsOf(b, known.Diff(looks[i], after)) {
				if d.Significant != nil {
					judged[field]++
				}
				if d.Significant != nil && *d.Significant {
					alarms[field]++
				}
			}
			known = known.Add(looks[i], after)
		}
	}
	b.ReportMetric(0, "ns/op")
	var all, of int
	for field, n := range judged {
		b.ReportMetric(100*float64(alarms[field])/float64(n), "%-"+field)
		all, of = all+alarms[field], of+n
	}
	b.ReportMetric(100*float64(all)/float64(max(of, 1)), "%-all")
	b.ReportMetric(float64(of)/float64(max(len(judged), 1)), "runs-judged")
}

// take looks at this machine so many times, lag apart, as Baseline does.
func take(b *testing.B, box *sandboxer.Sandboxer, looks int, lag time.Duration) []sandboxer.HostSnapshot {
	b.Helper()
	var all []sandboxer.HostSnapshot
	for range looks {
		obs, err := box.Inspect(b.Context(), localhost.Host{})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, obs.Snapshot)
		time.Sleep(lag) // nothing is to happen: that is what is measured
	}
	return all
}

// fieldsOf are the differences of the host, by their names in JSON.
func fieldsOf(b *testing.B, d sandboxer.Delta) map[string]sandboxer.FieldDelta {
	b.Helper()
	data, err := json.Marshal(d.Host)
	if err != nil {
		b.Fatal(err)
	}
	var fields map[string]sandboxer.FieldDelta
	if err := json.Unmarshal(data, &fields); err != nil {
		b.Fatal(err)
	}
	return fields
}
