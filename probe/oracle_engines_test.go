package probe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// What a snapshot says of engines is what docker's API tells a client of our
// own, and podman's commands.
func TestSnapshotAgreesWithEngines(t *testing.T) {
	lab.Require(t, "root", "dockerd", "docker-cli", "podman")
	lab.EngineLock(t)
	l, err := lab.Read(os.Getenv(lab.StateVar))
	must(t, err)
	root := testRoot(t)
	t.Setenv("DOCKER_HOST", "unix://"+l.DockerSocket)
	inhabit(t, "docker")
	inhabit(t, "podman")
	t.Setenv("HOME", t.TempDir()) // not before: go build has its cache there
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.DockerSocket)
	}}}
	defer client.CloseIdleConnections()
	engines := func() (reading, error) {
		r := reading{}
		return r, errors.Join(askDocker(client, r), askPodman(r))
	}
	first, err := engines()
	must(t, err)
	m := newMachineOracle(t, root, engineRoots{docker: first["engines[0].root_dir"].(string), podman: first["engines[1].root_dir"].(string)})
	oracle{
		root: root,
		steady: func() (reading, error) {
			r, err := m.steady()
			if err != nil {
				return nil, err
			}
			more, err := engines()
			maps.Copy(r, more)
			return r, err
		},
		moving: m.moving,
	}.check(t)
}

// inhabit makes some of each thing, and not the same number of any two.
func inhabit(t *testing.T, engine string) {
	t.Helper()
	const name = "oracletest"
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(engine, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v: %s", engine, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	var remove [][]string
	t.Cleanup(func() {
		for _, args := range slices.Backward(remove) {
			_ = exec.Command(engine, args...).Run() // what failed to be made is not there
		}
	})
	remove = append(remove, []string{"rmi", "-f", "localhost/sandboxer/" + name})
	image := newMachine(t).image(t, run, name)
	container := func(i int, how ...string) string {
		box := fmt.Sprintf("%s-%d", name, i)
		remove = append(remove, []string{"rm", "-fv", box})
		run(append(how, "--network", "none", "--name", box, image)...)
		return box
	}
	for i := range 3 {
		container(i, "create")
	}
	container(3, "run", "-d")
	container(4, "run", "-d")
	run("pause", container(5, "run", "-d"))
	for _, kind := range []string{"volume", "network"} {
		for i := range map[string]int{"volume": 5, "network": 2}[kind] {
			thing := fmt.Sprintf("%s-%d", name, i)
			remove = append(remove, []string{kind, "rm", thing})
			run(kind, "create", thing)
		}
	}
}

// engine notes what is known of an engine; the rest of what a snapshot has of
// it is null.
func (r reading) engine(i int, name, status string, known reading) {
	at := fmt.Sprintf("engines[%d].", i)
	r[at+"name"], r[at+"status"], r[at+"compose_tools"] = name, status, []string{}
	for _, field := range []string{
		"version", "api_version", "rootless", "root_dir", "engine_id", "storage_driver", "cgroup_driver", "containers_running",
		"containers_paused", "containers_stopped", "images_count", "volumes_count", "networks_count",
	} {
		r[at+field] = nil
	}
	for field, value := range known {
		r[at+field] = value
	}
}

// enginesUnasked are docker where its socket is not there, and podman where it
// was never used.
func enginesUnasked(storage string) reading {
	r := reading{"objects.containers": []string{}, "objects.networks": []string{}, "objects.volumes": []string{}, "objects.images": []string{}}
	docker, podman := composeTools()
	status := "absent"
	if installed("dockerd") {
		status = "down"
	}
	r.engine(0, "docker", status, reading{"compose_tools": docker})
	if installed("podman") {
		r.engine(1, "podman", "unused", reading{
			"compose_tools": podman, "root_dir": storage, "engine_id": "local", "rootless": os.Geteuid() != 0,
		})
	} else {
		r.engine(1, "podman", "absent", reading{"compose_tools": podman})
	}
	r.engine(2, "process", "ok", nil)
	return r
}

func installed(program string) bool {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin") {
		if st, err := os.Stat(filepath.Join(dir, program)); err == nil && st.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}

// composeTools finds the tools, docker's plugin by calling it.
func composeTools() (docker, podman []string) {
	docker, podman = []string{}, []string{}
	if out, err := exec.Command("docker", "compose", "version").Output(); err == nil && strings.Contains(string(out), "Compose") {
		docker = append(docker, "docker compose")
	}
	if installed("docker-compose") {
		docker = append(docker, "docker-compose")
	}
	if installed("podman-compose") {
		podman = append(podman, "podman-compose")
	}
	return set(docker), set(podman)
}

// askDocker asks by the API, of which the counts of containers are docker's own.
func askDocker(client *http.Client, r reading) error {
	var version struct{ Version, APIVersion string }
	var info struct {
		ID, Driver, CgroupDriver, DockerRootDir                string
		ContainersRunning, ContainersPaused, ContainersStopped float64
		SecurityOptions                                        []string
	}
	type thing struct{ ID, Name string }
	var containers, networks, images []thing
	var volumes struct{ Volumes []thing }
	for path, into := range map[string]any{
		"/version": &version, "/info": &info, "/containers/json?all=true": &containers,
		"/networks": &networks, "/volumes": &volumes, "/images/json": &images,
	} {
		res, err := client.Get("http://docker" + path)
		if err != nil {
			return err
		}
		err = json.NewDecoder(res.Body).Decode(into)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: status %d: %w", path, res.StatusCode, err)
		}
	}
	names := func(kind string, things []thing) {
		for _, t := range things {
			if t.ID == "" {
				t.ID = t.Name
			}
			r.object(kind, "docker:"+t.ID)
		}
	}
	names("containers", containers)
	names("networks", networks)
	names("volumes", volumes.Volumes)
	names("images", images)
	tools, _ := composeTools()
	r.engine(0, "docker", "ok", reading{
		"version": version.Version, "api_version": version.APIVersion, "engine_id": info.ID, "root_dir": info.DockerRootDir,
		"storage_driver": info.Driver, "cgroup_driver": info.CgroupDriver, "compose_tools": tools,
		"rootless":           slices.Contains(info.SecurityOptions, "name=rootless"),
		"containers_running": info.ContainersRunning, "containers_paused": info.ContainersPaused, "containers_stopped": info.ContainersStopped,
		"images_count": float64(len(images)), "volumes_count": float64(len(volumes.Volumes)), "networks_count": float64(len(networks)),
	})
	return nil
}

// object adds to the set of all engines' things of a kind.
func (r reading) object(kind string, names ...string) {
	had, _ := r["objects."+kind].([]string)
	r["objects."+kind] = set(append(had, names...))
}

// askPodman asks for what podman says of itself, and for lists of names alone.
func askPodman(r reading) error {
	var version struct{ Client struct{ Version string } }
	var info struct {
		Host struct {
			Security struct{ Rootless bool }
		}
		Store struct {
			GraphRoot      string
			ContainerStore struct{ Running, Paused, Stopped float64 }
		}
	}
	for command, into := range map[string]any{"version": &version, "info": &info} {
		out, err := exec.Command("podman", command, "--format", "json").Output()
		if err != nil {
			return fmt.Errorf("podman %s: %w", command, err)
		}
		if err := json.Unmarshal(out, into); err != nil {
			return fmt.Errorf("podman %s: %w", command, err)
		}
	}
	counts := map[string]float64{}
	for kind, command := range map[string]string{
		"containers": "ps --all --quiet --no-trunc", "images": "images --quiet --no-trunc",
		"volumes": "volume ls --quiet", "networks": "network ls --no-trunc --format {{.ID}}",
	} {
		out, err := exec.Command("podman", strings.Fields(command)...).Output()
		if err != nil {
			return fmt.Errorf("podman %s: %w", command, err)
		}
		names := set(strings.Fields(string(out))) // an image has a line for each of its names
		counts[kind] = float64(len(names))
		for _, name := range names {
			r.object(kind, "podman:"+strings.TrimPrefix(name, "sha256:"))
		}
	}
	_, tools := composeTools()
	store := info.Store.ContainerStore
	r.engine(1, "podman", "ok", reading{
		"version": version.Client.Version, "root_dir": info.Store.GraphRoot, "engine_id": "local", "compose_tools": tools,
		"rootless":           info.Host.Security.Rootless,
		"containers_running": store.Running, "containers_paused": store.Paused, "containers_stopped": store.Stopped,
		"images_count": counts["images"], "volumes_count": counts["volumes"], "networks_count": counts["networks"],
	})
	r.engine(2, "process", "ok", nil)
	return nil
}
