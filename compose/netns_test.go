package compose_test

import (
	"path/filepath"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// halve leaves of the user's network name space what a podman leaves that is
// killed while it makes it: the name, and an empty directory for the rest.
func (b *bench) halve() (name string) {
	b.t.Helper()
	b.ask("unshare", "--rootless-netns", "true")
	runtime := b.user().RuntimeDir
	rest, err := filepath.Glob(runtime + "/libpod/tmp/rootless-netns/*")
	if err != nil || len(rest) == 0 {
		b.t.Fatalf("got %q, %v, want what podman has made", rest, err)
	}
	b.ask(append([]string{"unshare", "rm", "-r"}, rest...)...)
	names, err := filepath.Glob(runtime + "/netns/rootless-netns-*")
	if err != nil || len(names) != 1 {
		b.t.Fatalf("got %q, %v, want one name", names, err)
	}
	if _, err := b.try("unshare", "--rootless-netns", "true"); err == nil {
		b.t.Fatal("podman works with half a name space: there is nothing to mend")
	}
	return names[0]
}

func TestHalfMadeNetworkIsMended(t *testing.T) {
	onEach(t, func(t *testing.T, e lab.Engine) {
		b := newServing(t, e)
		b.halve()
		b.mustUp()
	}, "rootless")
}

// A container that runs may be behind it, or be somebody's who knows.
func TestHalfMadeNetworkInUse(t *testing.T) { onEach(t, testHalfMadeNetworkInUse, "rootless") }

func testHalfMadeNetworkInUse(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	name := b.halve()
	b.copyProgram("bystander/program")
	id := b.ask("run", "-d", "--network", "none", "--rootfs", filepath.Join(b.box.Dir, "bystander"), "/program")
	t.Cleanup(func() {
		b.ask("rm", "-f", "-t", "0", id)
		b.ask("system", "migrate") // mends it, as the hint says
		b.ask("unshare", "--rootless-netns", "true")
	})
	b.mustFail("rootless netns", "podman system migrate")
	if got, _ := filepath.Glob(name); len(got) != 1 {
		t.Errorf("got %q, want %s still there", got, name)
	}
	if got := b.ask("inspect", "--format", "{{.State.Status}}", id); got != "running" {
		t.Errorf("the bystander: got %s, want running", got)
	}
}
