package faults

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/faults/steps"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A container is an engine of the lab.
type container struct {
	lab.Engine
	provisioner sandboxer.Provisioner
	before      []string // what it held, with the bystander
}

// A userHost is this machine, for another user.
type userHost struct {
	sandboxer.Host
	user *lab.User
}

func (h userHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = h.user.Command(append(append([]string{"env"}, cmd.Env...), cmd.Args...)...)
	cmd.Env = nil
	return h.Host.Run(ctx, cmd)
}

// The script dies before and after every call of an engine, of one kind each,
// and its client with it.
func TestCase36Engines(t *testing.T) {
	for name, provisioner := range map[string]sandboxer.Provisioner{"docker-v2": compose.Docker{}, "rootless": compose.Podman{}} {
		t.Run(name, func(t *testing.T) {
			lab.Require(t, "root", "proc")
			engines := lab.Engines()
			at := slices.IndexFunc(engines, func(e lab.Engine) bool { return e.Name == name })
			with := &container{Engine: engines[at], provisioner: provisioner}
			with.Enter(t)
			k := kind{with: with}
			if with.Program == "podman" {
				var err error
				if k.user, err = lab.FindUser("sbx" + with.Alias); err != nil {
					t.Fatal(err)
				}
			}
			with.MustLeaveNothing(t)
			s := site{
				ops:    slices.DeleteFunc(operations(), func(op operation) bool { return op.name != "create" && op.name != "destroy" }),
				ways:   func(operation) []death { return []death{{how: steps.Shell, alone: true}} },
				only:   func(s steps.Step) bool { return strings.HasPrefix(s.What, "run ") },
				worlds: newWorlds(t, k, 1),
			}
			s.dieAtEachStep(t)
		})
	}
}

// sameObjects expects that the engine holds what it held before.
func (w *world) sameObjects() {
	w.t.Helper()
	if w.kind.with == nil {
		return
	}
	if now := w.kind.with.Objects(w.t); !slices.Equal(now, w.kind.with.before) {
		w.t.Errorf("the engine holds\n%s\nand held before\n%s", strings.Join(now, "\n"), strings.Join(w.kind.with.before, "\n"))
	}
}

// spec is a sandbox for the world's engine.
func (w *world) spec(program string) sandboxer.Spec {
	if w.kind.with != nil {
		return composed()
	}
	return spec(program)
}

const composeFile = `services:
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: ["/program"]
    command: ["ready=/out/ready:{}"]
    user: "${SANDBOXER_UID}:${SANDBOXER_GID}"
    volumes:
      - data:/data
      - {type: bind, source: ./out, target: /out, bind: {propagation: rprivate}}
volumes: {data: {}}
`

func composed() sandboxer.Spec {
	return sandboxer.Spec{
		Profile: "test.faults", ReadyFile: "out/ready", WaitTimeout: time.Minute,
		Compose: &sandboxer.Compose{
			File: "compose.yaml", Services: []string{"web"}, Networks: []string{"default"}, Volumes: []string{"data"}, Rootfs: "image/root",
		},
		Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
			data, err := program()
			dir := &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			return fstest.MapFS{
				"compose.yaml": {Data: []byte(composeFile), Mode: 0o644}, "out": dir, "image": dir, "image/root": dir,
				"image/root/program": {Data: data, Mode: 0o755},
			}, err
		},
	}
}

// program builds what runs in a container, once for all tests.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "../../compose/testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})
