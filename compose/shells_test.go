package compose_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A shellHost runs scripts for sh by another shell that a host may have as sh.
type shellHost struct {
	sandboxer.Host
	shell []string
}

func (h shellHost) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if cmd.Args[0] == "sh" {
		cmd.Args = append(append([]string{}, h.shell...), cmd.Args[1:]...)
	}
	return h.Host.Run(ctx, cmd)
}

func TestShells(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		for _, shell := range []string{"dash", "bash --posix", "busybox sh", "mksh"} {
			words := strings.Fields(shell)
			t.Run(words[0], func(t *testing.T) {
				lab.Require(t, words[0])
				testShell(t, e, words)
			})
		}
	}, "docker-v2", "podman")
}

func testShell(t *testing.T, e lab.Engine, shell []string) {
	b := newServing(t, e)
	b.spec.HostCheck = []string{"image/root/program", "dial"}
	b.spec.Compose.Ready = []sandboxer.ReadyCheck{{Service: "web", Port: 8080}}
	b.host = shellHost{b.host, shell}
	started, rec := b.mustUp()
	if string(started.HostCheck) != "hello" || len(started.Resources) != 4 {
		t.Errorf("up: got %+v, want four resources and an answer", started)
	}
	args := b.command(append(shell, "-c", string(b.with.Teardown(rec)), "sandboxer-teardown")...)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil || strings.Count(string(out), "removed ") != 4 {
		t.Errorf("teardown: got %q (%v), want four removed", out, err)
	}
}

func TestShellcheck(t *testing.T) {
	lab.Require(t, "shellcheck")
	out, err := exec.Command("sh", "-c", "exec shellcheck -s sh *.sh").CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
