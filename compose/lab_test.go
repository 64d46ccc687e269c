package compose_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A bench is a place for one sandbox on the lab's engine. When its test ends
// it is taken down, and nothing may be left that was not there before.
type bench struct {
	t      *testing.T
	host   sandboxer.Host
	spec   sandboxer.Spec
	box    sandboxer.Placement
	before []string
	state  sandboxer.State // of the record it is taken down by in the end
}

// newBench makes a sandbox directory with a compose file and, as the image,
// the test program.
func newBench(t *testing.T, composeFile string, services ...string) *bench {
	t.Helper()
	lab.Require(t, "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	l, err := lab.Read(os.Getenv(lab.StateVar))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", "unix://"+l.DockerSocket)
	b := &bench{t: t, host: localhost.Host{}, state: sandboxer.StateReady}
	b.before = b.objects()
	id := "test-" + random(t, 6)
	b.box = sandboxer.Placement{
		ID: sandboxer.ID(id), Nonce: random(t, 16), Dir: filepath.Join(t.TempDir(), id),
		Owner: sandboxer.Owner{User: "o'hara$HOME, \"x\""},
	}
	b.spec = sandboxer.Spec{
		Profile: "test", ReadyFile: "out/result.json", WaitTimeout: 20 * time.Second,
		Compose: &sandboxer.Compose{File: "compose.yaml", Services: services, Networks: []string{"default"}, Rootfs: "image/root"},
	}
	b.write("compose.yaml", composeFile)
	b.write("out/.keep", "")
	b.write(".sandboxer/meta.json", "{}")
	b.copyProgram("image/root/program")
	t.Cleanup(func() {
		b.teardown(b.record(), 0)
		if left := b.added(); len(left) > 0 {
			t.Errorf("left behind: %q, want nothing", left)
		}
	})
	return b
}

func random(t testing.TB, n int) string {
	t.Helper()
	raw := make([]byte, n)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

func (b *bench) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.box.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

var program = filepath.Join(os.TempDir(), fmt.Sprintf("sandboxer-test-program-%d", os.Getpid()))

func TestMain(m *testing.M) {
	code := m.Run()
	os.Remove(program)
	os.Exit(code)
}

func (b *bench) copyProgram(name string) {
	b.t.Helper()
	if _, err := os.Stat(program); err != nil {
		build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./testdata/program")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.t.Fatalf("build the test program: %v: %s", err, out)
		}
	}
	data, err := os.ReadFile(program)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(name, string(data))
	if err := os.Chmod(filepath.Join(b.box.Dir, name), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

// docker runs the engine's own client, which has to succeed.
func (b *bench) docker(args ...string) string {
	b.t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("docker %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// objects lists all that the engine holds.
func (b *bench) objects() []string {
	b.t.Helper()
	var all []string
	for kind, args := range map[string][]string{
		"container": {"ps", "-aq", "--no-trunc"},
		"network":   {"network", "ls", "-q", "--no-trunc"},
		"volume":    {"volume", "ls", "-q"},
		"image":     {"image", "ls", "-aq", "--no-trunc"},
	} {
		for _, ref := range strings.Fields(b.docker(args...)) {
			all = append(all, kind+" "+ref)
		}
	}
	return all
}

// added lists what has come to be since the bench was made, less what says of
// itself that it is somebody else's.
func (b *bench) added() []string {
	b.t.Helper()
	return slices.DeleteFunc(b.objects(), func(o string) bool {
		_, ref, _ := strings.Cut(o, " ")
		if slices.Contains(b.before, o) {
			return true
		}
		out, err := exec.Command("docker", "inspect", ref).Output()
		if err != nil {
			return true // gone again
		}
		about := string(out)
		return !strings.Contains(about, string(b.box.ID)) &&
			(strings.Contains(about, `"sandboxer.id"`) || strings.Contains(about, "localhost/sandboxer/") || strings.Contains(about, "com.docker.compose"))
	})
}

func (b *bench) up() (sandboxer.Started, error) {
	b.t.Helper()
	return b.upWith(b.t.Context())
}

func (b *bench) upWith(ctx context.Context) (sandboxer.Started, error) {
	return compose.Docker{}.Up(ctx, b.host, b.spec, b.box)
}

// mustUp brings the sandbox up and returns the record a destroy would have.
func (b *bench) mustUp() (sandboxer.Started, sandboxer.Record) {
	b.t.Helper()
	started, err := b.up()
	if err != nil {
		b.t.Fatalf("up: %v (log %q)", err, logOf(err))
	}
	rec := b.record()
	for _, r := range started.Resources {
		rec.Resources = append(rec.Resources, sandboxer.RecordedRef{Kind: r.Kind, Ref: r.Ref})
	}
	return started, rec
}

// record lists no resources: it is of a create that did not get to its end.
func (b *bench) record() sandboxer.Record {
	return sandboxer.Record{SandboxID: b.box.ID, Nonce: b.box.Nonce, Engine: sandboxer.EngineDocker, State: b.state}
}

// teardown runs the script as the root package does, and returns its lines.
func (b *bench) teardown(rec sandboxer.Record, wantCode int) []string {
	b.t.Helper()
	cmd := exec.Command("sh", "-c", string(compose.Docker{}.Teardown(rec)), "sandboxer-teardown")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		b.t.Errorf("teardown: got %v, want exit status %d: %s%s", cmd.ProcessState, wantCode, out, stderr.String())
	}
	return slices.Collect(strings.Lines(string(out)))
}
