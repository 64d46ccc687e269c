package compose_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
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
	for _, shell := range []string{"bash --posix", "busybox sh", "mksh"} {
		words := strings.Fields(shell)
		t.Run(words[0], func(t *testing.T) {
			lab.Require(t, words[0])
			b := newServing(t)
			b.spec.HostCheck = []string{"image/root/program", "dial"}
			b.host = shellHost{b.host, words}
			started, rec := b.mustUp()
			if string(started.HostCheck) != "hello" || len(started.Resources) != 4 {
				t.Errorf("up: got %+v, want four resources and an answer", started)
			}
			args := append(words, "-c", string(compose.Docker{}.Teardown(rec)), "sandboxer-teardown")
			out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
			if err != nil || strings.Count(string(out), "removed ") != 4 {
				t.Errorf("teardown: got %q (%v), want four removed", out, err)
			}
		})
	}
}

func TestShellcheck(t *testing.T) {
	lab.Require(t, "shellcheck")
	out, err := exec.Command("shellcheck", "-s", "sh", "docker_v2.sh", "up.sh", "teardown.sh").CombinedOutput()
	if err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
