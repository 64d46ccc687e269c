package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A closing program leaves files that its user on the host cannot delete.
const closing = `package main

import "os"

func main() {
	for _, dir := range []string{"/data/tree", "/data/tree/deeper"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
			panic(err)
		}
	}
	if err := os.Chown("/data/tree", 999, 999); err != nil {
		panic(err)
	}
}
`

// writeClosing makes a profile of it, for the user at the shell.
func (c *console) writeClosing() string {
	c.t.Helper()
	dir := lab.OpenDir(c.t)
	compose := "services:\n  closing:\n    build: .\n    volumes: [\"./data:/data\"]\n"
	err := errors.Join(
		os.WriteFile(dir+"/main.go", []byte(closing), 0o644),
		os.WriteFile(dir+"/compose.yaml", []byte(compose), 0o644),
		os.WriteFile(dir+"/Dockerfile", []byte("FROM scratch\nCOPY closing /closing\nENTRYPOINT [\"/closing\"]\n"), 0o644),
		os.Mkdir(dir+"/data", 0o755), os.WriteFile(dir+"/data/.keep", nil, 0o644),
	)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", "closing", "main.go")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("go build: %v: %s", err, out)
	}
	return dir
}

// usersOfRoot are the sites whose user is an ordinary one, and whose engine is
// root's.
func usersOfRoot() []site {
	sudo := func(name, engine, tool string, parts ...string) site {
		return site{name: name, engine: engine, tool: tool, account: "lab-sudo", remote: true, parts: append(parts, "sudo")}
	}
	all := slices.DeleteFunc(sites(), func(s site) bool { return s.name != "docker-v2/ssh" && s.name != "docker-v1/local" })
	return append(all,
		sudo("sudo-docker/ssh", "docker", "sudo docker compose", "dockerd", "docker-cli", "compose-v2"),
		sudo("sudo-podman/ssh", "podman", "sudo podman-compose", "podman", "podman-compose"),
	)
}

// asRoot is what there is of sandboxes, and in an engine that the site's user
// may not ask.
func (c *console) asRoot() string {
	c.t.Helper()
	root, err := lab.FindUser("root")
	if err != nil {
		c.t.Fatal(err)
	}
	other := *c
	other.user = root
	if !c.site.remote {
		other.home = root.Home
	}
	return c.unfinished() + other.objects()
}

// A linked file has another name outside of the sandbox.
type linked struct {
	path string
	was  syscall.Stat_t
}

// link gives a new file of root's a name in that directory too.
func (c *console) link(dir string) linked {
	c.t.Helper()
	l := linked{path: lab.OpenDir(c.t) + "/kept"}
	err := errors.Join(os.WriteFile(l.path, []byte("kept"), 0o640), os.Chown(l.path, 0, 12), os.Link(l.path, dir+"/link"), syscall.Stat(l.path, &l.was))
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

func (l linked) check(t *testing.T) {
	t.Helper()
	var now syscall.Stat_t
	text, err := os.ReadFile(l.path)
	if err = errors.Join(err, syscall.Stat(l.path, &now)); err != nil || string(text) != "kept" ||
		now.Mode != l.was.Mode || now.Uid != l.was.Uid || now.Gid != l.was.Gid || now.Nlink != 1 {
		t.Errorf("the file outside: got %q, mode %o of %d:%d, %d links, %v, want \"kept\", mode %o of %d:%d, one link",
			text, now.Mode, now.Uid, now.Gid, now.Nlink, err, l.was.Mode, l.was.Uid, l.was.Gid)
	}
}

// Files of users that only root can be go with the sandbox, also where its user
// is not root, and nothing is left of what removed them.
func TestFilesOfRoot(t *testing.T) {
	for _, s := range usersOfRoot() {
		t.Run(s.name, func(t *testing.T) {
			c := s.open(t)
			c.ownRoot()
			profile := c.writeClosing()
			before := c.asRoot()
			for _, end := range []string{"destroy", "reap", "reap and keep"} {
				status := decode[sandboxer.SandboxStatus](t, c.must(c.sandboxer("create --ttl 1s "+profile)))
				file := c.link(filepath.Join(c.root, string(status.SandboxID), "data/tree"))
				switch end {
				case "destroy":
					gone := decode[sandboxer.SandboxStatus](t, c.must(c.sandboxer("destroy "+string(status.SandboxID))))
					if gone.State != sandboxer.StateDestroyed || gone.Telemetry.Residual == nil || gone.Telemetry.Residual.Verdict != sandboxer.Pass {
						t.Errorf("%s: got %s, residual %+v, want destroyed and none", end, gone.State, gone.Telemetry.Residual)
					}
				case "reap and keep":
					c.reapAfter(*status.ExpiresAt, "1h")
					fallthrough // to reap what is kept
				case "reap":
					c.reapAfter(*status.ExpiresAt, "0")
				}
				if now := c.asRoot(); now != before {
					t.Errorf("%s: after it there is\n%swant\n%s", end, now, before)
				}
				file.check(t)
			}
		})
	}
}

// reapAfter reaps once the time has come.
func (c *console) reapAfter(expires time.Time, keep string) {
	c.t.Helper()
	c.onSite(fmt.Sprintf("until [ \"$(date +%%s)\" -gt %d ]; do sleep 0.1; done", expires.Unix()))
	c.must(c.sandboxer("reap-stale --apply --allow-young --keep-trash " + keep))
}

// A client that is killed while the helper is on its way, or at work, leaves
// what one further run finishes.
func TestFilesOfRootKilled(t *testing.T) {
	at := slices.IndexFunc(sites(), func(s site) bool { return s.name == "docker-v2/ssh" })
	c := sites()[at].open(t)
	c.ownRoot()
	profile := c.writeClosing()
	before := c.state()
	id := decode[sandboxer.SandboxStatus](t, c.must(c.sandboxer("create "+profile))).SandboxID
	destroy := c.sandboxer("destroy " + string(id))
	c.killWhen(destroy, func(said string) bool { return strings.Contains(said, "removing files of other users") })
	c.must(destroy)
	c.same(before, "purge")
}

// Without a helper they stay in the trash, and the error names them.
func TestFilesOfRootWithoutHelper(t *testing.T) {
	at := slices.IndexFunc(places(), func(p place) bool { return p.name == "lab-docker/docker" })
	p := places()[at]
	box, host := newBox(t, p), p.host(t)
	objects := engineObjects(t, p, box.Root)
	t.Cleanup(func() { os.RemoveAll(box.Root) })
	ctx := t.Context()
	status, err := box.Create(ctx, host, spec(t))
	if err != nil {
		t.Fatal(err)
	}
	box.Helper = sandboxer.Helper{}
	t.Cleanup(func() { box.Destroy(context.WithoutCancel(ctx), host, status.SandboxID) })
	tree := filepath.Join(box.Root, string(status.SandboxID), "out/tree")
	if err := errors.Join(os.Mkdir(tree, 0o700), os.WriteFile(tree+"/file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	trash := filepath.Join(box.Root, ".trash", string(status.SandboxID)+".")
	for range 2 {
		if _, err = box.Destroy(ctx, host, status.SandboxID); !errors.Is(err, sandboxer.ErrRemains) || !strings.Contains(err.Error(), trash) {
			t.Fatalf("got %v, want ErrRemains and %s", err, trash)
		}
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	box.Helper = canary.Helper(canary.File(path))
	gone, err := box.Destroy(ctx, host, status.SandboxID)
	if err != nil {
		t.Fatalf("with a helper: got %v, want it destroyed", err)
	}
	valid(t, gone)
	if now := engineObjects(t, p, box.Root); now != objects {
		t.Errorf("the engine holds\n%s\nand held before\n%s", now, objects)
	}
	if left, err := os.ReadDir(box.Root); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v left in the root, want nothing", left, err)
	}
}
