package localhost

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestGroupGone: a process that nobody reaps has ended all the same.
func TestGroupGone(t *testing.T) {
	cmd := exec.Command("sh", "-c", "echo; exec sleep 60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	pgid := cmd.Process.Pid
	if groupGone(pgid) {
		t.Error("while it runs: got gone, want not")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pgid)).Output()
	for range 1000 { // a killed process takes a moment to become a zombie
		if err != nil || strings.HasPrefix(string(state), "Z") {
			break
		}
		state, err = exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pgid)).Output()
	}
	if !groupGone(pgid) {
		t.Errorf("ended, not reaped (ps says %q): got not gone, want gone", state)
	}
	_ = cmd.Wait()
	if !groupGone(pgid) {
		t.Error("reaped: got not gone, want gone")
	}
}

func TestSignalName(t *testing.T) {
	for sig, want := range map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGTERM: "TERM", syscall.SIGSEGV: "SEGV", 40: "40"} {
		if got := signalName(sig); got != want {
			t.Errorf("%v: got %q, want %q", sig, got, want)
		}
	}
}
