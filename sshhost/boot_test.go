package sshhost_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestCancelledHasNoHiding: commands that pass signals on, or have a group of
// their own, are ended as they would be without a deadline and without sudo.
func TestCancelledHasNoHiding(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "root", "sudo")
	for _, tt := range []struct {
		name, alias string
		sudo        bool
		deadline    time.Duration
		env         []string
		args        []string // the last one is a time to sleep for that nobody else does
	}{
		{"timeout", "lab-bash", false, 0, nil, []string{"timeout", "100", "sleep", "91.01"}},
		{"timeout, with a deadline", "lab-bash", false, time.Minute, nil, []string{"timeout", "100", "sleep", "91.02"}},
		{"sudo", "lab-admin", false, 0, nil, []string{"sudo", "-n", "sleep", "91.03"}},
		{"sudo, with a deadline", "lab-admin", false, time.Minute, nil, []string{"sudo", "-n", "sleep", "91.04"}},
		{"timeout by sudo", "lab-admin", true, 0, nil, []string{"timeout", "--foreground", "100", "sleep", "91.05"}},
		{"sudo by sudo, with a deadline", "lab-admin", true, time.Minute, nil, []string{"sudo", "-n", "sleep", "91.06"}},
		{"by sudo, with variables", "lab-admin", true, time.Minute, []string{"g=1", "t=2", "n=3"}, []string{"sleep", "91.07"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, tt.alias, l.SSHConfig, nil)
			if tt.sudo {
				h = open(t, tt.alias, l.SSHConfig, bySudo)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if tt.deadline > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), tt.deadline)
			}
			defer cancel()
			sleeping := "sleep " + tt.args[len(tt.args)-1]
			runs := func() bool {
				return slices.ContainsFunc(strings.Split(l.SSH(t, "lab-root", "ps -A -o args="), "\n"), func(args string) bool { return args == sleeping })
			}
			go func() {
				defer cancel()
				for deadline := time.Now().Add(20 * time.Second); !runs() && time.Now().Before(deadline); {
				}
			}()
			_, err := h.Run(ctx, sandboxer.Cmd{Args: tt.args, Env: tt.env, Grace: 500 * time.Millisecond})
			if runs() {
				t.Errorf("%q: got %v, and it runs on", tt.args, err)
			}
		})
	}
}

// TestVariablesAreTheCallers: whatever a variable is called, the command has it
// as it was given, and only the command.
func TestVariablesAreTheCallers(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "sudo")
	for _, by := range []string{"login", "sudo"} {
		h := open(t, "lab-admin", l.SSHConfig, nil)
		if by == "sudo" {
			h = open(t, "lab-admin", l.SSHConfig, bySudo)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, env := range []string{"t=1", "g=1", "n=1", "d=1", "s=1", "IFS=,", "IFS=3", "PATH=/nowhere", "HOME=/x", "OPTIND=7", "POSIXLY_CORRECT=1",
			"PS4=x", "ENV=/x", "BASH_ENV=/x", "LC_ALL=de_DE.UTF-8", "CDPATH=/x", "SUDO_COMMAND=x", "RANDOM=7", "SHELL=/x"} {
			for _, ctx := range []context.Context{t.Context(), ctx} {
				res, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"/usr/bin/env"}, Env: []string{env}})
				if err != nil || res.ExitCode != 0 || !slices.Contains(strings.Split(string(res.Stdout), "\n"), env) {
					t.Errorf("by %s, %q: got exit %d, %q, %q, %v, want it in the environment", by, env, res.ExitCode, res.Stdout, res.Stderr, err)
				}
			}
		}
		res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sbx-no-such-command", "s3cret"}, Env: []string{"TOKEN=s3cret"}})
		if err != nil || res.ExitCode != 127 || strings.Contains(string(res.Stderr), "s3cret") || len(res.Stderr) == 0 {
			t.Errorf("by %s: got exit %d, %q, %v, want 127 and a message without what the command was given", by, res.ExitCode, res.Stderr, err)
		}
		res, err = h.Run(t.Context(), sandboxer.Cmd{Args: []string{"/usr/bin/env"}, Env: []string{"PATH=/nowhere", "TOKEN=s3cret"}})
		if err != nil || strings.Count(string(res.Stdout), "s3cret") != 1 {
			t.Errorf("by %s: got %q, %v, want the value once", by, res.Stdout, err)
		}
	}
}
