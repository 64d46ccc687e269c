package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/tegwick/sand-boxer/test/lab"
)

// enterLab returns the state file of a lab for one test run: the one that
// SANDBOXER_LAB names, or the one that is running, or a new one that ends with
// leave. Without the right to start one it returns "" and says what is missing.
func enterLab(ctx context.Context, dir string) (state string, leave func(), err error) {
	if state = os.Getenv(lab.StateVar); state == "" {
		if state, err = liveLab(ctx); err != nil {
			return "", nil, err
		}
	}
	if state != "" {
		say("using the lab of %s", state)
		leave, err = useLab(state)
		return state, leave, err
	}
	root, err := rootPrefix(ctx)
	if err != nil {
		say("neither root nor sudo without a password: starting nothing")
		for _, part := range lab.Parts() {
			if err := lab.Find(part); err != nil {
				say("missing: %s: %v", part, err)
			}
		}
		return "", func() {}, nil
	}
	plugin, err := buildTools(ctx)
	if err != nil {
		return "", nil, err
	}
	return spawnLab(ctx, root, dir, plugin)
}

// rootPrefix returns what to put before a command so that it runs as root.
func rootPrefix(ctx context.Context) ([]string, error) {
	if os.Geteuid() == 0 {
		return nil, nil
	}
	return []string{"sudo", "-n"}, exec.CommandContext(ctx, "sudo", "-n", "true").Run()
}

// spawnLab starts a lab as a process of its own, which stops when leave is
// called and also when this process dies: it holds the other end of a pipe.
func spawnLab(ctx context.Context, root []string, dir, plugin string) (state string, leave func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	argv := append(root, self, "lab", "-tied", "-dir", dir, "-compose", plugin)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us, not for it
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	leave = func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			say("stop: %v", err)
		}
	}
	defer context.AfterFunc(ctx, func() { stdin.Close() })()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		value, found := strings.CutPrefix(lines.Text(), "export "+lab.StateVar+"=")
		if found {
			return value, leave, nil
		}
	}
	leave()
	return "", nil, errors.New("the lab did not start")
}

// tie returns a context that also ends when standard input does.
func tie(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	return ctx
}
