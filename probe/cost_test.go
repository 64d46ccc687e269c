package probe_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

// countForks runs what follows in a process namespace of its own, where the
// last number given to a process is how many there were. The shell, its child
// and cut are not the script's.
const countForks = `sh "$@"; cut -d ' ' -f 5 /proc/loadavg >&2`

func (m *machine) forks() int {
	m.t.Helper()
	counted := *m
	m.link("unshare", "cut")
	counted.shell = []string{m.bin + "/unshare", "--pid", "--fork", m.bin + "/sh", "-c", countForks, "sh"}
	counted.collect(sandboxer.CollectOptions{})
	last, err := strconv.Atoi(strings.TrimSpace(counted.said))
	if err != nil {
		m.t.Fatalf("count forks: %v", err)
	}
	return last - 3
}

// One look at a host costs it at most 12 forks, engines aside, and one command.
func TestForks(t *testing.T) {
	lab.Require(t, "root")
	for _, c := range []struct {
		name string
		make func(m *machine)
		most int
	}{
		{"nothing there", func(m *machine) {}, 6},
		{"some sandboxes", func(m *machine) {
			for i := range 50 {
				m.put(m.record(fmt.Sprintf("canary-%04d", i)), "both")
			}
		}, 10},
		{"unclaimed directories and a process", func(m *machine) {
			m.put(m.record("canary-0000"), "both")
			m.write(m.root+"/canary-0000/.sandboxer/process", "1 1\n", 0o600)
			m.write(m.root+"/fake99/file", "", 0o600)
		}, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t)
			c.make(m)
			m.runs = 0
			m.collect(sandboxer.CollectOptions{})
			if m.runs != 1 {
				t.Errorf("got %d commands, want 1", m.runs)
			}
			got := m.forks()
			t.Logf("%d forks, %d bytes", got, len(m.bytes))
			if got > c.most {
				t.Errorf("got %d forks, want at most %d", got, c.most)
			}
		})
	}
}

// The probe writes nothing on the host.
func TestWritesNothing(t *testing.T) {
	m := newMachine(t)
	m.put(m.record("canary-0000"), "both")
	m.write(m.root+"/fake99/file", "", 0o600)
	before := tree(t, m)
	m.collect(sandboxer.CollectOptions{Sandbox: "canary-0000"})
	if after := tree(t, m); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
}

// tree lists files with their times of change.
func tree(t *testing.T, m *machine) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{m.home, m.root} {
		err := fsWalk(dir, func(path string, info os.FileInfo) {
			fmt.Fprintf(&b, "%s %v %v\n", path, info.Mode(), info.ModTime())
		})
		must(t, err)
	}
	return b.String()
}

func BenchmarkCollect(b *testing.B) {
	m := newMachine(b)
	m.put(m.record("canary-0000"), "both")
	for b.Loop() {
		m.collect(sandboxer.CollectOptions{})
	}
	b.ReportMetric(float64(len(m.bytes)), "answer-bytes")
}

// Ten thousand sandboxes, each with files of its own: the time against that of
// find(1) looking for the same metadata, in one run.
func BenchmarkManySandboxes(b *testing.B) {
	m := newMachine(b)
	rec := m.record("canary-0000")
	const count = 10_000
	for i := range count {
		rec.SandboxID = sandboxer.ID(fmt.Sprintf("canary-%012d", i))
		rec.Nonce = fmt.Sprintf("%032x", i*7919)
		m.put(rec, "both")
		for _, file := range []string{"compose.yaml", "image/Dockerfile", "image/root/data/.keep", "out/result.json"} {
			m.write(m.root+"/"+string(rec.SandboxID)+"/"+file, "x", 0o600)
		}
	}
	b.Run("find", func(b *testing.B) {
		m.link("wc")
		for b.Loop() {
			m.sh(b, `find "$1" -mindepth 3 -maxdepth 3 -name meta.json | wc -l`, m.root)
		}
	})
	b.Run("collect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			obs, err := probe.Collector{}.Collect(b.Context(), m, sandboxer.CollectOptions{Root: m.root})
			if err != nil || len(obs.Inventory.Sandboxes) != count || !obs.Inventory.Complete {
				b.Fatalf("got %d sandboxes, %v, want %d", len(obs.Inventory.Sandboxes), err, count)
			}
		}
		b.ReportMetric(float64(len(m.bytes)), "answer-bytes")
	})
}
