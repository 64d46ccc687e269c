package probe

import (
	"math"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// maxCount is the largest integer that every reader of JSON can represent.
const maxCount = 1 << 53

// parseInt returns nil for what is not a plain number, or one above maxCount:
// the kernel's way to write "no limit" is 2^63-1.
func parseInt(s string) *int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n > maxCount || n < -maxCount {
		return nil
	}
	return &n
}

// parseFloat returns nil for what is not a finite number.
func parseFloat(s string) *float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// ratio returns part/whole to six decimals.
func ratio(part, whole *int64) *float64 {
	if part == nil || whole == nil || *whole <= 0 {
		return nil
	}
	return new(math.Round(float64(*part)/float64(*whole)*1e6) / 1e6)
}

func (r *reading) machine() {
	s := &r.obs.Snapshot
	r.section("proc", "cpu", "load", "memory", "pressure", "limits", "network", "identity", "filesystems")
	r.stat(&s.CPU)
	r.load()
	r.memory(&s.Memory)
	s.Pressure.CPU = r.pressure("cpu")
	s.Pressure.Memory = r.pressure("memory")
	s.Pressure.IO = r.pressure("io")
	r.limits(&s.Limits)
	r.network(&s.Network)
}

// stat reads the lines of /proc/stat that are wanted:
//
//	cpu  10132153 290696 3084719 46828483 16683 0 25195 0 175628 0
//	cpu0 ...
//	ctxt 1990473
//	btime 1062191376
//	processes 2915
//	procs_running 1
//	procs_blocked 0
//
// Times are in USER_HZ, which is 100 on every platform Go runs on, and user
// and nice hold guest and guest_nice already.
func (r *reading) stat(c *sandboxer.CPU) {
	var cpus int64
	for line := range strings.Lines(r.files["/proc/stat"]) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		n := parseInt(words[1])
		switch key := words[0]; {
		case key == "cpu":
			cpuTimes(c, words[1:])
		case strings.HasPrefix(key, "cpu"):
			cpus++
		case key == "ctxt":
			c.ContextSwitchesTotal = n
		case key == "processes":
			c.ForksTotal = n
		case key == "procs_running":
			c.ProcsRunning = n
		case key == "procs_blocked":
			c.ProcsBlocked = n
		case key == "btime" && n != nil:
			r.obs.Snapshot.Identity.BootAt = written(time.Unix(*n, 0))
		}
	}
	if cpus > 0 {
		c.LogicalCount = &cpus
	}
}

func cpuTimes(c *sandboxer.CPU, words []string) {
	var ticks [8]*int64 // user nice system idle iowait irq softirq steal
	for i := range min(len(words), len(ticks)) {
		ticks[i] = parseInt(words[i])
	}
	total := func(which ...int) *float64 {
		var sum int64
		for _, i := range which {
			if ticks[i] == nil {
				return nil
			}
			sum += *ticks[i]
		}
		return new(float64(sum) / 100)
	}
	c.BusySecondsTotal = total(0, 1, 2, 5, 6, 7)
	c.IdleSecondsTotal = total(3)
	c.IowaitSecondsTotal = total(4)
	c.StealSecondsTotal = total(7)
}

// load reads /proc/loadavg:
//
//	0.20 0.18 0.12 1/80 11206
func (r *reading) load() {
	line := r.line("/proc/loadavg")
	if line == nil {
		return
	}
	words := strings.Fields(*line)
	if len(words) < 4 {
		r.why.add(parseError, "load", "limits.pids_used")
		return
	}
	l := &r.obs.Snapshot.Load
	l.Load1, l.Load5, l.Load15 = parseFloat(words[0]), parseFloat(words[1]), parseFloat(words[2])
	if n := r.obs.Snapshot.CPU.LogicalCount; l.Load1 != nil && n != nil {
		l.Load1PerCPU = new(math.Round(*l.Load1/float64(*n)*1e4) / 1e4)
	}
	_, tasks, _ := strings.Cut(words[3], "/")
	r.obs.Snapshot.Limits.PidsUsed = parseInt(tasks)
}

// memory reads /proc/meminfo and the lines wanted of /proc/vmstat:
//
//	MemTotal:       32858820 kB
//	pswpin 0
func (r *reading) memory(m *sandboxer.Memory) {
	kib := map[string]**int64{
		"MemTotal:": &m.TotalBytes, "MemAvailable:": &m.AvailableBytes, "MemFree:": &m.FreeBytes,
		"AnonPages:": &m.AnonBytes, "Dirty:": &m.DirtyBytes,
		"SwapTotal:": &m.SwapTotalBytes, "SwapFree:": &m.SwapFreeBytes,
	}
	for line := range strings.Lines(r.files["/proc/meminfo"]) {
		words := strings.Fields(line)
		if len(words) != 3 || words[2] != "kB" || kib[words[0]] == nil {
			continue
		}
		if n := parseInt(words[1]); n != nil && *n <= maxCount/1024 {
			*kib[words[0]] = new(*n * 1024)
		}
	}
	counts := map[string]**int64{
		"pswpin": &m.SwapInPagesTotal, "pswpout": &m.SwapOutPagesTotal,
		"pgmajfault": &m.MajorFaultsTotal, "oom_kill": &m.OOMKillsTotal,
	}
	for line := range strings.Lines(r.files["/proc/vmstat"]) {
		if words := strings.Fields(line); len(words) == 2 && counts[words[0]] != nil {
			*counts[words[0]] = parseInt(words[1])
		}
	}
}

// pressure reads one of /proc/pressure (psi.rst):
//
//	some avg10=0.00 avg60=0.00 avg300=0.00 total=0
//	full avg10=0.00 avg60=0.00 avg300=0.00 total=0
//
// Kernels may lack the second line for cpu. Where the kernel was told to keep
// no account the files are there and cannot be read.
func (r *reading) pressure(kind string) *sandboxer.Pressure {
	path := "/proc/pressure/" + kind
	text, ok := r.files[path]
	if !ok {
		if r.self.exists[path] {
			r.why.add(disabled, "pressure."+kind)
		}
		return nil
	}
	p := new(sandboxer.Pressure)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		values := map[string]string{}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			values[key] = value
		}
		switch words[0] {
		case "some":
			p.SomeAvg10Ratio, p.SomeAvg60Ratio, p.SomeAvg300Ratio = percent(values["avg10"]), percent(values["avg60"]), percent(values["avg300"])
			p.SomeStallUSTotal = parseInt(values["total"])
		case "full":
			p.FullAvg10Ratio, p.FullAvg60Ratio, p.FullAvg300Ratio = percent(values["avg10"]), percent(values["avg60"]), percent(values["avg300"])
			p.FullStallUSTotal = parseInt(values["total"])
		}
	}
	r.why.add(unsupported, "pressure."+kind+".full_avg10_ratio", "pressure."+kind+".full_avg60_ratio",
		"pressure."+kind+".full_avg300_ratio", "pressure."+kind+".full_stall_us_total")
	return p
}

func percent(s string) *float64 {
	f := parseFloat(s)
	if f == nil {
		return nil
	}
	return new(math.Round(*f*100) / 1e4)
}

func (r *reading) limits(l *sandboxer.Limits) {
	number := func(path string) *int64 {
		if line := r.line(path); line != nil {
			return parseInt(*line)
		}
		return nil
	}
	l.PidMax = number("/proc/sys/kernel/pid_max")
	l.ThreadsMax = number("/proc/sys/kernel/threads-max")
	l.ConntrackEntries = number("/proc/sys/net/netfilter/nf_conntrack_count")
	l.ConntrackMax = number("/proc/sys/net/netfilter/nf_conntrack_max")
	l.ProcessesCount = r.self.processes
	// allocated, free (always 0), maximum
	if line := r.line("/proc/sys/fs/file-nr"); line != nil {
		if words := strings.Fields(*line); len(words) == 3 {
			l.FDsAllocated, l.FDsMax = parseInt(words[0]), parseInt(words[2])
			r.why.add(unsupported, "limits.fds_max")
		}
	}
}
