package sandboxertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func exitCodes(ctx context.Context, h sandboxer.Host) error {
	var all error
	for _, code := range []int{0, 1, 2, 3, 63, 64, 124, 125, 126, 127, 128, 129, 130, 137, 143, 254, 255} {
		all = errors.Join(all, exits(ctx, h, shell(fmt.Sprintf("echo exiting >&2; exit %d", code)), code))
	}
	return all
}

func exitNotFound(ctx context.Context, h sandboxer.Host) error {
	return errors.Join(
		exits(ctx, h, sandboxer.Cmd{Args: []string{"sbx-no-such-program", "x"}}, 127),
		exits(ctx, h, sandboxer.Cmd{Args: []string{"/nonexistent/sbx-no-such-program"}}, 127),
	)
}

func exitNotExecutable(ctx context.Context, h sandboxer.Host) error {
	return exits(ctx, h, sandboxer.Cmd{Args: []string{"/dev/null"}}, 126)
}

func exitScript(ctx context.Context, h sandboxer.Host) error {
	return withDir(ctx, h, func(dir string) error {
		if _, err := output(ctx, h, shell(`echo 'echo "ran $1"' >"$1/tool"; chmod +x "$1/tool"`, dir)); err != nil {
			return err
		}
		return same(ctx, h, sandboxer.Cmd{Args: []string{dir + "/tool", "it"}}, "ran it\n")
	})
}

func exitSignal(ctx context.Context, h sandboxer.Host) error {
	var all error
	for _, sig := range []string{"KILL", "TERM"} {
		res, err := h.Run(ctx, shell("kill -"+sig+" $$; sleep 60"))
		if err != nil || res.ExitCode != -1 || res.Signal != sig && res.Signal != "" {
			all = errors.Join(all, fmt.Errorf("SIG%s: got exit %d, signal %q, %v, want -1, %q, no error", sig, res.ExitCode, res.Signal, err, sig))
		}
	}
	return all
}

func exitChildSignal(ctx context.Context, h sandboxer.Host) error {
	return exits(ctx, h, shell(`sh -c 'kill -KILL $$'; echo over >&2; exit 137`), 137)
}

// exits checks a command's exit code, and that a failure has said something.
func exits(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd, code int) error {
	res, err := h.Run(ctx, cmd)
	if err != nil || res.ExitCode != code || res.Signal != "" {
		return fmt.Errorf("%s: got exit %d, signal %q, %v, want %d, none, no error", describe(cmd), res.ExitCode, res.Signal, err, code)
	}
	if code != 0 && len(res.Stderr) == 0 {
		return fmt.Errorf("%s: got nothing on stderr, want a message", describe(cmd))
	}
	return nil
}

func cancelBefore(ctx context.Context, h sandboxer.Host) error {
	return withDir(ctx, h, func(dir string) error {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := h.Run(ended, shell(`: >"$1/ran"`, dir))
		he, bad := hostError(h, err)
		if bad != nil {
			return bad
		}
		if he.Started || !errors.Is(err, context.Canceled) {
			return fmt.Errorf("got %v (Started %v), want context.Canceled, never started", err, he.Started)
		}
		_, err = output(ctx, h, shell(`test ! -e "$1/ran"`, dir))
		return err
	})
}

func cancelRunning(ctx context.Context, h sandboxer.Host) error {
	return dies(ctx, h, shell("echo $$; exec sleep 300"))
}

func cancelDeaf(ctx context.Context, h sandboxer.Host) error {
	return dies(ctx, h, shell(`trap "" TERM; echo $$; while :; do sleep 1; done`))
}

func cancelDeafChild(ctx context.Context, h sandboxer.Host) error {
	return dies(ctx, h, shell(`(trap "" TERM; while :; do sleep 1; done) & echo $!; wait`))
}

func cancelBackground(ctx context.Context, h sandboxer.Host) error {
	return dies(ctx, h, shell(`sleep 300 >/dev/null 2>&1 & echo $!; sleep 300`))
}

func cancelBlockedInput(ctx context.Context, h sandboxer.Host) error {
	cmd := shell("echo $$; cat >/dev/null; sleep 300")
	cmd.Stdin = silence{ctx}
	return dies(ctx, h, cmd)
}

func cancelDeadline(ctx context.Context, h sandboxer.Host) error {
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	cmd := shell("sleep 300")
	cmd.Grace = 100 * time.Millisecond
	_, err := h.Run(short, cmd)
	if _, bad := hostError(h, err); bad != nil || !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("got %v, %w, want context.DeadlineExceeded", err, bad)
	}
	return nil
}

func cancelGrace(ctx context.Context, h sandboxer.Host) error {
	script := `trap 'n=x$n' TERM; echo ready; i=0; while [ -z "$n" ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done; sleep 0.5; echo "bye $n"`
	got, _, err := cancelOnceReady(ctx, h, shell(script), 20*time.Second)
	if err != nil {
		return err
	}
	if got != "ready\nbye x\n" {
		return fmt.Errorf("got output %q, want %q", got, "ready\nbye x\n")
	}
	return nil
}

func cancelOnlyOne(ctx context.Context, h sandboxer.Host) error {
	other := make(chan error, 1)
	go func() { other <- same(ctx, h, shell("sleep 1; echo still here"), "still here\n") }()
	return errors.Join(dies(ctx, h, shell("echo $$; exec sleep 300")), <-other)
}

func cancelAgain(ctx context.Context, h sandboxer.Host) error {
	for i := range 15 {
		if err := dies(ctx, h, shell("echo $$; exec sleep 300")); err != nil {
			return fmt.Errorf("time %d: %w", i+1, err)
		}
	}
	return same(ctx, h, shell("echo fine"), "fine\n")
}

// dies starts a command that prints a process id, cancels it, and checks that
// this process is gone.
func dies(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd) error {
	out, he, err := cancelOnceReady(ctx, h, cmd, 200*time.Millisecond)
	if err != nil {
		return err
	}
	if !he.Killed {
		return fmt.Errorf("got Killed false in %q, want true", he)
	}
	pid, _, _ := strings.Cut(out, "\n")
	// A process that ended, and that nobody has reaped, is gone.
	gone := `if kill -0 "$1" 2>/dev/null; then case $(ps -o stat= -p "$1") in Z* | "") ;; *) exit 1 ;; esac; fi`
	if _, err := output(ctx, h, shell(gone, pid)); err != nil {
		return fmt.Errorf("after the cancelled Run, asked whether process %s is gone: %w", pid, err)
	}
	return nil
}

// cancelOnceReady runs a command and cancels it as soon as it has printed
// something. It returns what it printed, and the error of Run, which must be
// the context's.
func cancelOnceReady(ctx context.Context, h sandboxer.Host, cmd sandboxer.Cmd, grace time.Duration) (string, *sandboxer.HostError, error) {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	var out strings.Builder
	cmd.Grace = grace
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		defer cancel()
		return out.Write(p)
	})
	_, err := h.Run(running, cmd)
	he, bad := hostError(h, err)
	switch {
	case bad != nil:
		return "", nil, fmt.Errorf("%s, cancelled: %w", describe(cmd), bad)
	case !errors.Is(err, context.Canceled) || !he.Started:
		return "", nil, fmt.Errorf("%s, cancelled: got %v (Started %v), want context.Canceled, Started", describe(cmd), err, he.Started)
	}
	return out.String(), he, nil
}

// silence is a reader that blocks until the context ends.
type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}
