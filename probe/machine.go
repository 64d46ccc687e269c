package probe

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
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

func (r *reading) identity() {
	id := &r.obs.Snapshot.Identity
	id.Hostname = r.line("/proc/sys/kernel/hostname")
	id.BootID = r.line("/proc/sys/kernel/random/boot_id")
	id.KernelRelease = r.line("/proc/sys/kernel/osrelease")
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if raw := r.line(path); raw != nil && id.MachineID == nil && len(*raw) == 32 {
			id.MachineID = new(hashMachineID(*raw))
		}
	}
	r.osRelease(id)
	machine := r.line("/proc/sys/kernel/arch")
	if s, ok := r.sections["arch"]; machine == nil && ok && s.whole {
		machine = new(strings.TrimSpace(string(s.body)))
	}
	if machine != nil && *machine != "" {
		id.Arch = new(goArch(*machine))
	}
	id.CgroupVersion = cgroupVersion(r.mounts)
	id.Virtualization = r.virtualization()
	if r.self.exists != nil {
		id.RebootRequired = new(r.self.exists["/run/reboot-required"])
	} else {
		r.why.add(truncated, "identity.reboot_required")
	}
	if s, ok := r.section("user", "identity.user"); ok && s.code == 0 {
		id.User = nonEmpty(strings.TrimSpace(string(s.body)))
	}
	id.UID = effectiveUID(r.files["/proc/self/status"])
	if up := r.line("/proc/uptime"); up != nil {
		first, _, _ := strings.Cut(*up, " ")
		id.UptimeSeconds = parseFloat(first)
	}
}

// effectiveUID reads a line of /proc/self/status: the real, effective, saved
// and file system uids.
//
//	Uid:	0	0	0	0
func effectiveUID(status string) *int64 {
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) == 5 && words[0] == "Uid:" {
			return parseInt(words[2])
		}
	}
	return nil
}

// osRelease reads os-release(5): shell assignments, some quoted.
//
//	PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
//	ID=debian
func (r *reading) osRelease(id *sandboxer.Identity) {
	text, ok := r.files["/etc/os-release"]
	if !ok {
		text = r.files["/usr/lib/os-release"]
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		value = strings.NewReplacer(`\"`, `"`, `\$`, `$`, `\\`, `\`, "\\`", "`").Replace(value)
		switch key {
		case "ID":
			id.OSID = &value
		case "VERSION_ID":
			id.OSVersionID = &value
		case "PRETTY_NAME":
			id.OSPrettyName = &value
		}
	}
}

// goArch translates the machine of uname(2) into Go's word for it.
func goArch(machine string) string {
	switch {
	case machine == "x86_64":
		return "amd64"
	case machine == "aarch64":
		return "arm64"
	case strings.HasPrefix(machine, "arm"):
		return "arm"
	case len(machine) == 4 && machine[0] == 'i' && strings.HasSuffix(machine, "86"):
		return "386"
	case machine == "loongarch64":
		return "loong64"
	}
	return machine // riscv64, ppc64le, s390x, ...
}

func (r *reading) virtualization() *string {
	switch {
	case r.line("/run/systemd/container") != nil:
		return r.line("/run/systemd/container")
	case r.self.exists["/.dockerenv"]:
		return new("docker")
	case r.self.exists["/run/.containerenv"]:
		return new("podman")
	case slices.ContainsFunc(r.mounts, func(m mount) bool { return m.fstype == "fuse.lxcfs" }):
		return new("lxcfs")
	}
	var words []string
	for _, path := range []string{"/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"} {
		if s := r.line(path); s != nil {
			words = append(words, *s)
		}
	}
	if len(words) == 0 {
		return nil
	}
	return new(strings.Join(words, " "))
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
			r.obs.Snapshot.Identity.BootAt = new(time.Unix(*n, 0).UTC())
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

// network reads /proc/net/sockstat:
//
//	sockets: used 294
//	TCP: inuse 14 orphan 0 tw 10 alloc 55 mem 3
func (r *reading) network(n *sandboxer.Network) {
	for line := range strings.Lines(r.files["/proc/net/sockstat"]) {
		words := strings.Fields(line)
		for i := 1; i+1 < len(words); i += 2 {
			switch words[0] + words[i] {
			case "sockets:used":
				n.SocketsUsed = parseInt(words[i+1])
			case "TCP:inuse":
				n.TCPInUse = parseInt(words[i+1])
			case "TCP:tw":
				n.TCPTimeWait = parseInt(words[i+1])
			}
		}
	}
}

// listening returns the listening TCP sockets of /proc/net/tcp and tcp6. An
// address is in hexadecimal words, each in the byte order of the machine:
//
//	0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 ...
func (r *reading) listening() []string {
	ports := []string{}
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for line := range strings.Lines(r.files[path]) {
			words := strings.Fields(line)
			if len(words) < 4 || words[3] != "0A" {
				continue
			}
			if addr, ok := parseSocket(words[1], r.bigEndian()); ok {
				ports = append(ports, "tcp "+addr.String())
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func (r *reading) bigEndian() bool {
	arch := r.obs.Snapshot.Identity.Arch
	return arch != nil && slices.Contains([]string{"s390x", "ppc64", "ppc", "mips", "mips64"}, *arch)
}

func parseSocket(s string, bigEndian bool) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw) && !bigEndian; i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.LittleEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(n)), ok
}
