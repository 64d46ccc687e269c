package probe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
)

// Ids of containers, as long as an engine's.
var (
	web = strings.Repeat("5f1c", 16)
	job = strings.Repeat("a04e", 16)
)

// grouped is a group's directory and its files, as grep -H prints them.
func grouped(dir string, files ...string) string {
	var b strings.Builder
	for i := 0; i < len(files); i += 2 {
		for line := range strings.Lines(files[i+1]) {
			fmt.Fprintf(&b, "%s/%s:%s\n", dir, files[i], strings.TrimSuffix(line, "\n"))
		}
	}
	return b.String()
}

// version1 is what a kernel has of a container by version 1 of control groups,
// as docker's driver without systemd makes them.
func version1(id string, pid int) string {
	dir := func(controller string) string { return "/sys/fs/cgroup/" + controller + "/docker/" + id }
	return fmt.Sprintf("/proc/%d/cgroup:4:memory:/docker/%s\n/proc/%d/cgroup:0::/\n", pid, id, pid) +
		grouped(dir("cpu"), "cpu.stat", "nr_periods 41\nnr_throttled 40\nthrottled_time 2042123456\n") +
		grouped(dir("cpuacct"), "cpuacct.usage", "2100654321\n", "cpuacct.stat", "user 205\nsystem 4\n") +
		grouped(dir("memory"), "memory.usage_in_bytes", "209862656\n", "memory.max_usage_in_bytes", "210100224\n",
			"memory.stat", "rss 4096\ntotal_rss 209715200\n", "memory.oom_control", "oom_kill 1\n") +
		grouped(dir("pids"), "pids.current", "5\n") +
		grouped(dir("blkio"), ioBytes, "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Total 12288\n"+
			"8:16 Read 512\n8:16 Write 0\n8:16 Total 512\nTotal 12800\n", ioOps, "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\n8:16 Read 1\nTotal 4\n")
}

// version2 is the same by version 2, as systemd makes them. The examples are
// those of cgroup-v2.rst.
func version2(id string, pid int) string {
	slice := "/system.slice/docker-" + id + ".scope"
	return fmt.Sprintf("/proc/self/mountinfo:27 21 0:24 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n/proc/%d/cgroup:0::%s\n", pid, slice) +
		grouped("/sys/fs/cgroup"+slice, controllers, "cpuset cpu io memory pids\n",
			"cpu.stat", "usage_usec 2100654\nuser_usec 2050000\nsystem_usec 50654\nnr_periods 41\nnr_throttled 40\nthrottled_usec 2042123\n",
			"memory.current", "209862656\n", "memory.peak", "210100224\n", "memory.stat", "anon 209715200\n", "memory.events", "oom_kill 1\n",
			"pids.current", "5\n", "pids.peak", "6\n",
			"io.stat", "8:16 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=50331648 dios=3021\n")
}

func container(id string, pid int64) thing {
	t := newThing(sandboxer.EngineDocker, sandboxer.KindContainer, id, "box-"+id[:4], nil)
	t.pid = pid
	return t
}

// billed returns the cost of containers whose usage was read as text.
func billed(text string, things ...thing) *sandboxer.SandboxCost {
	b := newBill()
	groups := parseGroups(text)
	for _, t := range things {
		b.add(t, groups)
	}
	b.sum(absent)
	return b.cost
}

// told returns what of a usage is known, by names in JSON.
func told(t *testing.T, u sandboxer.Usage) map[string]float64 {
	t.Helper()
	data, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	all, known := map[string]*float64{}, map[string]float64{}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for name, n := range all {
		if n != nil {
			known[name] = *n
		}
	}
	return known
}

// of1 and of2 are what the examples of version 1 and 2 say.
func of1() map[string]float64 {
	return map[string]float64{
		"cpu_seconds": 2.100654, "cpu_user_seconds": 2.05, "cpu_system_seconds": 0.04,
		"cpu_periods": 41, "cpu_periods_throttled": 40, "cpu_throttled_seconds": 2.042123,
		"memory_current_bytes": 209862656, "memory_anon_bytes": 209715200, "memory_peak_bytes": 210100224,
		"pids_current": 5, "io_read_bytes": 4608, "io_read_ops": 2, "oom_kills": 1,
	}
}

func of2() map[string]float64 {
	want := of1()
	want["cpu_system_seconds"], want["pids_peak"] = 0.050654, 6
	want["io_write_bytes"], want["io_write_ops"] = 8192, 2
	return want
}

func without(m map[string]float64, names ...string) map[string]float64 {
	for _, name := range names {
		delete(m, name)
	}
	return m
}

func TestUsage(t *testing.T) {
	changed := func(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
	anyIO := []string{"io_read_bytes", "io_write_bytes", "io_read_ops", "io_write_ops"}
	idle1, idle2 := of1(), of2()
	idle1["io_read_bytes"], idle1["io_read_ops"] = 0, 0
	for _, name := range anyIO {
		idle2[name] = 0
	}
	v1, v2 := version1(web, 70), version2(web, 70)
	for _, c := range []struct {
		name, text, source string
		want               map[string]float64
		missing            string // of one field, "NAME REASON"; empty: of none
	}{
		{"version 1", v1, cgroupV1, of1(), "pids_peak unsupported"},
		{"version 2", v2, cgroupV2, of2(), ""},
		{"version 2 by podman", changed(v2, "/system.slice/docker-", "/machine.slice/libpod-", "docker-", "libpod-"), cgroupV2, of2(), ""},
		{"version 2 in a group with colons", changed(v2, "system.slice/docker-", "system.slice/a:cpu.stat:b-"), cgroupV2, of2(), ""},
		{"version 2 of which nothing was read or written", dropped(v2, "io.stat"), cgroupV2, idle2, ""},
		{"version 2 without the io controller", changed(dropped(v2, "io.stat"), " io ", " "), cgroupV2, without(of2(), anyIO...), "io_read_ops unsupported"},
		{"version 2 of an older kernel", dropped(v2, "memory.peak"), cgroupV2, without(of2(), "memory_peak_bytes"), "memory_peak_bytes unsupported"},
		{"version 1 with controllers that share a hierarchy", changed(v1, "/cpuacct/", "/cpu,cpuacct/", "/cpu/", "/cpu,cpuacct/"), cgroupV1, of1(), "pids_peak unsupported"},
		{"version 1 of which nothing was read or written", dropped(dropped(v1, ioBytes), ioOps) + grouped("/blkio/"+web, ioBytes, "Total 0\n", ioOps, "Total 0\n"),
			cgroupV1, idle1, "pids_peak unsupported"},
		{"a number beyond what there can be", changed(v2, "current:209862656", "current:99999999999999999999"), cgroupV2,
			without(of2(), "memory_current_bytes"), "memory_current_bytes parse_error"},
		{"a number below what there can be", changed(v2, "usage_usec 2100654", "usage_usec -1"), cgroupV2, without(of2(), "cpu_seconds"), "cpu_seconds parse_error"},
		{"a sum with a gap", changed(v2, "rbytes=512", "rbytes=?"), cgroupV2, without(of2(), "io_read_bytes"), "io_read_bytes parse_error"},
		{"the group of all", "/proc/70/cgroup:4:memory:/\n", noGroup, map[string]float64{}, "* unsupported"},
		{"another's group", version2(job, 70), noGroup, map[string]float64{}, "* unsupported"},
		{"a process that has ended", "", noGroup, map[string]float64{}, "* absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := billed(c.text, container(web, 70))
			if got.Source != c.source {
				t.Errorf("source: got %s, want %s", got.Source, c.source)
			}
			for _, u := range []sandboxer.Usage{got.Usage, got.Containers[0].Usage} {
				if diff := cmp.Diff(c.want, told(t, u)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			reasons := explainedNulls(t, got)
			name, want, _ := strings.Cut(c.missing, " ")
			if reasons[strings.TrimSuffix("sandbox."+name, ".*")] != want || want == "" && len(reasons) > 0 {
				t.Errorf("missing: got %v, want %q", reasons, c.missing)
			}
		})
	}
}

// dropped is text without a file.
func dropped(text, file string) string {
	lines := slices.Collect(strings.Lines(text))
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "/"+file+":") }), "")
}

// explainedNulls holds that every null has one reason, its own or that of all
// beside it, and returns them.
func explainedNulls(t *testing.T, c *sandboxer.SandboxCost) map[string]string {
	t.Helper()
	reasons := map[string]string{}
	for _, m := range c.Missing {
		if m.Reason == "" || reasons[m.Field] != "" {
			t.Errorf("missing: got %q again or without a reason, want each once: %v", m.Field, c.Missing)
		}
		reasons[m.Field] = m.Reason
	}
	check := func(at string, u *sandboxer.Usage) {
		for _, f := range figures(u) {
			own, all := reasons[at+"."+f.name] != "", reasons[at] != ""
			if f.isNil() != (own || all) || own && all {
				t.Errorf("%s.%s: got null: %t, a reason: %t, one for all: %t, want a reason for each null", at, f.name, f.isNil(), own, all)
			}
		}
	}
	check("sandbox", &c.Usage)
	for i := range c.Containers {
		check(fmt.Sprintf("sandbox.containers[%d]", i), &c.Containers[i].Usage)
	}
	return reasons
}

// Of several containers there is the sum, as far as all of it is known.
func TestUsageOfSeveral(t *testing.T) {
	both := billed(version2(web, 70)+version2(job, 71), container(web, 70), container(job, 71))
	want := map[string]float64{}
	for name, n := range of2() {
		want[name] = 2 * n
	}
	if diff := cmp.Diff(want, told(t, both.Usage)); diff != "" {
		t.Errorf("two that run (-want +got):\n%s", diff)
	}
	if len(both.Missing) > 0 {
		t.Errorf("two that run: got missing %v, want nothing", both.Missing)
	}

	ended := billed(version2(web, 70), container(web, 70), container(job, 0))
	if diff := cmp.Diff(map[string]float64{}, told(t, ended.Usage)); diff != "" {
		t.Errorf("one that has ended (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(of2(), told(t, ended.Containers[0].Usage)); diff != "" {
		t.Errorf("the one that runs (-want +got):\n%s", diff)
	}
	reasons := explainedNulls(t, ended)
	for _, field := range []string{"sandbox", "sandbox.containers[1]"} {
		if reasons[field] != absent {
			t.Errorf("%s: got reason %q, want absent", field, reasons[field])
		}
	}

	none := billed(version2(web, 70))
	if diff := cmp.Diff([]sandboxer.Missing{{Field: "sandbox", Reason: absent}}, none.Missing); diff != "" || none.CPUSeconds != nil {
		t.Errorf("no containers: got cpu_seconds %v, missing (-want +got):\n%s", none.CPUSeconds, diff)
	}
}

// Two groups of one container, as the two versions beside each other can make
// them, are not counted twice.
func TestUsageOfBothVersions(t *testing.T) {
	dir := "/sys/fs/cgroup/unified/docker/" + web
	text := grouped(dir, controllers, "\n", "cpu.stat", "usage_usec 2100654\nuser_usec 2060000\nsystem_usec 40654\n") + version1(web, 70)
	want := of1()
	want["cpu_user_seconds"], want["cpu_system_seconds"] = 2.06, 0.040654 // those of the first
	got := billed(text, container(web, 70))
	if diff := cmp.Diff(want, told(t, got.Usage)); diff != "" || got.Source != cgroupV1 {
		t.Errorf("got source %s, (-want +got):\n%s", got.Source, diff)
	}
}

func FuzzUsage(f *testing.F) {
	f.Add(version1(web, 70))
	f.Add(version2(web, 70))
	f.Add(version2(web, 70) + version1(job, 71))
	f.Add("/io.stat:\n/cgroup.controllers:io\n/proc/x/cgroup:0::/\n")
	f.Fuzz(func(t *testing.T, text string) {
		got := billed(text, container(web, 70), container(job, 71))
		for _, u := range append([]sandboxer.ContainerCost{{Usage: got.Usage}}, got.Containers...) {
			for name, n := range told(t, u.Usage) {
				if n < 0 || n > maxCount {
					t.Errorf("%s: got %v, want a count below 2^53", name, n)
				}
			}
		}
		explainedNulls(t, got)
	})
}
