package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// hostLock is held by the process that runs this machine's lab, and holds the
// path of its state: users and the docker socket are there once per machine.
const hostLock = "/run/sandboxer-lab.lock"

// enterLab returns the state file of a lab for one test run: the one that
// SANDBOXER_LAB names, or the one that is running, or a new one that ends with
// leave. Without the right to start one it returns "" and says what is missing.
func enterLab(ctx context.Context, dir string) (state string, leave func(), err error) {
	if state = os.Getenv(lab.StateVar); state == "" {
		state, _ = liveLab()
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

// spawnLab starts a lab as a process of its own, which ends when leave is
// called or when this process dies.
func spawnLab(ctx context.Context, root []string, dir, plugin string) (state string, leave func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	argv := append(root, self, "lab", "-tied", "-dir", dir, "-compose", plugin)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
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
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "export "+lab.StateVar+"="); ok {
			go io.Copy(io.Discard, stdout)
			return value, leave, nil
		}
	}
	leave()
	return "", nil, errors.New("the lab did not start")
}

// keepLab starts a lab, prints what to export, and stops it when ctx is done
// or, if tied, standard input ends, and nobody uses it any more.
func keepLab(ctx context.Context, dir, plugin string, tied bool) error {
	if os.Geteuid() != 0 {
		return errors.New("a lab needs root: it makes users and starts servers")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if tied {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	release, err := takeHost(filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	defer release()
	if err := installPackages(ctx); err != nil {
		return err
	}
	r, err := startLab(ctx, dir, plugin)
	if err != nil {
		return err
	}
	fmt.Printf("export %s=%s\n", lab.StateVar, r.path(stateFile))
	fmt.Printf("export %s=%s\n", lab.RequireVar, strings.Join(lab.Parts(), ","))
	<-ctx.Done()
	waitUnused(r.path(useFile))
	say("stopping")
	return r.stop(context.WithoutCancel(ctx))
}

// takeHost makes this process the one that runs the machine's lab.
func takeHost(state string) (release func(), err error) {
	f, err := os.OpenFile(hostLock, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		f.Close()
		running, _ := os.ReadFile(hostLock)
		return nil, fmt.Errorf("a lab is running already: export %s=%s", lab.StateVar, running)
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, state)); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		os.Remove(hostLock)
		f.Close()
	}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// liveLab returns the state file of the lab that is running on this machine.
func liveLab() (state string, ok bool) {
	f, err := os.Open(hostLock)
	if err != nil {
		return "", false
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return "", false // nobody holds it
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return "", false
	}
	_, err = lab.Read(string(data))
	return string(data), err == nil
}

// useLab keeps the lab from being stopped until leave is called.
func useLab(state string) (leave func(), err error) {
	f, err := os.Open(filepath.Join(filepath.Dir(state), useFile))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("the lab of %q is being stopped: %w", state, err)
	}
	return func() { f.Close() }, nil
}

// waitUnused waits until no useLab is in force.
func waitUnused(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // somebody removed the lab
	}
	// Closed when this process ends: from now on nobody may begin to use the lab.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := false; syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; <-tick.C {
		if !said {
			say("waiting for a test run that uses this lab")
			said = true
		}
	}
}
