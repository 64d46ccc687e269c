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

// A bench is a place for one sandbox on an engine of the lab, as the user who
// has it. When its test ends it is taken down, and nothing may be left that
// was not there before.
type bench struct {
	t      *testing.T
	engine lab.Engine
	with   sandboxer.Provisioner
	host   sandboxer.Host
	env    []string // of the user, beside what a login sets
	prefix []string // before every command
	spec   sandboxer.Spec
	box    sandboxer.Placement
	before []string
	state  sandboxer.State // of the record it is taken down by in the end
}

// provisioners are those of the lab's engines, by name.
var provisioners = map[string]sandboxer.Provisioner{
	"docker-v2": compose.Docker{},
	"docker-v1": compose.DockerCompose{},
	"podman":    compose.Podman{},
	"rootless":  compose.Podman{},
	"sudo":      compose.Docker{Sudo: true},
}

// onEach runs a test on each engine of the lab, or only on those named: one of
// each kind, where they do not differ in what is tested. Each subtest takes the
// lock of the engines, so that others have their turn.
func onEach(t *testing.T, test func(t *testing.T, e lab.Engine), names ...string) {
	t.Helper()
	for _, e := range lab.Engines() {
		if provisioners[e.Name] == nil {
			t.Errorf("no provisioner for %s", e.Name)
			continue
		}
		if len(names) == 0 || slices.Contains(names, e.Name) {
			t.Run(e.Name, func(t *testing.T) { test(t, e) })
		}
	}
}

// dockerV2 is the engine for what does not differ between engines.
func dockerV2() lab.Engine { return lab.Engines()[0] }

// newBench makes a sandbox directory with a compose file and, as the image,
// the test program.
func newBench(t *testing.T, e lab.Engine, composeFile string, services ...string) *bench {
	t.Helper()
	lab.Require(t, "root")
	e.Enter(t)
	b := &bench{t: t, engine: e, with: provisioners[e.Name], state: sandboxer.StateReady}
	b.host = userHost{b}
	b.before = b.objects()
	id := "test-" + random(t, 6)
	b.box = sandboxer.Placement{
		ID: sandboxer.ID(id), Nonce: random(t, 16), Dir: filepath.Join(lab.OpenDir(t), id),
		Owner: sandboxer.Owner{User: "o'hara$HOME, \"x\"", UID: int64(b.user().UID)},
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

// A userHost is this machine, for the bench's user.
type userHost struct{ b *bench }

func (h userHost) Name() string { return "local" }

func (h userHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = h.b.command(cmd.Args...)
	return localhost.Host{}.Run(ctx, cmd)
}

// command is argv for the bench's user.
func (b *bench) command(argv ...string) []string {
	argv = append(append([]string{"env"}, b.env...), argv...)
	return append(slices.Clone(b.prefix), b.engine.Command(b.t, argv...)...)
}

func (b *bench) user() *lab.User {
	b.t.Helper()
	name := "root"
	if alias, ok := strings.CutPrefix(b.engine.Alias, "lab-"); ok && alias != "root" {
		name = "sbxlab-" + alias
	}
	user, err := lab.FindUser(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return user
}

func random(t testing.TB, n int) string {
	t.Helper()
	raw := make([]byte, n)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw)
}

// write makes a file of the sandbox, as the user's own.
func (b *bench) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.box.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.t.Fatal(err)
	}
	b.own()
}

// own gives all of the sandbox's directory to its user.
func (b *bench) own() {
	b.t.Helper()
	user := b.user()
	err := filepath.WalkDir(b.box.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, user.UID, user.GID)
	})
	if err != nil {
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

// client is argv of the engine's own client, as somebody who may ask it.
func (b *bench) client(args ...string) []string {
	argv := append([]string{b.engine.Program}, args...)
	if b.engine.Program == "docker" {
		return argv // root's
	}
	return b.command(argv...)
}

// try runs the engine's own client.
func (b *bench) try(args ...string) (string, error) {
	argv := b.client(args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %q: %w: %s", b.engine.Program, args, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

// ask runs the engine's own client, which has to succeed.
func (b *bench) ask(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// objects lists all that the engine holds.
func (b *bench) objects() []string {
	b.t.Helper()
	var all []string
	questions := map[string][]string{
		"container": {"ps", "-aq", "--no-trunc"},
		"network":   {"network", "ls", "-q", "--no-trunc"},
		"volume":    {"volume", "ls", "-q"},
		"image":     {"image", "ls", "-aq", "--no-trunc"},
	}
	if b.engine.Program == "podman" {
		questions["pod"] = []string{"pod", "ls", "-q", "--no-trunc"}
		questions["container"] = append(questions["container"], "--external")
	}
	for kind, args := range questions {
		for _, ref := range strings.Fields(b.ask(args...)) {
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
		about, err := b.try("inspect", ref)
		if err != nil {
			return true // gone again
		}
		return !strings.Contains(about, string(b.box.ID)) &&
			(strings.Contains(about, `"sandboxer.id"`) || strings.Contains(about, "localhost/sandboxer/") || strings.Contains(about, "com.docker.compose"))
	})
}

func (b *bench) up() (sandboxer.Started, error) {
	b.t.Helper()
	return b.upWith(b.t.Context())
}

func (b *bench) upWith(ctx context.Context) (sandboxer.Started, error) {
	return b.with.Up(ctx, b.host, b.spec, b.box)
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
	return sandboxer.Record{SandboxID: b.box.ID, Nonce: b.box.Nonce, Engine: b.with.Engine(), State: b.state}
}

// teardown runs the script as the root package does, and returns its lines.
func (b *bench) teardown(rec sandboxer.Record, wantCode int) []string {
	b.t.Helper()
	argv := b.command("sh", "-c", string(b.with.Teardown(rec)), "sandboxer-teardown")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
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
