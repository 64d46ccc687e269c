package compose_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/lab"
)

// serving is one service with all that a canary has.
const serving = `
services:
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: ["/program"]
    command: ["listen=:8080", "after=300ms", "ready=/out/result.json:{\"ok\":true}\n"]
    user: "${SANDBOXER_UID}:${SANDBOXER_GID}"
    ports: ["127.0.0.1::8080"]
    volumes:
      - data:/data
      - {type: bind, source: ./out, target: /out, bind: {propagation: rprivate}}
volumes: {data: {}}
`

func newServing(t *testing.T, e lab.Engine) *bench {
	t.Helper()
	b := newBench(t, e, serving, "web")
	b.spec.Compose.Volumes = []string{"data"}
	return b
}

func logOf(err error) []string {
	var failure *sandboxer.PhaseError
	if errors.As(err, &failure) {
		return failure.Log
	}
	return nil
}

func TestUp(t *testing.T) { onEach(t, testUp) }

func testUp(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	b.spec.HostCheck = []string{"image/root/program", "dial"}
	started, rec := b.mustUp()
	tool := map[string]string{"docker compose": "docker compose 2.", "docker-compose": "docker-compose 1.29", "podman-compose": "podman-compose 1.", "sudo docker compose": "sudo docker compose 2."}[e.Compose]
	if !strings.HasPrefix(started.Compose, tool) {
		t.Errorf("compose: got %q, want %q and more", started.Compose, tool)
	}
	if got, want := string(started.Result), `{"ok":true}`+"\n"; got != want {
		t.Errorf("result: got %q, want %q", got, want)
	}
	if started.HostStatus == nil || *started.HostStatus != 0 || string(started.HostCheck) != "hello" {
		t.Errorf("check from the host: got %q (%v), want hello (0)", started.HostCheck, started.HostStatus)
	}
	if len(started.Ports) != 1 || started.Ports[0].ContainerPort != 8080 || started.Ports[0].HostIP != "127.0.0.1" || started.Ports[0].HostPort == 0 {
		t.Errorf("ports: got %+v, want one at 127.0.0.1", started.Ports)
	}
	if started.StartMS == nil || *started.StartMS < 0 || *started.StartMS > 60_000 {
		t.Errorf("start: got %v, want milliseconds", started.StartMS)
	}
	kinds := map[sandboxer.ResourceKind]int{}
	for _, r := range started.Resources {
		kinds[r.Kind]++
		if r.Kind == sandboxer.KindImage {
			continue // a container would inherit them
		}
		owner := `o'hara$HOME, \"x\"`
		if e.Program == "podman" { // its labels are CSV
			owner = `o'hara$HOME_ _x_`
		}
		labels := strings.ReplaceAll(b.ask("inspect", r.Ref), `": "`, `":"`)
		if !strings.Contains(labels, `"sandboxer.nonce":"`+b.box.Nonce+`"`) || !strings.Contains(labels, `"sandboxer.owner":"`+owner+`"`) {
			t.Errorf("%s %s has no labels of ours: %s", r.Kind, r.Name, labels)
		}
	}
	for _, kind := range []sandboxer.ResourceKind{sandboxer.KindContainer, sandboxer.KindNetwork, sandboxer.KindVolume, sandboxer.KindImage} {
		if kinds[kind] != 1 {
			t.Errorf("resources: got %d of kind %s, want 1", kinds[kind], kind)
		}
	}
	if strings.Contains(b.ask("image", "inspect", "localhost/sandboxer/"+string(b.box.ID)), b.box.Nonce) {
		t.Error("the image carries the nonce")
	}
	if lines := b.teardown(rec, 0); len(lines) != 4 {
		t.Errorf("teardown: got %q, want four removed", lines)
	}
}

func TestUpFails(t *testing.T) { onEach(t, testUpFails, "docker-v2", "docker-v1", "podman") }

func testUpFails(t *testing.T, e lab.Engine) {
	service := func(more string) string {
		return "services:\n  web:\n    image: ${SANDBOXER_IMAGE}\n    entrypoint: [/program]\n" + more
	}
	tests := []struct {
		name    string
		file    string
		change  func(b *bench)
		phase   sandboxer.Phase
		service string
		err     string
		log     string
		hint    string
		docker  bool // podman-compose takes it without a word
	}{
		{
			name: "ends with 1", file: service(`    command: [say=sorry, exit=1]`),
			phase: sandboxer.PhaseWait, service: "web", err: "service web ended with exit status 1", log: "sorry",
		},
		{
			name: "crash loop", file: service("    restart: always\n    command: [say=again, exit=7]"),
			phase: sandboxer.PhaseWait, service: "web", err: "service web does not stay up", log: "again",
		},
		{
			name: "no such image", file: "services:\n  web:\n    image: localhost/none/such:1\n",
			change: func(b *bench) { b.spec.Compose.Images = []string{"localhost/none/such:1"} },
			phase:  sandboxer.PhaseStart, err: "image localhost/none/such:1: ", hint: "pull localhost/none/such:1 on the host first",
		},
		{
			name: "no such program", file: strings.ReplaceAll(service(""), "[/program]", "[/nothing]"),
			phase: sandboxer.PhaseStart, service: "web", err: "service web was not started",
		},
		{
			name: "build", file: "services:\n  web:\n    image: ${SANDBOXER_IMAGE}\n    build: image\n",
			change: func(b *bench) {
				b.spec.Compose.Rootfs, b.spec.Compose.Builds = "", []string{"web"}
				b.write("image/Dockerfile", "FROM scratch\nCOPY nothing /\n")
			},
			phase: sandboxer.PhaseBuild, err: "nothing",
		},
		{
			name: "a step of a build", file: "services:\n  web:\n    image: ${SANDBOXER_IMAGE}\n    build: image\n",
			change: func(b *bench) {
				b.spec.Compose.Rootfs, b.spec.Compose.Builds = "", []string{"web"}
				b.write("image/Dockerfile", "FROM scratch\nCOPY root/ /\nRUN [\"/program\", \"say=sorry\", \"exit=3\"]\n")
			},
			phase: sandboxer.PhaseBuild, err: "3", log: "sorry",
		},
		{
			name: "no directory for the image", file: service(""),
			change: func(b *bench) { b.spec.Compose.Rootfs = "nowhere" },
			phase:  sandboxer.PhaseBuild, err: "nowhere",
		},
		{
			name: "never ready", file: service("    command: [say=waiting]"),
			change: func(b *bench) { b.spec.WaitTimeout = time.Second },
			phase:  sandboxer.PhaseWait, err: "not ready after 1s: its services run, and there is no out/result.json", log: "waiting",
		},
		{
			name: "ended too soon", file: service("    command: [say=done, exit=0]"),
			phase: sandboxer.PhaseWait, err: "all services have ended and there is no out/result.json", log: "done",
		},
		{
			name: "bind source", file: service("    volumes: [{type: bind, source: ./nowhere, target: /x, bind: {propagation: rprivate}}]"),
			phase: sandboxer.PhaseStart, service: "web", err: "bind source path does not exist", hint: "--root", docker: true,
		},
		{
			name: "bad file", file: "services:\n  web:\n    imagine: x\n",
			phase: sandboxer.PhaseStart, service: "web", err: "imagine", docker: true,
		},
	}
	for _, test := range tests {
		if test.docker && e.Program != "docker" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, e, test.file, "web")
			if test.change != nil {
				test.change(b)
			}
			_, err := b.up()
			var failure *sandboxer.PhaseError
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want a PhaseError", err)
			}
			if failure.Phase != test.phase || failure.Service != test.service {
				t.Errorf("got phase %s and service %q, want %s and %q", failure.Phase, failure.Service, test.phase, test.service)
			}
			if !strings.Contains(failure.Err.Error(), test.err) {
				t.Errorf("got %q, want it to say %q", failure.Err, test.err)
			}
			if log := strings.Join(failure.Log, "\n"); !strings.Contains(log, test.log) || len(failure.Log) > 20 {
				t.Errorf("log: got %q, want at most 20 lines with %q", log, test.log)
			}
			if !strings.Contains(failure.Hint, test.hint) || test.hint == "" && failure.Hint != "" {
				t.Errorf("hint: got %q, want %q in it", failure.Hint, test.hint)
			}
			t.Logf("%v | hint: %s", err, failure.Hint)
			if e.Name == "docker-v1" && failure.Phase == sandboxer.PhaseBuild {
				b.removeLayers()
			}
		})
	}
}

// removeLayers removes what the classic builder leaves of a build that fails:
// nothing ties it to a sandbox.
func (b *bench) removeLayers() {
	b.t.Helper()
	for _, o := range b.added() {
		if ref, ok := strings.CutPrefix(o, "image "); ok && b.ask("image", "inspect", "--format", "{{len .RepoTags}}", ref) == "0" {
			b.ask("image", "rm", ref)
		}
	}
}

// Without a file to wait for, services that stay up are ready, and so is one
// that has done its work.
func TestUpWithoutReadyFile(t *testing.T) { onEach(t, testUpWithoutReadyFile, "docker-v2", "podman") }

func testUpWithoutReadyFile(t *testing.T, e lab.Engine) {
	b := newBench(t, e, `
services:
  job:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    command: [say=done, exit=0]
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    depends_on: [job]
`, "job", "web")
	b.spec.ReadyFile = ""
	started, _ := b.mustUp()
	if len(started.Result) > 0 || started.HostStatus != nil || len(started.Ports) > 0 {
		t.Errorf("got %+v, want no result, check or port", started)
	}
}

func TestUpBuilds(t *testing.T) { onEach(t, testUpBuilds) }

func testUpBuilds(t *testing.T, e lab.Engine) {
	file := "services:\n  web:\n    image: base:1 # its own name is another\n    build: image\n    command: ['ready=/out/result.json:x']\n    volumes: [./out:/out]\n"
	b := newBench(t, e, file, "web")
	b.spec.Compose.Rootfs, b.spec.Compose.Builds = "", []string{"web"}
	b.write("image/Dockerfile", "FROM scratch\nCOPY root/ /\nENV A=b\nENTRYPOINT [\"/program\"]\n")
	started, _ := b.mustUp()
	if string(started.Result) != "x" {
		t.Errorf("result: got %q, want x", started.Result)
	}
	if strings.Contains(b.ask("image", "inspect", "localhost/sandboxer/"+string(b.box.ID)+":web"), b.box.Nonce) {
		t.Error("the image carries the nonce")
	}
}

// Settings of the compose tool come from us alone, whatever the profile's .env
// and the user's environment say; what else .env holds is the profile's.
func TestUpSettings(t *testing.T) { onEach(t, testUpSettings) }

func testUpSettings(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	b.write("compose.yaml", strings.Replace(serving, "after=300ms", "say=${GREETING}", 1))
	b.write(".env", "COMPOSE_PROJECT_NAME=other\nCOMPOSE_FILE=/nowhere.yaml\nexport COMPOSE_PROFILES=x\nDOCKER_HOST=tcp://192.0.2.1:1\nSANDBOXER_IMAGE=evil\nGREETING=hello\n")
	b.write("compose.override.yaml", "services:\n  web: {privileged: true}\n")
	t.Setenv("COMPOSE_PROJECT_NAME", "third")
	t.Setenv("COMPOSE_FILE", "/nowhere.yaml")
	t.Setenv("COMPOSE_DISABLE_ENV_FILE", "true")
	started, rec := b.mustUp()
	id := b.resource(rec, sandboxer.KindContainer)
	format := `{{index .Config.Labels "com.docker.compose.project"}} {{.HostConfig.Privileged}} {{index .Config.Cmd 1}}`
	if got, want := b.ask("inspect", "--format", format, id), string(b.box.ID)+" false say=hello"; got != want {
		t.Errorf("project, privileged, greeting: got %q, want %q", got, want)
	}
	if name := strings.ReplaceAll(started.Resources[0].Name, "_", "-"); name != string(b.box.ID)+"-web-1" {
		t.Errorf("name: got %q, want one of the project", started.Resources[0].Name)
	}
}

func TestUpDiskFull(t *testing.T) {
	b := newServing(t, dockerV2())
	lab.Require(t, "root")
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", b.box.Dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", b.box.Dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	b.write("compose.yaml", serving)
	b.write(".sandboxer/meta.json", "{}")
	_ = os.WriteFile(b.box.Dir+"/filler", make([]byte, 1<<20), 0o600) // as far as it goes
	_, err := b.up()
	if hint := sandboxer.Hint(err); err == nil || !strings.Contains(hint, "make room") {
		t.Errorf("got %v (hint %q), want that there is no room", err, hint)
	}
}

func TestUpRefuses(t *testing.T) {
	tests := map[string]func(*sandboxer.Spec){
		"no compose":   func(s *sandboxer.Spec) { s.Compose = nil },
		"no services":  func(s *sandboxer.Spec) { s.Compose.Services = nil },
		"service name": func(s *sandboxer.Spec) { s.Compose.Services = []string{"a b"} },
		"build name":   func(s *sandboxer.Spec) { s.Compose.Builds = []string{"-x"} },
		"volume name":  func(s *sandboxer.Spec) { s.Compose.Volumes = []string{".."} },
		"network name": func(s *sandboxer.Spec) { s.Compose.Networks = []string{"a,b"} },
		"both images":  func(s *sandboxer.Spec) { s.Compose.Rootfs, s.Compose.Builds = "x", []string{"web"} },
		"file":         func(s *sandboxer.Spec) { s.Compose.File = "../compose.yaml" },
		"ready file":   func(s *sandboxer.Spec) { s.ReadyFile = "/etc/passwd" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			spec := sandboxer.Spec{Compose: &sandboxer.Compose{File: "compose.yaml", Services: []string{"web"}}}
			spoil(&spec)
			_, err := compose.Docker{}.Up(t.Context(), nil, spec, sandboxer.Placement{})
			var failure *sandboxer.PhaseError
			if !errors.As(err, &failure) || failure.Phase != sandboxer.PhaseValidate {
				t.Errorf("got %v, want a refusal in phase validate", err)
			}
		})
	}
}

// Most files declare volumes and networks with nothing below them.
func TestUpNulls(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newBench(t, e, `
volumes:
  data:
  # a remark

  other: ~ # another

  third:
    driver: local
networks:
  front:
  default: null
services:
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    networks: [front, default]
    volumes: ["data:/a", "other:/b", "third:/c"]
`, "web")
		b.spec.ReadyFile = ""
		b.spec.Compose.Networks, b.spec.Compose.Volumes = []string{"front", "default"}, []string{"data", "other", "third"}
		started, _ := b.mustUp()
		if got, want := len(started.Resources), 1+2+3+1; got != want {
			t.Errorf("got %d resources, want %d: %+v", got, want, started.Resources)
		}
	})
}
