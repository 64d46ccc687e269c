//go:build amd64 || arm64

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/tegwick/sand-boxer/test/faults/steps"
)

// A tracer runs one script.
type tracer struct {
	dir    steps.Dir
	plan   steps.Plan
	run    int
	script string
	log    steps.Trace
	busy   *os.File
	parent int
	output []string // what this process's own output is, as in "pipe:[4711]"

	root    int            // the script
	known   map[int]bool   // threads whose first stop has been seen
	inside  map[int]uint64 // the call that a thread is in
	pending map[int]*event // what a thread is in the midst of
	counts  map[string]int // how often a step was tried
	engines map[int]*event // engine's clients under way
	leaving map[int]string // program that a thread is about to become
}

// An event is a step under way.
type event struct {
	kind string
	step steps.Step
}

func newTracer(dir steps.Dir, script string) (*tracer, error) {
	t := &tracer{
		dir: dir, script: script, parent: os.Getppid(),
		known: map[int]bool{}, inside: map[int]uint64{}, pending: map[int]*event{}, counts: map[string]int{},
		engines: map[int]*event{}, leaving: map[int]string{},
	}
	var err error
	if t.busy, err = dir.Busy(false); err != nil {
		return nil, err
	}
	if t.plan, err = dir.Plan(); err != nil {
		return nil, err
	}
	lines, err := dir.Lines()
	if err != nil {
		return nil, err
	}
	t.run = 1
	for _, l := range lines {
		if l.Kind == steps.Began {
			t.run++
		}
	}
	if t.log, err = dir.Trace(); err != nil {
		return nil, err
	}
	for _, fd := range []int{1, 2} {
		if link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)); err == nil {
			t.output = append(t.output, link)
		}
	}
	return t, t.log.Add(steps.Line{Kind: steps.Began, Step: steps.Step{Run: t.run, Script: script, What: steps.Look, Nth: 1}})
}

const options = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACEFORK | syscall.PTRACE_O_TRACEVFORK |
	syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACEEXEC

// trace runs a program to its end. When it returns the kernel lets go of what
// the program has left behind.
func (t *tracer) trace(path string, argv, env []string) (syscall.WaitStatus, error) {
	runtime.LockOSThread()
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Ptrace: true}}
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, err
	}
	t.root = pid
	var ws syscall.WaitStatus
	if _, err := wait(pid, &ws); err != nil {
		return 0, err
	}
	t.known[pid] = true
	if err := errors.Join(syscall.PtraceSetOptions(pid, options), syscall.PtraceSyscall(pid, 0)); err != nil {
		return 0, err
	}
	for {
		tid, err := wait(-1, &ws)
		if err != nil {
			return 0, err
		}
		if ws.Exited() || ws.Signaled() {
			delete(t.known, tid)
			if tid == t.root {
				return ws, nil
			}
			continue
		}
		sig, keep, err := t.stopped(tid, ws)
		if err != nil {
			return 0, err
		}
		if !keep {
			continue
		}
		// Whoever has been killed meanwhile is of no interest.
		if err := syscall.PtraceSyscall(tid, int(sig)); err != nil && err != syscall.ESRCH {
			return 0, err
		}
	}
}

func wait(pid int, ws *syscall.WaitStatus) (int, error) {
	for {
		tid, err := syscall.Wait4(pid, ws, syscall.WALL, nil)
		if err != syscall.EINTR {
			return tid, err
		}
	}
}

// stopped deals with one stop of a thread, and returns the signal it gets, and
// whether it is to be looked at any further.
func (t *tracer) stopped(tid int, ws syscall.WaitStatus) (syscall.Signal, bool, error) {
	sig := ws.StopSignal()
	switch {
	case sig == syscall.SIGTRAP|0x80:
		return 0, true, t.call(tid)
	case sig == syscall.SIGTRAP && ws.TrapCause() == syscall.PTRACE_EVENT_EXEC:
		program := t.leaving[tid]
		delete(t.leaving, tid)
		delete(t.pending, tid)
		if program == "" {
			return 0, true, nil
		}
		delete(t.known, tid)
		return 0, false, syscall.PtraceDetach(tid)
	case sig == syscall.SIGTRAP && ws.TrapCause() > 0:
		return 0, true, nil
	case sig == syscall.SIGSTOP && !t.known[tid]:
		t.known[tid] = true
		if t.script == "probe" && t.isPlanned(t.look()) {
			return 0, true, t.die(t.look())
		}
		return 0, true, nil
	}
	return sig, true, nil
}

func (t *tracer) look() steps.Step {
	return steps.Step{Run: t.run, Script: t.script, What: steps.Look, Nth: 1}
}

// call deals with a thread that enters or leaves a call of the kernel.
func (t *tracer) call(tid int) error {
	info, err := syscallInfo(tid)
	if err == syscall.ESRCH {
		return nil
	}
	if err != nil {
		return err
	}
	switch info.op {
	case callEntry:
		t.inside[tid] = info.nr
		return t.enter(tid, info)
	case callExit:
		info.nr = t.inside[tid]
		return t.leave(tid, info)
	}
	return nil
}

func (t *tracer) enter(tid int, info callInfo) error {
	kind, what := t.classify(tid, info)
	if kind == "" {
		return nil
	}
	e := &event{kind: kind, step: steps.Step{Run: t.run, Script: t.script, What: steps.Generic(what)}}
	if kind != steps.Done {
		t.pending[tid] = e
		return nil
	}
	t.counts[e.step.What]++
	e.step.Nth = t.counts[e.step.What]
	if info.nr == syscall.SYS_EXECVE {
		t.engines[threadGroup(tid)] = e
	} else {
		t.pending[tid] = e
	}
	if t.isPlanned(e.step) && !t.plan.After {
		return t.die(e.step)
	}
	return nil
}

func (t *tracer) leave(tid int, info callInfo) error {
	e := t.pending[tid]
	delete(t.pending, tid)
	if failed := info.result < 0; failed {
		if info.nr == syscall.SYS_EXECVE { // there is another directory in PATH
			delete(t.leaving, tid)
			if e := t.engines[threadGroup(tid)]; e != nil {
				delete(t.engines, threadGroup(tid))
				t.counts[e.step.What]--
			}
		}
		return nil
	}
	if isWait(info.nr) {
		e = t.engines[int(info.result)]
		delete(t.engines, int(info.result))
	}
	if e == nil {
		return nil
	}
	if err := t.log.Add(steps.Line{Kind: e.kind, Step: e.step}); err != nil {
		return err
	}
	if e.kind == steps.Done && t.isPlanned(e.step) && t.plan.After {
		return t.die(e.step)
	}
	return nil
}

func (t *tracer) isPlanned(s steps.Step) bool { return t.plan.How != "" && t.plan.Step == s }

// inWorld returns path from the world's top, if it is in the world.
func (t *tracer) inWorld(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, t.plan.World+"/")
	return rest, ok
}

// isForeign reports whether changes to path are of no interest.
func (t *tracer) isForeign(path string) bool {
	return slices.ContainsFunc(t.plan.Foreign, func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}

// isEngine reports whether path is the program of an engine.
func (t *tracer) isEngine(path string) bool {
	return slices.Contains(t.plan.Engines, filepath.Base(path))
}
