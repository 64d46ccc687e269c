package lab_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

func TestPathWithout(t *testing.T) {
	t.Setenv("PATH", lab.PathWithout(t, "true"))
	if path, err := exec.LookPath("true"); err == nil {
		t.Errorf("got %q for a command that is left out, want an error", path)
	}
	if out, err := exec.Command("echo", "still", "here").Output(); err != nil || string(out) != "still here\n" {
		t.Errorf("got %q, %v from a command that is kept, want %q", out, err, "still here\n")
	}
}

func TestWithoutEngine(t *testing.T) {
	argv := append(lab.WithoutEngine(t), "sh", "-c", `PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
		command -v docker dockerd podman; ls /run; echo "$@"`, "sh", "a b")
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "a b" {
		t.Errorf("got %q, %v, want only the argument %q", got, err, "a b")
	}
}

// TestOnly asks hosts that have one engine each what they have.
func TestOnly(t *testing.T) {
	lab.Require(t, "dockerd", "docker-cli", "compose-v1", "compose-v2", "podman", "podman-compose")
	lab.EngineLock(t) // podman fails where something goes while it lists
	const question = `for program in docker docker-compose podman podman-compose; do
		command -v "$program" >/dev/null && echo "$program"
	done
	docker compose version >/dev/null 2>&1 && echo docker compose
	docker ps >/dev/null 2>&1 && echo docker works
	podman ps >/dev/null 2>&1 && echo podman works
	true`
	l := lab.Open(t)
	for _, test := range []struct {
		name   string
		prefix []string
		want   string
	}{
		{"podman", lab.OnlyPodman(t), "podman\npodman-compose\npodman works\n"},
		{"docker v1", lab.OnlyDockerV1(t), "docker\ndocker-compose\ndocker works\n"},
	} {
		l.SSHConfig = lab.SSHD(t, lab.SSHDOptions{Prefix: test.prefix}).SSHConfig
		if got := l.SSH(t, "lab-root", question); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}
