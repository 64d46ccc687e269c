package daemon

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is one line of what ps would say.
type Process struct {
	PID, PPID int
	Started   uint64 // clock ticks after boot; with PID it is unique
	UID       uint32
	Program   string   // base name of the executable file; "" where unreadable
	Args      []string // argv; empty for a kernel thread
}

// Kill kills the process if it still runs, and not another of the same PID. It
// returns when the process has ended, or a second later.
func (p Process) Kill() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if now, ok := readProcess(p.PID); !ok || now.Started != p.Started {
			return
		}
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
		<-tick.C
	}
}

// Processes lists what runs on this machine, as far as /proc shows it to the
// caller. A process that has ended, or ends meanwhile, is left out.
func Processes() []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

func readProcess(pid int) (Process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	info, err := os.Stat(dir)
	if err != nil {
		return Process{}, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return Process{}, false
	}
	p := Process{PID: pid}
	var state string
	if state, p.PPID, p.Started, err = parseStat(stat); err != nil || state == "Z" || state == "X" {
		return Process{}, false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		p.UID = owner.Uid
	}
	if exe, err := os.Readlink(filepath.Join(dir, "exe")); err == nil {
		p.Program = filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
	}
	if args, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && len(args) > 0 {
		p.Args = strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")
	}
	return p, true
}

// parseStat reads state, parent and start time, field 3, 4 and 22 of proc(5)
// stat, as in `42 (a) b) S 7 42 42 0 -1 ...`: the name may hold spaces and
// brackets, so it ends at the last bracket.
func parseStat(stat []byte) (state string, ppid int, started uint64, err error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return "", 0, 0, fmt.Errorf("short stat %q", stat)
	}
	if ppid, err = strconv.Atoi(fields[1]); err != nil {
		return "", 0, 0, err
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], ppid, started, err
}

// Descendants lists the children of pid, their children, and so on.
func Descendants(pid int) []Process {
	children := make(map[int][]Process)
	for _, p := range Processes() {
		children[p.PPID] = append(children[p.PPID], p)
	}
	var found []Process
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0])
		queue = append(queue, children[queue[0].PID]...)
	}
	return found
}
