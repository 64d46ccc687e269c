package model

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/process"
)

// newProcesses is package process, whose sandboxes sleep.
func newProcesses(t testing.TB, m *machine) engine {
	sleep, err := exec.LookPath("sleep")
	must(t, err)
	program := "#!/bin/sh\necho '{}' >ready\nexec " + sleep + " 100000\n"
	all := func() map[sandboxer.ID][]int { return processesOf(m.root()) }
	t.Cleanup(func() {
		for _, pids := range all() {
			kill(pids)
		}
	})
	end := func(b *box) error {
		kill(all()[b.id])
		b.holds = false
		return nil
	}
	return engine{
		Provisioner: process.Provisioner{}, end: end, lose: end, note: true,
		spec: func(name string) sandboxer.Spec {
			return sandboxer.Spec{
				Profile: "test.model", Name: name, Process: []string{"run"}, ReadyFile: "ready",
				Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
					return fstest.MapFS{"a/b": {Data: []byte(payload), Mode: 0o640}, "run": {Data: []byte(program), Mode: 0o755}}, nil
				},
			}
		},
		holds: func() (map[sandboxer.ID]bool, error) {
			held := map[sandboxer.ID]bool{}
			for id := range all() {
				held[id] = true
			}
			return held, nil
		},
	}
}

// processesOf returns the processes of the sandboxes of a root, as their
// environment tells. One that has ended has none.
func processesOf(root string) map[sandboxer.ID][]int {
	found := map[sandboxer.ID][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, _ := os.ReadFile(file)
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			dir, is := strings.CutPrefix(string(entry), "SANDBOXER_DIR="+root+"/")
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if is && err == nil {
				found[sandboxer.ID(dir)] = append(found[sandboxer.ID(dir)], pid)
			}
		}
	}
	return found
}

// kill ends processes and waits for that.
func kill(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, pid := range pids {
		for { // no event tells of the end of what is nobody's child here
			environ, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			if len(environ) == 0 || errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
	}
}
