package lab

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// Engine is an engine of the lab with a tool for compose files, as one user has
// it: over ssh and on this machine.
type Engine struct {
	Name    string // for a subtest
	Program string // docker or podman, which asks the engine
	Compose string // value of SANDBOXER_COMPOSE_CMD that chooses both
	Alias   string // in the lab's ssh_config, of the user
	asker   string // alias of a user who may ask without sudo
	parts   []string
}

// Engines returns every engine of the lab, for a table of subtests. Each
// subtest calls Enter first.
func Engines() []Engine {
	docker := []string{"dockerd", "docker-cli"}
	return []Engine{
		{"docker-v2", "docker", "docker compose", "lab-docker", "lab-docker", append(docker, "compose-v2")},
		{"docker-v1", "docker", "docker-compose", "lab-docker", "lab-docker", append(docker, "compose-v1")},
		{"podman", "podman", "podman-compose", "lab-root", "lab-root", []string{"podman", "podman-compose"}},
		{"rootless", "podman", "podman-compose", "lab-podman", "lab-podman", []string{"rootless", "podman-compose"}},
		{"sudo", "docker", "sudo docker compose", "lab-sudo", "lab-root", append(docker, "compose-v2", "sudo")},
	}
}

// Enter skips or fails the test, as Require does, if the engine or what it
// needs is missing, and keeps other tests out as EngineLock does.
func (e Engine) Enter(t testing.TB) {
	t.Helper()
	Require(t, append([]string{"sshd", "ssh"}, e.parts...)...)
	EngineLock(t)
}

// Command returns argv as a command that the engine's user runs on this
// machine, in the home and with the environment of User.Env, and with
// SANDBOXER_COMPOSE_CMD. It needs root. What the command reads must be open to
// that user; see OpenDir.
func (e Engine) Command(t testing.TB, argv ...string) []string {
	t.Helper()
	Require(t, append([]string{"sshd", "root"}, e.parts...)...)
	l := Open(t)
	for _, login := range l.Logins {
		if login.Alias != e.Alias {
			continue
		}
		user, err := FindUser(login.User)
		if err != nil {
			t.Fatal(err)
		}
		return user.Command(append([]string{"env", "SANDBOXER_COMPOSE_CMD=" + e.Compose}, argv...)...)
	}
	t.Fatalf("the lab has no alias %q", e.Alias)
	return nil
}

// SSH runs the OpenSSH client as the engine's user. It returns the standard
// output and fails the test if the command fails. It may be called in a
// clean-up.
func (e Engine) SSH(t testing.TB, command string) string {
	t.Helper()
	return e.ssh(t, e.Alias, command)
}

func (e Engine) ssh(t testing.TB, alias, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ssh", "-F", Open(t).SSHConfig, alias, command).Output()
	if err != nil {
		t.Fatalf("ssh %s %q: got %v, want success: %s", alias, command, err, stderrOf(err))
	}
	return string(out)
}

// Objects lists what the engine itself says it holds for its user, sorted: a
// line for each container, pod, network, volume and image, with its full id and
// its name, as in `network 5bcf1329b690... demo_default`.
func (e Engine) Objects(t testing.TB) []string {
	t.Helper()
	questions := []string{
		`ps --all --no-trunc --format "container {{.ID}} {{.Names}}"`,
		`network ls --no-trunc --format "network {{.ID}} {{.Name}}"`,
		`volume ls --format "volume {{.Name}}"`,
		`images --all --no-trunc --format "image {{.ID}} {{.Repository}}:{{.Tag}}"`,
	}
	if e.Program == "podman" {
		questions[0] += " --external" // of a build that did not end, too
		questions = append(questions, `pod ls --no-trunc --format "pod {{.ID}} {{.Name}}"`)
	}
	script := e.Program + " " + strings.Join(questions, " && "+e.Program+" ")
	lines := strings.Split(strings.TrimSpace(e.ssh(t, e.asker, "sh -c '"+script+"'")), "\n")
	slices.Sort(lines)
	return lines
}

// MustLeaveNothing fails the test if, when it has ended, the engine holds
// anything that it does not hold now. Clean-ups that the test registers later
// come first. The caller has entered the engine.
func (e Engine) MustLeaveNothing(t testing.TB) {
	t.Helper()
	before := e.Objects(t)
	t.Cleanup(func() {
		for _, object := range e.Objects(t) {
			if !slices.Contains(before, object) {
				t.Errorf("%s: got %s left over, want nothing", e.Name, object)
			}
		}
	})
}

// OpenDir returns a directory that every user can read and search, until the
// test ends. That of t.TempDir is closed to all but the test's own user.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
