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
			complete := c.want.source == "absent"
			closed := info.Status == sandboxer.EngineDown || info.Status == sandboxer.EngineForbidden
			if listed != (complete || closed) || obs.Inventory.Complete != complete {
				t.Errorf("got a set of containers: %t, complete: %t, want %t and %t", listed, obs.Inventory.Complete, complete || closed, complete)
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
			if want := c.want != sandboxer.EngineUnknown; listed != want {
				t.Errorf("got a set of images: %t, want %t", listed, want)
			}
			unharmed(t, obs)
		})
	}
}
