//go:build amd64 || arm64

// Command sh stands in PATH before a host's own sh. It runs a script of
// sandboxer as that would, sees every change that the script makes to files
// and every call of an engine, and dies at the one that is planned.
//
// It sees them as the kernel does, by ptrace(2): a command that comes to be
// used is covered, and so is what the shell does by itself, or a command in
// its midst. What has left the script's process group lives on when the group
// is killed, and is seen only for as long as the script runs.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tegwick/sand-boxer/test/faults/steps"
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults: sh:", err)
		os.Exit(70)
	}
	os.Exit(code)
}

func run() (int, error) {
	dir := steps.Dir(os.Getenv(steps.DirVar))
	env, path, err := surroundings()
	if err != nil {
		return 0, err
	}
	script, ours := "", false
	if len(os.Args) > 3 && os.Args[1] == "-c" {
		script, ours = strings.CutPrefix(os.Args[3], "sandboxer-")
	}
	if !ours || dir == "" {
		return 0, syscall.Exec(path, os.Args, env)
	}
	t, err := newTracer(dir, script)
	if err != nil {
		return 0, err
	}
	if script == "probe" && t.plan.How == "" || t.plan.How != "" && t.plan.Step.Run != t.run {
		// Nothing is to be seen. What it leaves running is none of ours.
		return 0, syscall.Exec(path, os.Args, env)
	}
	// What ends the script ends this, too, and not before.
	signal.Notify(make(chan os.Signal, 8), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	ended, err := t.trace(path, os.Args, env)
	if err != nil {
		return 0, err
	}
	if ended.Signaled() { // which one is of no interest; Go survives SIGPIPE
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return ended.ExitStatus(), nil
}

// surroundings returns the environment without what brought us here, and the
// sh that is next in its PATH.
func surroundings() (env []string, path string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	for _, e := range os.Environ() {
		name, value, _ := strings.Cut(e, "=")
		switch name {
		case steps.DirVar:
			continue
		case "PATH":
			var rest []string
			for _, elem := range filepath.SplitList(value) {
				if elem != filepath.Dir(self) {
					rest = append(rest, elem)
				}
			}
			e = name + "=" + strings.Join(rest, ":")
			for _, elem := range rest {
				file := filepath.Join(elem, "sh")
				if st, err := os.Stat(file); path == "" && err == nil && !st.IsDir() {
					path = file
				}
			}
		}
		env = append(env, e)
	}
	if path == "" {
		return nil, "", fmt.Errorf("no other sh in PATH %q", os.Getenv("PATH"))
	}
	return env, path, nil
}
