package sshhost_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// TestStoppedClient: a client that was stopped, and goes on, takes the time in
// which it could not listen for no silence of the host.
func TestStoppedClient(t *testing.T) {
	l := lab.Open(t)
	const lostAfter = 600 * time.Millisecond
	client := startClient(t, "lab-dash", l.SSHConfig, lostAfter, time.Hour, "sleep 1; echo ready; read x; echo done")
	client.line(t)
	if err := client.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * lostAfter) // of which the client knows nothing
	if err := client.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	client.in.Write([]byte("go on\n"))
	if got := client.line(t); got != "done" {
		t.Errorf("got %q, want the command to end by itself", got)
	}
}
