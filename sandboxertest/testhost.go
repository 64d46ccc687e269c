package sandboxertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// ruleTimeout bounds one rule: what hangs has broken it.
const ruleTimeout = 90 * time.Second

// A rule is one promise of sandboxer.Host, and how it is put to the test.
type rule struct {
	name  string
	check func(ctx context.Context, h sandboxer.Host) error
	why   string // what a caller relies on; printed when the rule is broken
}

// TestHost checks that a Host keeps every promise of sandboxer.Host. It calls
// newHost once; the test that it is given is t, so that its Cleanup runs when
// everything is over.
//
// The host must be a Unix machine with sh, cat, printf, sleep, kill, chmod, rm and
// mktemp; a directory is made in its temporary directory and removed again.
// Rules are independent of each other and run side by side, so the host must
// not be one that forbids that.
func TestHost(t *testing.T, newHost func(t *testing.T) sandboxer.Host) {
	t.Helper()
	h := newHost(t)
	if h.Name() == "" {
		t.Error("Name: got an empty string, want what the caller called the host")
	}
	t.Run("rules", func(t *testing.T) { // waits for its parallel parts
		for _, r := range hostRules {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), ruleTimeout)
				defer cancel()
				if err := r.check(ctx, h); err != nil {
					t.Errorf("%v\nthe rule: %s", err, r.why)
				}
			})
		}
	})
	if _, err := output(t.Context(), h, shell("exit 0")); err != nil {
		t.Errorf("after all rules: %v\nthe rule: whatever becomes of a command, the host can run another one", err)
	}
}

// shell returns a command that runs a script with sh.
func shell(script string, args ...string) sandboxer.Cmd {
	return sandboxer.Cmd{Args: append([]string{"sh", "-c", script, "sh"}, args...)}
}

// output runs a command that must succeed, and returns its standard output.
func output(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd) (string, error) {
	res, err := h.Run(ctx, cmd)
	if err != nil {
		return "", fmt.Errorf("%s: got error %w, want it to run", describe(cmd), err)
	}
	if res.ExitCode != 0 || res.Signal != "" {
		return "", fmt.Errorf("%s: got exit %d, signal %q, stderr %q, want success", describe(cmd), res.ExitCode, res.Signal, short(string(res.Stderr)))
	}
	return string(res.Stdout), nil
}

// cleanUp runs a command whatever has become of the rule, and of itself.
func cleanUp(ctx context.Context, h sandboxer.Host, args ...string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, _ = h.Run(ctx, sandboxer.Cmd{Args: args})
}

// same is output, compared.
func same(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd, want string) error {
	got, err := output(ctx, h, cmd)
	if err == nil && got != want {
		err = fmt.Errorf("%s: got %s, want %s", describe(cmd), difference(got, want), short(want))
	}
	return err
}

// hostError checks what every error of Run must be.
func hostError(h sandboxer.Host, err error) (*sandboxer.HostError, error) {
	var he *sandboxer.HostError
	switch {
	case err == nil:
		return nil, errors.New("got no error, want a *HostError")
	case !errors.As(err, &he):
		return nil, fmt.Errorf("got %T %q, want a *HostError", err, err)
	case he.Err == nil || he.Op == "":
		return nil, fmt.Errorf("got %#v, want Op and Err set", he)
	case he.Host != h.Name():
		return nil, fmt.Errorf("got HostError.Host %q, want the host's name %q", he.Host, h.Name())
	}
	return he, nil
}

// refused checks that cmd never started.
func refused(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd) error {
	_, err := h.Run(ctx, cmd)
	he, bad := hostError(h, err)
	if bad != nil {
		return fmt.Errorf("%s: %w", describe(cmd), bad)
	}
	if he.Started {
		return fmt.Errorf("%s: got Started in %q, want the command refused before anything ran", describe(cmd), err)
	}
	return nil
}

func describe(cmd sandboxer.Cmd) string {
	args := slices.Clone(cmd.Args)
	for i, a := range args {
		args[i] = short(a)
	}
	return strings.Join(args, " ")
}

// short quotes s, without its middle if it is long.
func short(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q…%q (%d bytes)", s[:40], s[len(s)-20:], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// difference shows got from a little before the first byte that is wrong.
func difference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	from := max(0, i-10)
	return fmt.Sprintf("%s (differs at byte %d)", short(got[from:]), i)
}
