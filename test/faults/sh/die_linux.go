//go:build amd64 || arm64

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/tegwick/sand-boxer/test/faults/steps"
)

// die lets happen what is planned, and notes that it has. It returns unless
// this process is itself what dies.
func (t *tracer) die(s steps.Step) error {
	pid := t.parent
	switch t.plan.How {
	case steps.Shell:
		if err := t.dir.Fire(); err != nil {
			return err
		}
		if err := syscall.Kill(0, syscall.SIGKILL); err != nil {
			return err
		}
		select {}
	case steps.Link:
		var err error
		if pid, err = serverAbove(os.Getpid()); err != nil {
			return err
		}
	case steps.Client:
	default:
		return fmt.Errorf("step %v: no way to die is named %q", s, t.plan.How)
	}
	if err := end(pid); err != nil {
		return err
	}
	return t.dir.Fire()
}

// end kills a process and returns when it is gone, with all it had open.
func end(pid int) error {
	const pidfdOpen = 434 // pidfd_open(2)
	fd, _, errno := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if errno != 0 {
		return fmt.Errorf("pidfd_open %d: %w", pid, errno)
	}
	defer syscall.Close(int(fd))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %d: %w", pid, err)
	}
	poll := struct {
		fd             int32
		events, revent int16
	}{fd: int32(fd), events: 1} // POLLIN: it has ended
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, 0, 0, 0, 0)
		if errno != syscall.EINTR {
			if errno != 0 {
				return errno
			}
			return nil
		}
	}
}

// serverAbove returns the sshd that serves the session of a process.
func serverAbove(pid int) (int, error) {
	for pid > 1 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			return 0, err
		}
		// proc_pid_stat(5): "pid (comm) state ppid …"
		comm, rest, _ := strings.Cut(string(stat), ") ")
		_, comm, _ = strings.Cut(comm, "(")
		if strings.HasPrefix(comm, "sshd") {
			return pid, nil
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			break
		}
		if pid, err = strconv.Atoi(fields[1]); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("no sshd above this")
}
