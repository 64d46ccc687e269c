// Package daemon runs servers that end with the process that started them,
// even when that process is killed: a small shell beside each server waits for
// the end of a pipe that only the starter holds open.
package daemon

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// watchdog runs "$@" and sends it SIGTERM when standard input ends.
const watchdog = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill "$server"; } &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
`

// Daemon is a running server. Its methods are safe for concurrent use, except
// that Stop is for one caller.
type Daemon struct {
	name  string
	log   string
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{} // closed when the server has ended
}

// Start runs argv in a process group of its own, its output going to the file
// log. Whoever calls Start owns the daemon and calls Stop.
func Start(log string, argv ...string) (*Daemon, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", watchdog, "watchdog"}, argv...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us, not for it
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &Daemon{name: argv[0], log: log, cmd: cmd, stdin: stdin, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	return d, nil
}

// WaitReady calls ready until it returns nil, the server ends, or limit has
// passed. The error then holds what ready said last and the end of the log.
func (d *Daemon) WaitReady(limit time.Duration, ready func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-d.done:
			return fmt.Errorf("%s ended at once: %s", d.name, tail(d.log))
		case <-deadline:
			return fmt.Errorf("%s not ready after %v: %w: %s", d.name, limit, err, tail(d.log))
		case <-tick.C:
		}
	}
}

// Stop asks the server to end, waits up to grace, and then kills it and all
// its descendants. It returns when the server is gone.
func (d *Daemon) Stop(grace time.Duration) {
	children := Descendants(d.cmd.Process.Pid)
	d.stdin.Close()
	select {
	case <-d.done:
	case <-time.After(grace):
		_ = d.cmd.Process.Kill()
	}
	for _, child := range children {
		child.Kill() // most are gone
	}
	<-d.done
}

// tail returns the last lines of a log, on one line, for an error message.
func tail(log string) string {
	data, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) > 8 {
		lines = lines[len(lines)-8:]
	}
	return strings.Join(lines, " | ")
}
