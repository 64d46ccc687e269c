package sshhost_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// forced is a server on which every login does this instead of what it was
// asked for, as a start-up file could.
func forced(t *testing.T, command string) *sshhost.Host {
	t.Helper()
	srv := lab.SSHD(t, lab.SSHDOptions{Config: []string{"ForceCommand " + command}})
	return open(t, "lab-bash", srv.SSHConfig, nil)
}

// TestLoginThatIsNoShell: a login that ends without coming to the command is
// never a command that ended.
func TestLoginThatIsNoShell(t *testing.T) {
	for _, tt := range []struct {
		command string
		texts   []string
	}{
		{"exit 0", []string{"exit status 0", "it said nothing"}},
		{"exit 3", []string{"exit status 3"}},
		{"kill -KILL $$", []string{"SIGKILL"}},
		{`echo "go away" >&2`, []string{`it said "go away"`}},
		{"internal-sftp", []string{"login shell"}},
	} {
		t.Run(tt.command, func(t *testing.T) {
			unreachable(t, forced(t, tt.command), "start", sshhost.ErrShell, tt.texts...)
		})
	}
}

// TestLoginThatWaits: a start-up file that reads its input gets none of the
// command's, and the context's end is known to have stopped nothing.
func TestLoginThatWaits(t *testing.T) {
	h := forced(t, `read x; eval "$SSH_ORIGINAL_COMMAND"`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"cat"}, Stdin: strings.NewReader("precious\n"), Grace: 100 * time.Millisecond})
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	runs(t, h) // nothing to read is an end to it
}

// TestLoginThatForwards: a forced command that ends in the one asked for is
// as good as a login shell, though its server passes no signals on.
func TestLoginThatForwards(t *testing.T) {
	h := forced(t, `echo hello; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"`)
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"echo", "fine"}})
	if err != nil || string(res.Stdout) != "fine\n" {
		t.Fatalf("got %q, %v, want %q", res.Stdout, err, "fine\n")
	}
	for _, script := range []string{
		"echo; exec sleep 60",
		`trap "" TERM; echo; while :; do sleep 1; done`,
		`(trap "" TERM; while :; do sleep 1; done) & echo; wait`,
	} {
		if he := cancelled(t, h, script); !he.Killed {
			t.Errorf("%s: got %v, Killed false, want the second session to have done it", script, he)
		}
	}
}

// TestEnvironmentOfTheServer: what a server sets does not reach into what is
// parsed.
func TestEnvironmentOfTheServer(t *testing.T) {
	srv := lab.SSHD(t, lab.SSHDOptions{Config: []string{"SetEnv LC_ALL=de_DE.UTF-8 IFS=abc CDPATH=/ PATH=/sbx"}})
	h := open(t, "lab-bash", srv.SSHConfig, nil)
	res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", `ls /nonexistent-sbx; echo "$LC_ALL ${CDPATH-unset}"`}})
	if err != nil || string(res.Stdout) != "C unset\n" || !strings.Contains(string(res.Stderr), "No such file or directory") {
		t.Errorf("got %q, %q, %v, want messages in English", res.Stdout, res.Stderr, err)
	}
}
