package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A shelf is an engine that holds one file of each sandbox. To the probe every
// sandbox of it is a process, and the same one: that of the test.
type shelf struct{ dir string }

var _ sandboxer.Provisioner = shelf{}

func (shelf) Engine() sandboxer.Engine { return sandboxer.EngineProcess }

const shelfUp = `mkdir -p -- "$1" && touch -- "$1/$2" && printf '%s\n' "$4" >"$3/.sandboxer/new" && mv -- "$3/.sandboxer/new" "$3/.sandboxer/process"`

func (s shelf) Up(ctx context.Context, host sandboxer.Host, _ sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	self, err := ownProcess()
	if err != nil {
		return sandboxer.Started{}, err
	}
	res, err := host.Run(ctx, sandboxer.Cmd{Args: []string{"sh", "-c", shelfUp, "sandboxer-up", s.dir, string(box.ID), box.Dir, self}})
	if err == nil {
		err = res.Err("start")
	}
	return sandboxer.Started{}, err
}

func (s shelf) Teardown(rec sandboxer.Record) sandboxer.Script {
	return sandboxer.Script(fmt.Sprintf("rm -f -- %[1]s/%[2]s && echo 'removed process %[2]s'", s.dir, rec.SandboxID))
}

// ownProcess is "PID STARTTIME" of this one; see proc_pid_stat(5).
func ownProcess() (string, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "", err
	}
	words := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(words) < 20 {
		return "", errors.New("/proc/self/stat is short")
	}
	return fmt.Sprintf("%d %s", os.Getpid(), words[19]), nil
}

func newShelf(_ testing.TB, m *machine) engine {
	dir := m.dir + "/shelf"
	return engine{
		Provisioner: shelf{dir}, spec: spec, alone: true, note: true, self: true,
		holds: func() (map[sandboxer.ID]bool, error) {
			entries, err := os.ReadDir(dir)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			held := map[sandboxer.ID]bool{}
			for _, e := range entries {
				held[sandboxer.ID(e.Name())] = true
			}
			return held, err
		},
		lose: func(b *box) error { return os.RemoveAll(dir + "/" + string(b.id)) },
		end:  func(b *box) error { return os.Remove(m.root() + "/" + string(b.id) + "/.sandboxer/process") },
	}
}

// payload is what every sandbox has in its directory.
const payload = "hello"

func spec(name string) sandboxer.Spec {
	return sandboxer.Spec{
		Profile: "test.model", Name: name, Process: []string{"x"},
		Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
			return fstest.MapFS{"a/b": {Data: []byte(payload), Mode: 0o640}}, nil
		},
	}
}
