package sshhost_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// cancelledAt runs a script that prints process ids and then "ready", and
// cancels it there. It returns the ids.
func cancelledAt(t *testing.T, h *sshhost.Host, script string) ([]int, *sandboxer.HostError) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	_, err := h.Run(ctx, sandboxer.Cmd{
		Args: []string{"sh", "-c", script}, Grace: 200 * time.Millisecond,
		Stdout: writerFunc(func(p []byte) (int, error) {
			if ctx.Err() == nil {
				out.Write(p)
			}
			if bytes.Contains(out.Bytes(), []byte("ready\n")) {
				cancel()
			}
			return len(p), nil
		}),
	})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, context.Canceled) {
		t.Fatalf("%s: got %v, want context.Canceled, started", script, err)
	}
	text, _, _ := strings.Cut(out.String(), "ready\n")
	var pids []int
	for _, f := range strings.Fields(text) {
		pid, err := strconv.Atoi(f)
		if err != nil || pid < 2 {
			t.Fatalf("%s: got %q, want process ids", script, text)
		}
		pids = append(pids, pid)
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	}
	return pids, he
}

// lives looks at a process of the lab's sshd, which runs on this machine. One
// that has ended, and that nobody has reaped, does not live.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return err == nil && len(state) > 0 && state[0] != 'Z'
}

// awaitEnd waits until a process lives no more.
func awaitEnd(pid int, longest time.Duration) bool {
	deadline, tick := time.After(longest), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for lives(pid) {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
	return true
}

// TestCancelledIsGone looks at the processes themselves, when a cancelled
// call has returned and has said that they are gone.
func TestCancelledIsGone(t *testing.T) {
	l := lab.Open(t)
	forwards := forced(t, `exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"`)
	one := open(t, "lab-bash", lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, MaxSessions: 1}).SSHConfig, nil)
	for _, server := range []struct {
		name string
		h    *sshhost.Host
	}{
		{"sshd", open(t, "lab-bash", l.SSHConfig, nil)},
		{"a forced command, which no signal reaches", forwards},
		{"one session at a time", one},
		{"a jump", open(t, "lab-jump", l.SSHConfig, nil)},
	} {
		for name, script := range map[string]string{
			"quiet":                "echo $$; echo ready; exec sleep 300",
			"talking":              "echo $$; echo ready; exec yes",
			"deaf to SIGTERM":      `trap "" TERM; echo $$; echo ready; while :; do sleep 1; done`,
			"deaf and talking":     `trap "" TERM; echo $$; echo ready; exec yes`,
			"stopped":              "echo $$; echo ready; kill -STOP $$",
			"with children":        "echo $$; sleep 300 & echo $!; { sleep 300 & echo $!; echo ready; wait; } & wait",
			"with deaf children":   `echo $$; (trap "" TERM; echo ready; exec sleep 300) & echo $!; wait`,
			"without its leader":   "sleep 300 & echo $!; echo ready",
			"that waits for input": "echo $$; echo ready; read x; sleep 300",
		} {
			t.Run(server.name+"/"+name, func(t *testing.T) {
				pids, he := cancelledAt(t, server.h, script)
				if !he.Killed {
					t.Errorf("got %v, Killed false, want true", he)
				}
				for _, pid := range pids {
					if lives(pid) {
						t.Errorf("got process %d of %v alive, want it gone when Run returns", pid, pids)
					}
				}
			})
		}
	}
}

// TestCancelSpeaksOfTheGroup: a process that has left the command's process
// group is not ended with it. Killed says so much of the group, and no more.
func TestCancelSpeaksOfTheGroup(t *testing.T) {
	l := lab.Open(t)
	pids, he := cancelledAt(t, open(t, "lab-bash", l.SSHConfig, nil), "setsid sh -c 'echo $$; echo ready; exec sleep 300' & wait")
	if !he.Killed {
		t.Errorf("got %v, Killed false, want the group's end seen", he)
	}
	if len(pids) != 1 || !lives(pids[0]) {
		t.Errorf("got the process of its own session dead, of %v, want it left alone", pids)
	}
}
