package model

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/lab"
)

const composeFile = `
services:
  idle:
    image: ${SANDBOXER_IMAGE}
    entrypoint: ["/program"]
    network_mode: none
`

// program is what idles in the containers.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "model-program")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir+"/program", "github.com/tegwick/sand-boxer/compose/testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %v: %s", err, out)
	}
	return os.ReadFile(dir + "/program")
})

// newDocker is docker with docker compose, and in it two containers that are no
// sandbox's, though one says so.
func newDocker(t testing.TB, m *machine) engine {
	lab.Require(t, "root", "dockerd", "docker-cli", "compose-v2", "curl")
	lab.EngineLock(t)
	m.link(t, "docker", "curl")
	m.env = nil
	code, err := program()
	must(t, err)
	image := fmt.Sprint("localhost/model-stranger:", os.Getpid())
	ask(t, "sh", "-c", "tar -cf - -T /dev/null | docker import - "+image)
	t.Cleanup(func() { ask(t, "docker", "rmi", "-f", image) })
	create := []string{"docker", "create", "--network", "none", "--label", "com.docker.compose.project=stranger"}
	strangers := []string{
		ask(t, append(create, image, "/none")...),
		ask(t, append(create, "--label", "sandboxer.id=stranger-000000", "--label", "sandboxer.nonce=0123456789abcdef0123456789abcdef", image, "/none")...),
	}
	t.Cleanup(func() { ask(t, append([]string{"docker", "rm", "-f"}, strangers...)...) })
	inspect := func() string {
		return ask(t, append([]string{"docker", "inspect", "--format", "{{.Id}} {{.Created}} {{.State.Status}} {{.Name}}"}, strangers...)...)
	}
	before := inspect()
	remove := func(b *box) {
		if ids := strings.Fields(ask(t, "docker", "ps", "-aq", "--filter", "label=sandboxer.id="+string(b.id))); len(ids) > 0 {
			ask(t, append([]string{"docker", "rm", "-f"}, ids...)...)
		}
	}
	return engine{
		Provisioner: compose.Docker{}, shared: true, strangers: map[string]verdict{"stranger-000000": {class: sandboxer.OrphanProject}},
		spec: func(name string) sandboxer.Spec {
			return sandboxer.Spec{
				Profile: "test.model", Name: name, Compose: &sandboxer.Compose{File: "compose.yaml", Services: []string{"idle"}, Rootfs: "image/root"},
				Files: func(context.Context, sandboxer.Platform) (fs.FS, error) {
					return fstest.MapFS{
						"a/b": {Data: []byte(payload), Mode: 0o640}, "compose.yaml": {Data: []byte(composeFile), Mode: 0o644},
						"image/root/program": {Data: code, Mode: 0o755},
					}, nil
				},
			}
		},
		holds: func() (map[sandboxer.ID]bool, error) { return dockerHolds(t), nil },
		end: func(b *box) error {
			remove(b)
			return nil
		},
		lose: func(b *box) error {
			remove(b)
			ask(t, "sh", "-c", `docker images -q "localhost/sandboxer/$1" | xargs -r docker rmi -f`, "sh", string(b.id))
			return nil
		},
		check: func() error {
			if now := inspect(); now != before {
				return fmt.Errorf("containers of others: got\n%s\nwant\n%s", now, before)
			}
			return nil
		},
	}
}

// dockerHolds returns the sandboxes of this test of which there is a container
// or an image.
func dockerHolds(t testing.TB) map[sandboxer.ID]bool {
	t.Helper()
	held := map[sandboxer.ID]bool{}
	labels := ask(t, "docker", "ps", "-a", "--format", `{{.Label "sandboxer.id"}}`)
	images := strings.ReplaceAll(ask(t, "docker", "images", "--format", "{{.Repository}}"), "localhost/sandboxer/", "")
	for id := range strings.FieldsSeq(labels + "\n" + images) {
		if strings.HasPrefix(id, "model-") {
			held[sandboxer.ID(id)] = true
		}
	}
	return held
}

func ask(t testing.TB, argv ...string) string {
	t.Helper()
	var errs strings.Builder
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", argv, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}
