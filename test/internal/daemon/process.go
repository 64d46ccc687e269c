package daemon

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Process is one line of what ps would say.
type Process struct {
	PID, PPID int
	UID       uint32
	Program   string   // base name of the executable file; "" where unreadable
	Args      []string // argv; empty for a kernel thread or a zombie
}

// Processes lists what runs on this machine, as far as /proc shows it to the
// caller. A process that ends meanwhile is left out.
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
	p := Process{PID: pid, PPID: parseParent(stat)}
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

// parseParent reads the parent from proc(5) stat, as in `42 (a) b) S 7 ...`:
// the name may hold spaces and brackets, so it ends at the last bracket.
func parseParent(stat []byte) int {
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	var state string
	var ppid int
	_, _ = fmt.Sscanf(string(rest), "%s %d", &state, &ppid)
	return ppid
}

// Descendants lists the children of pid, their children, and so on.
func Descendants(pid int) []int {
	children := make(map[int][]int)
	for _, p := range Processes() {
		children[p.PPID] = append(children[p.PPID], p.PID)
	}
	var found []int
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return found
}
