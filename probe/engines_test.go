package probe_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// listen makes a unix socket at which the machine looks for docker.
func listen(t *testing.T, m *machine) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", strings.TrimPrefix(m.env[0], "DOCKER_HOST=unix://"))
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// What is not docker's business must be there whatever becomes of docker.
func unharmed(t *testing.T, obs sandboxer.Observation) {
	t.Helper()
	if obs.Snapshot.Memory.TotalBytes == nil || obs.Snapshot.DiskRootAvailBytes == nil {
		t.Error("got no memory or no disk, want both beside an engine in trouble")
	}
	for _, name := range []string{"directories", "registry", "processes"} {
		if s := obs.Inventory.Source(name); !s.Complete() {
			t.Errorf("source %s: got %s, want complete", name, s.Status)
		}
	}
}

// An engineWant is how an engine in trouble must read.
type engineWant struct {
	status sandboxer.EngineState
	source string
}

// An engineCase puts docker into one state.
type engineCase struct {
	name string
	make func(t *testing.T, m *machine)
	want engineWant
}

func engineCases() []engineCase {
	absent := engineWant{sandboxer.EngineAbsent, "absent"}
	down := engineWant{sandboxer.EngineDown, "down"}
	unknown := engineWant{sandboxer.EngineUnknown, "parse_error"}
	hangs := engineWant{sandboxer.EngineUnresponsive, "timeout"}
	return []engineCase{
		{"nothing", func(t *testing.T, m *machine) {}, absent},
		{"a client alone", func(t *testing.T, m *machine) { m.script("docker", "exit 1") }, absent},
		{"dockerd stopped", func(t *testing.T, m *machine) { m.script("dockerd", "exit 1") }, down},
		{"refused", func(t *testing.T, m *machine) {
			l := listen(t, m).(*net.UnixListener)
			l.SetUnlinkOnClose(false)
			must(t, l.Close())
			m.link("curl")
		}, down},
		{"hangs", func(t *testing.T, m *machine) {
			listen(t, m) // accepts, since the kernel does, and never answers
			m.link("curl")
		}, hangs},
		{"client hangs", func(t *testing.T, m *machine) {
			listen(t, m)
			m.link("sleep")
			m.script("docker", "sleep 20")
		}, hangs},
		{"client leaves something behind", func(t *testing.T, m *machine) {
			m.env = append(m.env, "DOCKER_HOST=tcp://192.0.2.1:2375")
			m.link("sleep", "setsid")
			m.script("docker", "setsid sleep 20 & sleep 20")
		}, hangs},
		{"client hangs, busybox stops it", func(t *testing.T, m *machine) {
			busybox, err := exec.LookPath("busybox")
			must(t, err)
			for _, tool := range []string{"timeout", "sed"} {
				must(t, os.Remove(m.bin+"/"+tool))
				must(t, os.Symlink(busybox, m.bin+"/"+tool))
			}
			listen(t, m)
			m.link("sleep")
			m.script("docker", "sleep 20")
		}, hangs},
		{"client fails", func(t *testing.T, m *machine) {
			listen(t, m)
			m.script("docker", "echo '{\"Client\":{}}'; echo 'Cannot connect' >&2; exit 1")
		}, down},
		{"client says nonsense", func(t *testing.T, m *machine) {
			listen(t, m)
			m.script("docker", "echo hello")
		}, unknown},
		{"a socket and nothing to ask it with", func(t *testing.T, m *machine) { listen(t, m) }, unknown},
		{"client and no timeout", func(t *testing.T, m *machine) {
			listen(t, m)
			m.script("docker", "exit 0")
			must(t, os.Remove(m.bin+"/timeout"))
		}, unknown},
	}
}

func TestEngineStates(t *testing.T) {
	lab.Require(t, "curl", "busybox")
	for _, c := range engineCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.put(m.record("some-box"), "both")
			c.make(t, m)
			began := time.Now()
			obs := m.collect(sandboxer.CollectOptions{Timeout: time.Second})
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v, want little more than the engine's second", took)
			}
			info, source := obs.Snapshot.Engine(sandboxer.EngineDocker), obs.Inventory.Source("docker")
			if got := (engineWant{info.Status, source.Status}); got != c.want {
				t.Errorf("got %+v, want %+v; detail %q", got, c.want, deref(info.Detail))
			}
			if (info.Detail == nil) != (c.name == "nothing") {
				t.Errorf("detail: got %q", deref(info.Detail))
			}
			_, listed := obs.Snapshot.Objects[sandboxer.Containers]
			if complete := c.want.source == "absent"; listed != complete || obs.Inventory.Complete != complete {
				t.Errorf("got a set of containers: %t, complete: %t, want both %t", listed, obs.Inventory.Complete, complete)
			}
			unharmed(t, obs)
		})
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestForbiddenSocket(t *testing.T) {
	lab.Require(t, "root", "curl")
	m := newMachine(t)
	listen(t, m)
	m.link("curl")
	must(t, os.Chmod(strings.TrimPrefix(m.env[0], "DOCKER_HOST=unix://"), 0o660))
	m.as(12345)
	obs := m.collect(sandboxer.CollectOptions{})
	if got := obs.Snapshot.Engine(sandboxer.EngineDocker).Status; got != sandboxer.EngineForbidden {
		t.Errorf("got %q, want %q", got, sandboxer.EngineForbidden)
	}
	if got := obs.Inventory.Source("docker").Status; got != "forbidden" {
		t.Errorf("source: got %q, want forbidden", got)
	}
	unharmed(t, obs)
}

// An engine that answers all but one question is not to be read as one that
// has nothing.
func TestBrokenAPI(t *testing.T) {
	lab.Require(t, "curl")
	good := map[string]string{
		"/version": `{"Version":"1","ApiVersion":"1.41"}`, "/info": `{}`, "/containers/json": `[]`, "/networks": `[]`,
		"/volumes": `{"Volumes":null}`, "/images/json": `[]`,
	}
	for _, c := range []struct {
		name, path, body string
		code             int
		want             sandboxer.EngineState
	}{
		{"all good", "/info", `{}`, 200, sandboxer.EngineOK},
		{"an error", "/networks", `{"message":"no"}`, 500, sandboxer.EngineUnknown},
		{"forbidden by a plugin", "/containers/json", `{"message":"authorization denied"}`, 403, sandboxer.EngineForbidden},
		{"not JSON", "/images/json", `<html>`, 200, sandboxer.EngineUnknown},
		{"cut short", "/containers/json", `[{"Id":"`, 200, sandboxer.EngineUnknown},
		{"podman's socket", "/version", `{"Version":"4","Components":[{"Name":"Podman Engine"}]}`, 200, sandboxer.EngineAbsent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.link("curl")
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == c.path {
					w.WriteHeader(c.code)
					fmt.Fprint(w, c.body)
					return
				}
				fmt.Fprint(w, good[r.URL.Path])
			}))
			srv.Listener.Close()
			srv.Listener = listen(t, m)
			srv.Start()
			defer srv.Close()
			obs := m.collect(sandboxer.CollectOptions{})
			info := obs.Snapshot.Engine(sandboxer.EngineDocker)
			if info.Status != c.want {
				t.Errorf("got %q, detail %q, want %q", info.Status, deref(info.Detail), c.want)
			}
			_, listed := obs.Snapshot.Objects[sandboxer.Images]
			if want := c.want == sandboxer.EngineOK || c.want == sandboxer.EngineAbsent; listed != want {
				t.Errorf("got a set of images: %t, want %t", listed, want)
			}
			unharmed(t, obs)
		})
	}
}

// One container, network, volume and image of a sandbox, and what only looks
// like it; asked for by the socket and by the client.
func TestDocker(t *testing.T) {
	lab.Require(t, "docker-cli", "curl", "root")
	lab.EngineLock(t)
	l, err := lab.Read(os.Getenv(lab.StateVar))
	must(t, err)
	m := newMachine(t)
	m.env[0] = "DOCKER_HOST=unix://" + l.DockerSocket
	docker := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("docker", args...)
		cmd.Env = append(os.Environ(), m.env[0])
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("docker %q: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const id, other = "probetest-0123456789", "probetest-leftover00"
	rec := m.record(id)
	label := []string{"--label", sandboxer.LabelID + "=" + id, "--label", sandboxer.LabelNonce + "=" + rec.Nonce,
		"--label", "com.docker.compose.project=" + id, "--label", "com.docker.compose.service=web"}
	cleanUp(t, m.env[0], id, other)
	image := m.image(t, docker, id)
	docker(append([]string{"network", "create"}, append(label, id+"_default")...)...)
	docker(append([]string{"volume", "create"}, append(label, id+"_data")...)...)
	box := docker(append([]string{"run", "-d", "-p", "127.0.0.1::8080", "--name", id + "-web-1"}, append(label, image)...)...)
	stray := docker("create", "--label", sandboxer.LabelID+"="+id, "--label", sandboxer.LabelNonce+"=wrong", "--name", other, image)
	foreign := docker("create", "--label", "com.docker.compose.project=foreign", "--name", other+"-2", image)
	m.put(rec, "both")

	var answers []sandboxer.Observation
	for _, clients := range [][]string{{"curl", "docker"}, {"docker"}} {
		other := *m
		other.bin = t.TempDir()
		other.link(append(tools, clients...)...)
		answers = append(answers, other.collect(sandboxer.CollectOptions{}))
	}
	obs := answers[0]
	if got := obs.Inventory.Source("docker"); got.Status != sandboxer.SourceComplete {
		t.Fatalf("source docker: got %s %q, want complete", got.Status, deref(got.Detail))
	}
	checkOwn(t, obs, id)
	left := map[string]bool{}
	for _, r := range obs.Inventory.Leftovers {
		left[r.Ref] = true
	}
	if !left[stray] || left[foreign] || left[box] {
		t.Errorf("leftovers: got %+v, want the container with the wrong nonce alone", obs.Inventory.Leftovers)
	}
	checkProjects(t, obs, id)
	opts := append(restless(), cmp.FilterPath(func(p cmp.Path) bool {
		// The host's own numbers go their own way between two looks.
		return strings.HasSuffix(p.String(), "ResponseMS") || strings.HasPrefix(p.String(), "Snapshot.Memory.")
	}, cmp.Ignore()))
	if diff := cmp.Diff(answers[0], answers[1], opts...); diff != "" {
		t.Errorf("(-curl +docker):\n%s", diff)
	}
}

// checkOwn looks at what the sandbox has.
func checkOwn(t *testing.T, obs sandboxer.Observation, id string) {
	t.Helper()
	s := find(t, obs, id)
	kinds := map[sandboxer.ResourceKind]string{}
	for _, r := range s.Resources {
		kinds[r.Kind] = r.Name
	}
	want := map[sandboxer.ResourceKind]string{
		sandboxer.KindContainer: id + "-web-1", sandboxer.KindNetwork: id + "_default",
		sandboxer.KindVolume: id + "_data", sandboxer.KindImage: "localhost/sandboxer/" + id,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if len(s.Ports) != 1 || s.Ports[0].ContainerPort != 8080 || s.Ports[0].HostIP != "127.0.0.1" || s.Ports[0].Service != "web" {
		t.Errorf("ports: got %+v, want one to 8080 at 127.0.0.1", s.Ports)
	}
	if s.LastActiveAt == nil || time.Since(*s.LastActiveAt) > time.Hour {
		t.Errorf("last active: got %v, want the start of its container", s.LastActiveAt)
	}
}

func checkProjects(t *testing.T, obs sandboxer.Observation, id string) {
	t.Helper()
	for _, p := range obs.Inventory.ComposeProjects {
		switch p.Name {
		case id:
			if p.SandboxID == nil || p.ContainersTotal != 1 || p.NetworksTotal != 1 || p.VolumesTotal != 1 || p.ContainersRunning != 1 {
				t.Errorf("project: got %+v, want one of each, and its sandbox", p)
			}
		case "foreign":
			if p.SandboxID != nil {
				t.Errorf("foreign project: got sandbox %q, want none", *p.SandboxID)
			}
		}
	}
}

func cleanUp(t *testing.T, env string, ids ...string) {
	t.Cleanup(func() {
		for _, id := range ids {
			for _, args := range [][]string{
				{"rm", "-fv", id + "-web-1", id, id + "-2"}, {"network", "rm", id + "_default"}, {"volume", "rm", id + "_data"},
				{"rmi", "-f", "localhost/sandboxer/" + id},
			} {
				cmd := exec.Command("docker", args...)
				cmd.Env = append(os.Environ(), env)
				_ = cmd.Run() // some are not there
			}
		}
	})
}

// image builds an image from nothing in which a program runs for ever.
func (m *machine) image(t *testing.T, docker func(...string) string, id string) string {
	t.Helper()
	dir := t.TempDir()
	m.write(dir+"/main.go", `package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
}
`, 0o600)
	cmd := exec.Command("go", "build", "-o", dir+"/wait", dir+"/main.go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	m.write(dir+"/Dockerfile", "FROM scratch\nCOPY wait /wait\nEXPOSE 8080\nENTRYPOINT [\"/wait\"]\n", 0o600)
	name := "localhost/sandboxer/" + id
	docker("build", "-q", "-t", name, dir)
	return name
}
