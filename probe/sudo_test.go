package probe_test

import (
	"os"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

// Clients that answer as a docker and a podman that hold nothing do.
const (
	emptyDocker = `case $1 in
version) echo '{"Client":{},"Server":{"Version":"20.10.24","ApiVersion":"1.41"}}' ;;
info) echo '{"DockerRootDir":"/var/lib/docker"}' ;;
esac
`
	emptyPodman = `case $1 in
unshare) shift; exec "$@" ;;
--version) echo 'podman version 4.3.1' ;;
*) echo '[]' ;;
esac
`
	// A sudo that runs what it is asked to, with no password and a complaint.
	goodSudo = `echo 'sudo: unable to resolve host box: Name or service not known' >&2
[ "$1" = -n ] || exit 1
shift
ASKED_BY_SUDO=yes exec "$@"
`
)

// bySudo collects as a user whose engines only sudo may ask.
func bySudo(t *testing.T, m *machine) sandboxer.Observation {
	t.Helper()
	obs, err := probe.Collector{Sudo: true}.Collect(t.Context(), m, sandboxer.CollectOptions{Root: m.root, Timeout: time.Second})
	must(t, err)
	return obs
}

func TestSudo(t *testing.T) {
	const ok, forbidden = sandboxer.EngineOK, sandboxer.EngineForbidden
	for _, c := range []struct {
		name, sudo string
		status     sandboxer.EngineState
		source     string
		detail     string
	}{
		{"runs it", goodSudo, ok, "complete", ""},
		{"wants a password", "echo 'sudo: a password is required' >&2; exit 1\n", forbidden, "forbidden", "sudo: a password is required"},
		{"does not know the user", "printf '%s\\n' 'ann is not in the sudoers file.' 'This incident has been reported to the administrator.' >&2; exit 1\n",
			forbidden, "forbidden", "ann is not in the sudoers file."},
		{"forbids this command", "echo \"Sorry, user ann is not allowed to execute '/usr/bin/$2 version' as root on box.\" >&2; exit 1\n",
			forbidden, "forbidden", ""},
		{"is not there", "", forbidden, "forbidden", "the host has no sudo"},
		{"hangs", "sleep 20\n", sandboxer.EngineUnresponsive, "timeout", "no answer in time"},
		{"runs a broken client", "echo 'Cannot connect' >&2; exit 1\n", sandboxer.EngineDown, "down", "Cannot connect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.link("sleep")
			m.script("dockerd", "")
			m.script("docker", `[ "$ASKED_BY_SUDO" ] || exit 1`+"\n"+emptyDocker)
			m.script("podman", `[ "$ASKED_BY_SUDO" ] || exit 1`+"\n"+emptyPodman)
			if c.sudo != "" {
				m.script("sudo", c.sudo)
			}
			began := time.Now()
			obs := bySudo(t, m)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %v, want little more than the engines' seconds", took)
			}
			for _, name := range []sandboxer.Engine{sandboxer.EngineDocker, sandboxer.EnginePodman} {
				info, source := obs.Snapshot.Engine(name), obs.Inventory.Source(string(name))
				if name == sandboxer.EnginePodman && info.Status == sandboxer.EngineUnused {
					continue // this machine's root has no storage
				}
				if info.Status != c.status || source.Status != c.source || c.detail != "" && deref(info.Detail) != c.detail {
					t.Errorf("%s: got %s, %s, %q, want %s, %s, %q", name, info.Status, source.Status, deref(info.Detail), c.status, c.source, c.detail)
				}
				if name == sandboxer.EnginePodman && deref(info.RootDir) != "/var/lib/containers/storage" {
					t.Errorf("podman: got root_dir %q, want root's", deref(info.RootDir))
				}
			}
			unharmed(t, obs)
		})
	}
}

// Through sudo, what the user's own podman holds is not looked at; without it,
// sudo is not run.
func TestSudoIsNotTheUsersPodman(t *testing.T) {
	m := newMachine(t)
	m.script("id", "echo 'uid=1000(ann) gid=1000(ann)'\n")
	m.env = append(m.env, "XDG_DATA_HOME="+m.home+"/data", "XDG_RUNTIME_DIR="+m.home)
	must(t, os.MkdirAll(m.home+"/data/containers/storage", 0o700))
	m.script("podman", emptyPodman)
	m.script("sudo", "touch "+m.home+"/sudo-ran\n"+goodSudo)
	m.link("touch")
	obs := m.collect(sandboxer.CollectOptions{})
	own := obs.Snapshot.Engine(sandboxer.EnginePodman)
	if want := m.home + "/data/containers/storage"; deref(own.RootDir) != want || own.Rootless == nil || !*own.Rootless {
		t.Errorf("got root_dir %q, rootless %s, want %q, true", deref(own.RootDir), show(own.Rootless), want)
	}
	if _, err := os.Stat(m.home + "/sudo-ran"); err == nil {
		t.Error("sudo was run, and nobody asked for it")
	}
	obs = bySudo(t, m)
	roots := obs.Snapshot.Engine(sandboxer.EnginePodman)
	if want := "/var/lib/containers/storage"; deref(roots.RootDir) != want || roots.Rootless == nil || *roots.Rootless {
		t.Errorf("got root_dir %q, rootless %s, want %q, false", deref(roots.RootDir), show(roots.Rootless), want)
	}
}
