package probe

import (
	"slices"
	"strings"
)

// Versions of control groups, as SandboxCost.Source has them.
const (
	cgroupV1 = "cgroup_v1"
	cgroupV2 = "cgroup_v2"
)

// A groupSource is where a figure of a sandboxer.Usage comes from: a value in
// a file of a control group, which is counted in parts of the figure's unit.
type groupSource struct {
	figure string // its name in JSON
	file   string
	key    string // empty: the file is a number
	parts  float64
}

const (
	micro = 1e6
	nano  = 1e9
	ticks = 100 // USER_HZ, see stat

	ioBytes = "blkio.throttle.io_service_bytes_recursive"
	ioOps   = "blkio.throttle.io_serviced_recursive"
)

// groupSources are all of them. The first half is version 2, where one group
// is all of a container's (Documentation/admin-guide/cgroup-v2.rst). The
// second is version 1, where each controller may have a group of its own
// (Documentation/admin-guide/cgroup-v1: cpuacct.rst, memory.rst, pids.rst,
// blkio-controller.rst; Documentation/scheduler/sched-bwc.rst). A value that
// both have is listed once. Files of a controller that is not enabled, and of
// newer kernels, are not there. What version 1 counts as written leaves out
// all that the kernel writes later, from the page cache, which is most of it.
var groupSources = []groupSource{
	{"cpu_seconds", "cpu.stat", "usage_usec", micro},
	{"cpu_user_seconds", "cpu.stat", "user_usec", micro},
	{"cpu_system_seconds", "cpu.stat", "system_usec", micro},
	{"cpu_periods", "cpu.stat", "nr_periods", 1},
	{"cpu_periods_throttled", "cpu.stat", "nr_throttled", 1},
	{"cpu_throttled_seconds", "cpu.stat", "throttled_usec", micro},
	{"memory_current_bytes", "memory.current", "", 1},
	{"memory_anon_bytes", "memory.stat", "anon", 1},
	{"memory_peak_bytes", "memory.peak", "", 1},
	{"pids_current", "pids.current", "", 1},
	{"pids_peak", "pids.peak", "", 1},
	{"io_read_bytes", "io.stat", "rbytes", 1},
	{"io_write_bytes", "io.stat", "wbytes", 1},
	{"io_read_ops", "io.stat", "rios", 1},
	{"io_write_ops", "io.stat", "wios", 1},
	{"oom_kills", "memory.events", "oom_kill", 1},

	{"cpu_seconds", "cpuacct.usage", "", nano},
	{"cpu_user_seconds", "cpuacct.stat", "user", ticks},
	{"cpu_system_seconds", "cpuacct.stat", "system", ticks},
	{"cpu_throttled_seconds", "cpu.stat", "throttled_time", nano},
	{"memory_current_bytes", "memory.usage_in_bytes", "", 1},
	{"memory_anon_bytes", "memory.stat", "total_rss", 1},
	{"memory_anon_bytes", "memory.stat", "rss", 1}, // of a group that holds no others
	{"memory_peak_bytes", "memory.max_usage_in_bytes", "", 1},
	{"io_read_bytes", ioBytes, "Read", 1},
	{"io_read_ops", ioOps, "Read", 1},
	{"oom_kills", "memory.oom_control", "oom_kill", 1},
}

// controllers is the file in which a group of version 2 says what controllers
// it has.
const controllers = "cgroup.controllers"

func isGroupFile(name string) bool {
	return name == controllers || slices.ContainsFunc(groupSources, func(s groupSource) bool { return s.file == name })
}

// A controlGroup is one directory of one hierarchy of control groups.
type controlGroup struct {
	dir   string
	files map[string][]string // lines by name, without their ends
}

// version tells a group of version 2 by what it has with no controller, too.
func (g controlGroup) version() string {
	if _, there := g.keyed("cpu.stat", "usage_usec"); there || len(g.files[controllers]) > 0 {
		return cgroupV2
	}
	return cgroupV1
}

// value returns what the group says of a figure. There is false if it says
// nothing; a nil value is then one that makes no sense.
func (g controlGroup) value(s groupSource) (n *int64, there bool) {
	switch {
	case s.key == "":
		return g.number(s.file)
	case s.file == "io.stat":
		return g.ioStat(s.key)
	case s.file == ioBytes, s.file == ioOps:
		return g.blkio(s.file, s.key)
	}
	return g.keyed(s.file, s.key)
}

// number reads a file of one value:
//
//	209862656
func (g controlGroup) number(file string) (*int64, bool) {
	lines := g.files[file]
	if len(lines) != 1 {
		return nil, len(lines) > 0
	}
	return counted(lines[0]), true
}

// keyed reads one value of a file that is "flat keyed":
//
//	usage_usec 310255
//	nr_throttled 0
func (g controlGroup) keyed(file, key string) (*int64, bool) {
	for _, line := range g.files[file] {
		if name, value, _ := strings.Cut(line, " "); name == key {
			return counted(value), true
		}
	}
	return nil, false
}

// ioStat adds up a value of io.stat over all devices, of which only those have
// a line that something was read from or written to:
//
//	8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0
//	8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021
//
// A file without a line looks like one that is not there; whether it is there,
// the controllers tell.
func (g controlGroup) ioStat(key string) (*int64, bool) {
	lines := g.files["io.stat"]
	enabled := strings.Fields(strings.Join(g.files[controllers], " "))
	if len(lines) == 0 && !slices.Contains(enabled, "io") {
		return nil, false
	}
	var values []string
	for _, line := range lines {
		for _, pair := range strings.Fields(line) {
			if name, value, _ := strings.Cut(pair, "="); name == key {
				values = append(values, value)
			}
		}
	}
	return addUp(values), true
}

// blkio adds up a value of a file of the throttling policy over all devices:
//
//	8:0 Read 4096
//	8:0 Write 8192
//	8:0 Sync 12288
//	8:0 Async 0
//	8:0 Discard 0
//	8:0 Total 12288
//	Total 12288
func (g controlGroup) blkio(file, operation string) (*int64, bool) {
	lines := g.files[file]
	var values []string
	for _, line := range lines {
		if words := strings.Fields(line); len(words) == 3 && words[1] == operation {
			values = append(values, words[2])
		}
	}
	return addUp(values), len(lines) > 0
}

// counted is parseInt for what is never negative.
func counted(s string) *int64 {
	n := parseInt(s)
	if n != nil && *n < 0 {
		return nil
	}
	return n
}

// addUp returns nil where one of the values is unknown.
func addUp(values []string) *int64 {
	var sum int64
	for _, value := range values {
		n := counted(value)
		if n == nil || sum+*n > maxCount {
			return nil
		}
		sum += *n
	}
	return &sum
}
