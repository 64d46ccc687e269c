package probe_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/sysfs"
)

// What a snapshot says of this machine is what the kernel tells others. No
// engine is asked.
func TestSnapshotAgreesWithOthers(t *testing.T) {
	root := testRoot(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix://"+root+"/no.sock")
	t.Setenv("CONTAINERS_STORAGE_CONF", root+"/one/storage.conf")
	must(t, os.WriteFile(root+"/one/storage.conf", []byte("graphroot = \""+root+"/no/storage\"\n"), 0o600))
	m := newMachineOracle(t, root, engineRoots{})
	oracle{
		root: root,
		steady: func() (reading, error) {
			r, err := m.steady()
			if err == nil {
				maps.Copy(r, enginesUnasked(root+"/no/storage"))
			}
			return r, err
		},
		moving: m.moving,
	}.check(t)
}

// A machineOracle reads this machine with another library and by system calls.
type machineOracle struct {
	proc    procfs.FS
	sys     sysfs.FS
	root    string
	disks   []disk
	listens []string // addresses and ports
}

func newMachineOracle(t *testing.T, root string, engines engineRoots) machineOracle {
	t.Helper()
	proc, err := procfs.NewDefaultFS()
	must(t, err)
	sys, err := sysfs.NewDefaultFS()
	must(t, err)
	return machineOracle{proc: proc, sys: sys, root: root, disks: disksOf(t, root, engines), listens: listenHere(t)}
}

// steady reads what stays as it is while the machine is up.
func (m machineOracle) steady() (reading, error) {
	r := reading{"objects.directories": []string{m.root + "/one"}, "objects.processes": []string{}}
	mounts, err := m.proc.GetMounts()
	if err != nil {
		return nil, err
	}
	points := []string{}
	for _, at := range mounts {
		points = append(points, at.MountPoint)
	}
	r["objects.mounts"] = set(points)
	stat, err := m.proc.Stat()
	if err != nil {
		return nil, err
	}
	r["identity.boot_at"] = float64(stat.BootTime)
	r["cpu.logical_count"] = float64(len(stat.CPU))
	for i, d := range m.disks {
		at := fmt.Sprintf("filesystems[%d].", i)
		r[at+"roles"], r[at+"path"], r[at+"device_id"], r[at+"fstype"] = set(d.roles), d.path, d.device, d.fstype(mounts)
	}
	return r, errors.Join(m.identity(r, mounts), m.system(r), m.firmware(r, mounts))
}

// moving reads what never rests.
func (m machineOracle) moving() (reading, error) {
	r := reading{"observed_at": seconds(time.Now())}
	return r, errors.Join(m.counters(r), m.load(r), m.memory(r), m.pressure(r), m.limits(r), m.sockets(r), m.space(r))
}

func (m machineOracle) counters(r reading) error {
	stat, err := m.proc.Stat()
	if err != nil {
		return err
	}
	ticks := func(seconds float64) float64 { return math.Round(seconds*100) / 100 }
	c := stat.CPUTotal
	r["cpu.busy_seconds_total"] = ticks(c.User + c.Nice + c.System + c.IRQ + c.SoftIRQ + c.Steal)
	r["cpu.idle_seconds_total"], r["cpu.iowait_seconds_total"], r["cpu.steal_seconds_total"] = ticks(c.Idle), ticks(c.Iowait), ticks(c.Steal)
	r["cpu.context_switches_total"], r["cpu.forks_total"] = float64(stat.ContextSwitches), float64(stat.ProcessCreated)
	r["cpu.procs_running"], r["cpu.procs_blocked"] = float64(stat.ProcessesRunning), float64(stat.ProcessesBlocked)
	return nil
}

func (m machineOracle) load(r reading) error {
	load, err := m.proc.LoadAvg()
	if err != nil {
		return err
	}
	stat, err := m.proc.Stat()
	if err != nil {
		return err
	}
	r["load.load1"], r["load.load5"], r["load.load15"] = load.Load1, load.Load5, load.Load15
	r["load.load1_per_cpu"] = math.Round(load.Load1/float64(len(stat.CPU))*1e4) / 1e4
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return err
	}
	var up float64
	_, err = fmt.Sscan(string(data), &up)
	r["identity.uptime_seconds"] = up
	return err
}

// orNull is a number that may not be there.
func orNull(n *uint64) any {
	if n == nil {
		return nil
	}
	return float64(*n)
}

func (m machineOracle) memory(r reading) error {
	info, err := m.proc.Meminfo()
	if err != nil {
		return err
	}
	for name, n := range map[string]*uint64{
		"total": info.MemTotalBytes, "available": info.MemAvailableBytes, "free": info.MemFreeBytes, "anon": info.AnonPagesBytes,
		"dirty": info.DirtyBytes, "swap_total": info.SwapTotalBytes, "swap_free": info.SwapFreeBytes,
	} {
		r["memory."+name+"_bytes"] = orNull(n)
	}
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return err
	}
	for path, key := range map[string]string{
		"swap_in_pages": "pswpin", "swap_out_pages": "pswpout", "major_faults": "pgmajfault", "oom_kills": "oom_kill",
	} {
		r["memory."+path+"_total"] = nil
		if _, rest, found := strings.Cut("\n"+string(data), "\n"+key+" "); found {
			var n float64
			if _, err := fmt.Sscan(rest, &n); err != nil {
				return err
			}
			r["memory."+path+"_total"] = n
		}
	}
	return nil
}

func (m machineOracle) pressure(r reading) error {
	for _, kind := range []string{"cpu", "memory", "io"} {
		psi, err := m.proc.PSIStatsForResource(kind)
		at := "pressure." + kind
		if err != nil { // the kernel has none, or keeps none
			r[at] = nil
			continue
		}
		for who, line := range map[string]*procfs.PSILine{"some": psi.Some, "full": psi.Full} {
			at := at + "." + who
			r[at+"_avg10_ratio"], r[at+"_avg60_ratio"], r[at+"_avg300_ratio"], r[at+"_stall_us_total"] = nil, nil, nil, nil
			if line == nil {
				continue
			}
			ratio := func(percent float64) float64 { return math.Round(percent*100) / 1e4 }
			r[at+"_avg10_ratio"], r[at+"_avg60_ratio"], r[at+"_avg300_ratio"] = ratio(line.Avg10), ratio(line.Avg60), ratio(line.Avg300)
			r[at+"_stall_us_total"] = float64(line.Total)
		}
	}
	return nil
}

func (m machineOracle) limits(r reading) error {
	for path, name := range map[string]string{
		"pid_max": "kernel.pid_max", "threads_max": "kernel.threads-max",
		"conntrack_entries": "net.netfilter.nf_conntrack_count", "conntrack_max": "net.netfilter.nf_conntrack_max",
	} {
		n, err := m.proc.SysctlInts(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		r["limits."+path] = nil
		if len(n) == 1 {
			r["limits."+path] = float64(n[0])
		}
	}
	files, err := m.proc.SysctlInts("fs.file-nr")
	if err != nil {
		return err
	}
	r["limits.fds_allocated"], r["limits.fds_max"] = float64(files[0]), nil
	if files[2] < 1<<53 {
		r["limits.fds_max"] = float64(files[2])
	}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return err
	}
	processes, err := m.proc.AllProcs()
	r["limits.pids_used"], r["limits.processes_count"] = float64(info.Procs), float64(len(processes))
	return err
}

func (m machineOracle) sockets(r reading) error {
	stat, err := m.proc.NetSockstat()
	if err != nil {
		return err
	}
	r["network.sockets_used"] = float64(*stat.Used)
	for _, p := range stat.Protocols {
		if p.Protocol == "TCP" {
			r["network.tcp_inuse"], r["network.tcp_time_wait"] = float64(p.InUse), float64(*p.TW)
		}
	}
	var ports []string
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if port, ok := listener(line); ok {
				ports = append(ports, "tcp "+port)
			}
		}
	}
	r["objects.ports"] = set(ports)
	for _, port := range m.listens {
		if !slices.Contains(ports, "tcp "+port) {
			return fmt.Errorf("got ports %q, want %s, where this test listens", ports, port)
		}
	}
	return nil
}

// listener reads a line of /proc/net/tcp, whose words are the numbers that the
// address is in memory.
func listener(line string) (string, bool) {
	var slot int
	var host string
	var port uint16
	var state, other string
	_, err := fmt.Sscanf(strings.Replace(line, ":", " : ", 2), "%d : %s : %x %s %s", &slot, &host, &port, &other, &state)
	raw, hexErr := hex.DecodeString(host)
	if err != nil || hexErr != nil || state != "0A" {
		return "", false
	}
	for word := range slices.Chunk(raw, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, port).String(), ok
}

// listenHere keeps a port open at each address that there is.
func listenHere(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil && addr == "[::1]:0" {
			continue
		}
		must(t, err)
		t.Cleanup(func() { l.Close() })
		all = append(all, l.Addr().String())
	}
	return all
}
