package probe_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A userHost runs commands on this machine as a user of the lab.
type userHost struct{ *lab.User }

func (h userHost) Name() string { return h.User.Name }

func (h userHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	args := h.Command(cmd.Args...)
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir, c.Stdout, c.Stderr = "/", cmd.Stdout, cmd.Stderr
	err := c.Run()
	return sandboxer.Result{ExitCode: c.ProcessState.ExitCode()}, err
}

// Looking at a real podman makes nothing and leaves no process behind that was
// not there.
func TestRootlessPodmanIsLeftAsItWas(t *testing.T) {
	lab.Require(t, "root", "rootless")
	lab.EngineLock(t)
	user, err := lab.FindUser("sbxlab-podman")
	must(t, err)
	host := userHost{user}
	collect := func() sandboxer.Observation {
		obs, err := probe.Collector{}.Collect(t.Context(), host, sandboxer.CollectOptions{Root: user.Home + "/nothing"})
		must(t, err)
		return obs
	}
	collect() // the first after a boot leaves the process that holds the user's name spaces
	names, processes := under(t, user.Home, user.RuntimeDir), processesOf(t, user.UID)
	obs := collect()
	info := obs.Snapshot.Engine(sandboxer.EnginePodman)
	want := user.Home + "/.local/share/containers/storage"
	if info.Status != sandboxer.EngineOK || deref(info.RootDir) != want || info.Rootless == nil || !*info.Rootless || info.Version == nil {
		t.Errorf("got %s, %q, root_dir %q, want ok, in %q, rootless, with a version", info.Status, deref(info.Detail), deref(info.RootDir), want)
	}
	if diff := cmp.Diff(names, under(t, user.Home, user.RuntimeDir)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
	for _, p := range processesOf(t, user.UID) { // those of an earlier test may end at any time
		if !slices.Contains(processes, p) {
			t.Errorf("got a process that was not there: %s", p)
		}
	}
}

// A user who never used podman does not begin to by being looked at.
func TestUnusedPodmanStaysUnused(t *testing.T) {
	lab.Require(t, "root", "rootless")
	user, err := lab.FindUser("sbxlab-bash")
	must(t, err)
	before := under(t, user.Home)
	obs, err := probe.Collector{}.Collect(t.Context(), userHost{user}, sandboxer.CollectOptions{Root: user.Home + "/nothing"})
	must(t, err)
	info := obs.Snapshot.Engine(sandboxer.EnginePodman)
	if want := user.Home + "/.local/share/containers/storage"; info.Status != sandboxer.EngineUnused || deref(info.RootDir) != want {
		t.Errorf("got %s, root_dir %q, want unused, %q", info.Status, deref(info.RootDir), want)
	}
	if diff := cmp.Diff(before, under(t, user.Home)); diff != "" {
		t.Errorf("files (-before +after):\n%s", diff)
	}
}

// Through sudo both engines are root's, whatever the user may ask directly.
func TestRealSudo(t *testing.T) {
	lab.Require(t, "root", "sudo", "dockerd", "podman")
	for name, want := range map[string]sandboxer.EngineState{"sbxlab-sudo": sandboxer.EngineOK, "sbxlab-plain": sandboxer.EngineForbidden} {
		user, err := lab.FindUser(name)
		must(t, err)
		obs, err := probe.Collector{Sudo: true}.Collect(t.Context(), userHost{user}, sandboxer.CollectOptions{Root: user.Home + "/nothing"})
		must(t, err)
		for _, e := range []sandboxer.Engine{sandboxer.EngineDocker, sandboxer.EnginePodman} {
			info := obs.Snapshot.Engine(e)
			if info.Status != want || obs.Inventory.Source(string(e)).Complete() != (want == sandboxer.EngineOK) {
				t.Errorf("%s, %s: got %s, %q, want %s", name, e, info.Status, deref(info.Detail), want)
			}
		}
	}
}

// under lists the files below the directories. Whoever else uses the user's
// podman holds the lock.
func under(t *testing.T, dirs ...string) []string {
	t.Helper()
	var all []string
	for _, dir := range dirs {
		must(t, fsWalk(dir, func(path string, _ os.FileInfo) { all = append(all, path) }))
	}
	return all
}

// processesOf lists a user's processes, each with its name.
func processesOf(t *testing.T, uid int) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	var all []string
	for _, dir := range dirs {
		status, err := os.ReadFile(dir + "/status")
		if err == nil && bytes.Contains(status, fmt.Appendf(nil, "\nUid:\t%d\t", uid)) {
			name, _, _ := strings.Cut(string(status), "\n")
			all = append(all, dir+" "+name)
		}
	}
	slices.Sort(all)
	return all
}
