package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// hostLock is held by the process that runs this machine's lab, and holds the
// path of its state: users and the docker socket are there once per machine.
const hostLock = "/run/sandboxer-lab.lock"

// keepLab starts a lab, prints what to export, and stops it when ctx is done
// and nobody uses it any more.
func keepLab(ctx context.Context, dir, plugin string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	release, err := takeHost(ctx, dir)
	if err != nil {
		return err
	}
	defer release()
	if err := installPackages(ctx, needs()); err != nil {
		say("%v", err) // the tests say what they miss
	}
	r, err := startLab(ctx, dir, plugin)
	if err != nil {
		return err
	}
	printExports(r.path(stateFile))
	<-ctx.Done()
	waitUnused(r.path(useFile))
	return r.stop(ctx)
}

// printExports prints what a shell needs to use a lab.
func printExports(state string) {
	fmt.Printf("export %s=%s\n", lab.StateVar, state)
	fmt.Printf("export %s=%s\n", lab.RequireVar, requirable(lab.Parts()))
}

// requirable lists those of the parts that this user can have.
func requirable(parts []string) string {
	var can []string
	for _, part := range parts {
		if part != "root" && part != "netns" || os.Geteuid() == 0 {
			can = append(can, part)
		}
	}
	return strings.Join(can, ",")
}

// takeHost makes this process the one that runs the machine's lab, in dir, and
// removes what the one before left in another directory if it was killed.
func takeHost(ctx context.Context, dir string) (release func(), err error) {
	f, err := os.OpenFile(hostLock, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	before, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil, fmt.Errorf("a lab is running already: export %s=%s", lab.StateVar, before)
	}
	if old := filepath.Dir(string(before)); len(before) > 0 && old != dir {
		if _, err := os.Lstat(filepath.Join(old, markFile)); err == nil {
			if err := clean(ctx, old); err != nil {
				return nil, err
			}
		}
	}
	state := filepath.Join(dir, stateFile)
	if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // or others would take it for ours
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(state), 0); err != nil {
		return nil, err
	}
	return func() {
		_ = f.Truncate(0) // not removed: somebody may be about to lock it
		f.Close()
	}, nil
}

// liveLab returns the state file of the lab that this machine runs, once that
// has started, and "" if there is none.
func liveLab(ctx context.Context) (state string, err error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		state, err := lockHolder()
		if state == "" || err != nil {
			return "", err
		}
		_, err = lab.Read(state)
		if !errors.Is(err, fs.ErrNotExist) {
			return state, err
		}
		say("waiting for the lab of %s to start", state)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
}

// lockHolder returns the state file named in hostLock if somebody holds that.
func lockHolder() (state string, err error) {
	f, err := os.Open(hostLock)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return "", nil
	}
	data, err := io.ReadAll(f)
	return string(data), err
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

// waitUnused waits until no useLab is in force, and lets none come after.
func waitUnused(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // somebody removed the lab
	}
	// Not closed, that is, held until this process ends.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for said := false; syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; <-tick.C {
		if !said {
			say("waiting for a test run that uses this lab")
			said = true
		}
	}
}
