package daemon_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/lab"
)

var errNotReady = errors.New("not ready")

func TestStopEndsAllDescendants(t *testing.T) {
	dir := t.TempDir()
	pids := filepath.Join(dir, "pids")
	// A server that ignores SIGTERM and has a child that has left its group.
	d, err := daemon.Start(filepath.Join(dir, "log"), "sh", "-c",
		`trap "" TERM; setsid sleep 1000 & echo $$ $! >`+pids+`.new; mv `+pids+`.new `+pids+`; wait; sleep 1000`)
	if err != nil {
		t.Fatal(err)
	}
	err = d.WaitReady(10*time.Second, func() error { _, err := os.Stat(pids); return err })
	if err != nil {
		t.Fatal(err)
	}
	d.Stop(100 * time.Millisecond)
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(data)) {
		if args, _ := os.ReadFile("/proc/" + pid + "/cmdline"); len(args) > 0 {
			t.Errorf("got process %s %q after Stop, want none", pid, args)
		}
	}
}

// TestEndsWithItsStarter kills a process that holds a daemon.
func TestEndsWithItsStarter(t *testing.T) {
	lab.Require(t, "ssh")
	if dir := os.Getenv("DAEMON_TEST_DIR"); dir != "" {
		hold(t, dir)
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	starter := exec.Command(os.Args[0], "-test.run=^TestEndsWithItsStarter$")
	starter.Env = append(os.Environ(), "DAEMON_TEST_DIR="+dir)
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = starter.Wait() }()
	defer func() { _ = starter.Process.Kill() }()
	wait(t, "the daemon runs", func() bool { _, err := os.Stat(socket); return err == nil })
	if err := starter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the daemon has ended", func() bool { _, err := net.Dial("unix", socket); return err != nil })
}

// hold starts a daemon, which listens on a socket, and waits to be killed.
func hold(t *testing.T, dir string) {
	_, err := daemon.Start(filepath.Join(dir, "log"), "ssh-agent", "-D", "-a", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	select {}
}

// wait returns when done does, and fails the test if it never does.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if done() {
			return
		}
		<-tick.C
	}
	t.Fatalf("waited in vain until %s", what)
}

func TestWaitReadySaysWhy(t *testing.T) {
	d, err := daemon.Start(filepath.Join(t.TempDir(), "log"), "sh", "-c", "echo no such luck; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Stop(0)
	err = d.WaitReady(10*time.Second, func() error { return errNotReady })
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("got %v, want an error with the end of the log", err)
	}
}
