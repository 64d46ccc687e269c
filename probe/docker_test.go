package probe_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

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
