package canary

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer"
)

// engineSockets are where engines listen. Whoever can talk to one owns the
// host. /var/run is a link to /run on a host, and need not be one in here.
var engineSockets = [...]string{
	"/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock",
	"/var/run/docker.sock", "/var/run/podman/podman.sock", "/var/run/containerd/containerd.sock", "/var/run/crio/crio.sock",
}

// hostFiles are on every host, and in no image that holds one program.
var hostFiles = [...]string{"/bin/sh", "/usr/bin", "/etc/os-release"}

// maxProcesses is how many processes a sandbox of one may show: the canary, a
// child, and what an engine runs in there for a moment.
const maxProcesses = 8

// facts are what can be seen from inside about how a process is kept apart.
type facts struct {
	pid       int
	procPID   int // as /proc numbers the processes
	processes int // visible in /proc
	uid       int
	mapped    bool // in a user namespace
	status    procStatus
	sockets   []string // engine sockets that accept a connection
	hostFiles []string // that exist
	readOnly  bool     // the root file system is
}

// procStatus is what is needed of /proc/self/status (proc_pid_status(5)):
//
//	CapEff:	0000000000000000
//	NoNewPrivs:	1
//	Seccomp:	2
type procStatus struct {
	capEff     uint64
	noNewPrivs bool
	seccomp    bool
}

func parseStatus(data string) (procStatus, error) {
	var s procStatus
	found := false
	for line := range strings.Lines(data) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "CapEff":
			found = true
			s.capEff, err = strconv.ParseUint(value, 16, 64)
		case "NoNewPrivs":
			s.noNewPrivs, err = strconv.ParseBool(value)
		case "Seccomp":
			s.seccomp = value != "0"
		}
		if err != nil {
			return s, fmt.Errorf("parse %s %q: %w", key, value, err)
		}
	}
	if !found {
		return s, errors.New("no CapEff in /proc/self/status")
	}
	return s, nil
}

func readFacts() (facts, error) {
	f := facts{pid: os.Getpid(), uid: os.Geteuid()}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return f, err
	}
	if f.status, err = parseStatus(string(data)); err != nil {
		return f, err
	}
	if err := f.readProc(); err != nil {
		return f, err
	}
	for _, path := range engineSockets {
		if real, err := filepath.EvalSymlinks(path); err != nil || real != path {
			continue // not there, or it is another of them
		}
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			conn.Close()
			f.sockets = append(f.sockets, path)
		}
	}
	for _, path := range hostFiles {
		if _, err := os.Lstat(path); err == nil {
			f.hostFiles = append(f.hostFiles, path)
		}
	}
	var root syscall.Statfs_t
	if err := syscall.Statfs("/", &root); err != nil {
		return f, err
	}
	f.readOnly = root.Flags&syscall.MS_RDONLY != 0 // ST_RDONLY of statfs(2) has the same value
	return f, nil
}

// readProc reads what /proc shows beyond the process itself.
func (f *facts) readProc() error {
	link, err := os.Readlink("/proc/self")
	if err != nil {
		return err
	}
	if f.procPID, err = strconv.Atoi(link); err != nil {
		return err
	}
	// "0 0 4294967295" maps every user to itself: no namespace (user_namespaces(7)).
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	f.mapped = !slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
	entries, err := filepath.Glob("/proc/[0-9]*")
	f.processes = len(entries)
	return err
}

// namespaces names those that this process must have of its own.
func (f facts) namespaces() []string {
	var own []string
	if f.mapped {
		own = append(own, "user")
	}
	if f.pid == 1 || f.procPID != f.pid {
		own = append(own, "pid")
	}
	if f.pid == 1 && f.procPID == 1 {
		own = append(own, "mount") // or /proc would still be the host's
	}
	return own
}

// checkIsolation says what keeps the canary apart from its host.
func checkIsolation(env environment) sandboxer.CanaryCheck {
	f, err := readFacts()
	if err != nil {
		return sandboxer.CanaryCheck{Name: sandboxer.CheckIsolation, Status: sandboxer.Errored, Message: err.Error()}
	}
	if env.process {
		return judgeProcess(f)
	}
	return judgeContainer(f)
}

// judgeContainer expects of a container all that compose.yaml asks for.
func judgeContainer(f facts) sandboxer.CanaryCheck {
	var j judgement
	j.expect(f.pid == 1 && f.processes <= maxProcesses, sandboxer.Fail, fmt.Sprintf("pid %d of %d processes visible", f.pid, f.processes))
	j.expect(true, "", fmt.Sprintf("uid %d", f.uid))
	j.expect(f.status.capEff == 0, sandboxer.Fail, fmt.Sprintf("effective capabilities %#x", f.status.capEff))
	j.expect(f.status.noNewPrivs, sandboxer.Warn, "no_new_privs "+onOff(f.status.noNewPrivs))
	j.expect(true, "", "seccomp "+onOff(f.status.seccomp))
	j.expect(f.readOnly, sandboxer.Warn, "read-only root "+onOff(f.readOnly))
	j.expect(len(f.hostFiles) == 0, sandboxer.Fail, "files as on a host: "+orNone(f.hostFiles))
	j.expect(len(f.sockets) == 0, sandboxer.Fail, "engine sockets within reach: "+orNone(f.sockets))
	return j.check()
}

// judgeProcess says how far a process without a container is kept apart. What
// the kernel does not allow is no failure of the host: it warns.
func judgeProcess(f facts) sandboxer.CanaryCheck {
	var j judgement
	own := f.namespaces()
	got := "namespaces of its own: " + orNone(own)
	if len(own) == 0 {
		got += ": the kernel, or what is installed, did not give it any"
	}
	j.expect(slices.Contains(own, "mount"), sandboxer.Warn, got)
	j.expect(true, "", fmt.Sprintf("pid %d of %d processes visible", f.pid, f.processes))
	j.expect(true, "", fmt.Sprintf("uid %d", f.uid))
	j.expect(true, "", fmt.Sprintf("effective capabilities %#x", f.status.capEff))
	j.expect(true, "", "no_new_privs "+onOff(f.status.noNewPrivs))
	j.expect(true, "", "the host's root file system")
	j.expect(len(f.sockets) == 0, sandboxer.Warn, "engine sockets within reach: "+orNone(f.sockets))
	return j.check()
}

// A judgement is a check of several facts, each of which it names.
type judgement struct {
	worst sandboxer.Verdict
	said  []string
}

// expect names a fact, and what it makes of the check if it is not ok.
func (j *judgement) expect(ok bool, otherwise sandboxer.Verdict, fact string) {
	if !ok {
		fact += fmt.Sprintf(" (%s)", otherwise)
		if j.worst != sandboxer.Fail {
			j.worst = otherwise
		}
	}
	j.said = append(j.said, fact)
}

func (j *judgement) check() sandboxer.CanaryCheck {
	c := sandboxer.CanaryCheck{Name: sandboxer.CheckIsolation, Status: j.worst, Message: strings.Join(j.said, "; ")}
	if c.Status == "" {
		c.Status = sandboxer.Pass
	}
	return c
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
