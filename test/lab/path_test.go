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
