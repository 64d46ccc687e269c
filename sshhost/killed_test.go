package sshhost_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// TestKilledClient kills the client, with no chance to tidy up: a command with
// a deadline is ended at that on the host itself, whether the host learns of
// the client's death or not.
func TestKilledClient(t *testing.T) {
	l := lab.Open(t)
	for _, tt := range []struct {
		name     string
		stalled  bool // the network has gone with the client
		script   string
		deadline time.Duration
	}{
		{"a command with a deadline", false, "echo $$; exec sleep 300", 3 * time.Second},
		{"a command with a deadline, and the network", true, "echo $$; exec sleep 300", 3 * time.Second},
		{"a child deaf to SIGTERM", false, `(trap "" TERM; while :; do sleep 1; done) & echo $!; wait`, 3 * time.Second},
		{"a command called timeout", false, `echo $$; exec timeout 300 sleep 300`, 3 * time.Second},
		{"a command deaf to SIGTERM", false, `trap "" TERM; echo $$; while :; do sleep 1; done`, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := lab.DelayProxy(t, l.Server.Addr, 0)
			client := startClient(t, "lab-dash", l.Via(t, p.Addr), 0, tt.deadline, tt.script)
			pid := client.pid(t)
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
			if tt.stalled {
				p.Stall()
			}
			if err := client.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if !awaitEnd(pid, 25*time.Second) {
				t.Errorf("got process %d alive long after its deadline, want it ended by the host", pid)
			}
		})
	}
}
