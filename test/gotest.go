package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// testsFailed is the error of a go test that ran and did not succeed.
type testsFailed struct{ code int }

func (e testsFailed) Error() string { return fmt.Sprintf("go test: exit code %d", e.code) }

// testAll runs go test -race in a lab.
func testAll(ctx context.Context, dir string, noSkips bool, args []string) error {
	if len(args) == 0 {
		args = []string{"./..."}
	}
	// The packages wait for one another on the engines: each may take long.
	r, err := goTest(ctx, dir, requirable(lab.Parts()), append([]string{"-race", "-timeout=40m"}, args...))
	if !noSkips || r == nil {
		return err
	}
	say("slowest tests:\n%s", strings.TrimSuffix(r.slowest(12), "\n"))
	if err == nil && len(r.skipped) > 0 {
		return fmt.Errorf("%d tests were skipped: %s", len(r.skipped), strings.Join(r.skipped, ", "))
	}
	return err
}

// goTest runs go test in a lab of which these parts are required, and returns
// what there is to tell of it; nil, if it was not begun.
func goTest(ctx context.Context, dir, required string, args []string) (*report, error) {
	state, leave, err := enterLab(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer leave()
	if state == "" {
		required = ""
	}
	// No cached result: go test does not see that the lab is another one.
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json", "-count=1"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Env = testEnv(os.Environ(), state, required)
	// A group of its own, so that we pass every signal on, once, to all of it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 20 * time.Second
	r := &report{out: os.Stdout, verbose: slices.Contains(args, "-v") || slices.Contains(args, "-bench")}
	err = runInto(cmd, r.read)
	return r, err
}

// runInto runs a command whose standard output goes to read.
func runInto(cmd *exec.Cmd, read func(io.Reader) error) error {
	in, out := io.Pipe()
	cmd.Stdout = out
	done := make(chan error, 1)
	go func() {
		err := read(in)
		in.CloseWithError(err)
		done <- err
	}()
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		err = testsFailed{exit.ExitCode()}
	}
	out.Close()
	return errors.Join(err, <-done)
}

// testEnv makes the environment of the tests. What the user set for sandboxer
// itself, such as a host, must not reach them, except what parts are required.
func testEnv(environ []string, state, required string) []string {
	var env []string
	if state != "" {
		env = append(env, lab.StateVar+"="+state)
	}
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case name == lab.RequireVar:
			required = value
		case !strings.HasPrefix(name, "SANDBOXER_"):
			env = append(env, v)
		}
	}
	return append(env, lab.RequireVar+"="+required)
}
