package sandboxertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
)

// A brokenHost is wrong in one way, about which some rules are.
type brokenHost struct {
	name   string
	host   hostFunc
	breaks []string
}

var brokenHosts = []brokenHost{{
	"joins arguments for a shell",
	func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		if len(cmd.Args) > 0 {
			cmd.Args = []string{"sh", "-c", strings.Join(cmd.Args, " ")}
		}
		return localhost.Host{}.Run(ctx, cmd)
	},
	[]string{"arguments arrive byte for byte", "each nasty argument on its own"},
}, {
	"forgets the environment",
	func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		cmd.Env = nil
		return localhost.Host{}.Run(ctx, cmd)
	},
	[]string{"variables are set", "the last entry wins", "a PATH given is searched", "a malformed entry"},
}, {
	"takes exit codes for errors",
	func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		res, err := localhost.Host{}.Run(ctx, cmd)
		if err == nil {
			err = res.Err("run")
		}
		return res, err
	},
	[]string{"exit codes are data", "a program that is not there", "a child that a signal ends"},
}, {
	"keeps the beginning of output only",
	func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		res, err := localhost.Host{}.Run(ctx, cmd)
		res.Stdout, res.Truncated = res.Stdout[:min(len(res.Stdout), 1<<20)], false
		return res, err
	},
	[]string{"more output than is kept", "exactly as much output as is kept", "input arrives byte for byte"},
}, {
	"returns when the context ends, and lets the command run",
	func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		result := make(chan sandboxer.Result, 1)
		fail := make(chan error, 1)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		go func() {
			defer cancel()
			res, err := localhost.Host{}.Run(bounded, cmd)
			result <- res
			fail <- err
		}()
		select {
		case <-ctx.Done():
			return sandboxer.Result{}, &sandboxer.HostError{Host: "local", Op: "run", Started: true, Killed: true, Err: ctx.Err()}
		case res := <-result:
			return res, <-fail
		}
	},
	[]string{"a context that has ended already", "cancelled", "cancelled again and again"},
}, {
	"is os/exec as it comes",
	naive,
	[]string{
		"a program that is not there", "cancelled, with a child deaf to SIGTERM", "time to tidy up",
		"a context that has ended already", "NUL in an argument", "messages come in English",
	},
}}

// TestRulesAreBroken expects the rules to notice what is wrong.
func TestRulesAreBroken(t *testing.T) {
	for _, tt := range brokenHosts {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range hostRules {
				if !slices.Contains(tt.breaks, r.name) {
					continue
				}
				t.Run(r.name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					defer cancel()
					if r.check(ctx, tt.host) == nil {
						t.Error("got no error, want the rule to see it")
					}
				})
			}
			for _, name := range tt.breaks {
				if !slices.ContainsFunc(hostRules, func(r rule) bool { return r.name == name }) {
					t.Errorf("got no rule %q", name)
				}
			}
		})
	}
}

func TestRulesAreNamedOnce(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range hostRules {
		if seen[r.name] || r.why == "" || r.check == nil {
			t.Errorf("got rule %+v, want a name of its own, a reason and a check", r)
		}
		seen[r.name] = true
	}
}

// hostFunc is a host named like localhost.
type hostFunc func(context.Context, sandboxer.Cmd) (sandboxer.Result, error)

func (hostFunc) Name() string { return "local" }

func (f hostFunc) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	return f(ctx, cmd)
}

// naive is what one would write first.
func naive(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if len(cmd.Args) == 0 {
		return sandboxer.Result{}, &sandboxer.HostError{Host: "local", Op: "start", Err: errors.New("no args")}
	}
	c := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr, c.Env = cmd.Stdin, &out, &errs, append(c.Environ(), cmd.Env...)
	if cmd.Stdout != nil {
		c.Stdout = cmd.Stdout
	}
	c.WaitDelay = time.Second
	err := c.Run()
	res := sandboxer.Result{ExitCode: c.ProcessState.ExitCode(), Stdout: out.Bytes(), Stderr: errs.Bytes()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return res, nil
	}
	if err != nil {
		return res, &sandboxer.HostError{Host: "local", Op: "run", Started: true, Err: fmt.Errorf("%w: %w", err, context.Cause(ctx))}
	}
	return res, nil
}
