package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Sites of the cases: one way to each engine.
const (
	onDocker   = "docker-v2/ssh"
	onDocker1  = "docker-v1/local"
	onPodman   = "podman/local"
	onRootless = "podman-rootless/ssh"
)

// on runs a test on the sites of those names, each with a root of its own.
// When the test has ended, the site is as it was before.
func on(t *testing.T, test func(t *testing.T, c *console), names ...string) {
	t.Helper()
	for _, name := range names {
		at := slices.IndexFunc(sites(), func(s site) bool { return s.name == name })
		t.Run(name, func(t *testing.T) {
			c := sites()[at].open(t)
			c.ownRoot()
			before := c.mine()
			t.Cleanup(func() {
				for _, id := range c.others() { // of a test that failed
					c.run(c.sandboxer("destroy " + id))
				}
				if now := c.mine(); now != before {
					t.Errorf("the site has\n%sand had before\n%s", now, before)
				}
			})
			test(t, c)
		})
	}
}

// service builds the program that services and outsiders run, once for all
// tests, beside the command.
var service = sync.OnceValues(func() (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	path = filepath.Join(filepath.Dir(path), "service")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "github.com/tegwick/sand-boxer/compose/testdata/program")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

const dockerfile = "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\n"

// profile makes a profile of a compose file and what "build: ." needs, and
// returns its directory. Other files are name and content, in turn.
func (c *console) profile(compose string, files ...string) string {
	c.t.Helper()
	above, err := os.MkdirTemp("", "e2e-profile")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { os.RemoveAll(above) })
	from, err := service()
	if err != nil {
		c.t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		c.t.Fatal(err)
	}
	// Its name begins the ids, and another user reads it.
	dir := filepath.Join(above, "case")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(above, 0o755)); err != nil {
		c.t.Fatal(err)
	}
	files = append(files, "compose.yaml", compose, "Dockerfile", dockerfile, "program", string(data))
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	return dir
}

// web is a profile with one of each kind of thing that an engine holds.
const web = `
services:
  web:
    build: .
    volumes: ["data:/data"]
volumes:
  data: {}
`

// made returns a new sandbox of a profile, as the list has it.
func (c *console) made(profile, flags string) sandboxer.Sandbox {
	c.t.Helper()
	return c.box(c.create(profile + " " + flags))
}

// expired returns a new sandbox whose time is over.
func (c *console) expired(profile, flags string) sandboxer.Sandbox {
	c.t.Helper()
	box := c.made(profile, "--ttl 1s "+flags)
	c.onSite(fmt.Sprintf("until [ \"$(date +%%s)\" -gt %d ]; do sleep 0.1; done", box.ExpiresAt.Unix()))
	return box
}

// inventory is the host's now.
func (c *console) inventory() sandboxer.Inventory {
	c.t.Helper()
	return decode[sandboxer.Inventory](c.t, c.must(c.sandboxer("inspect inventory")))
}

// box is a sandbox as the host shows it now.
func (c *console) box(id string) sandboxer.Sandbox {
	c.t.Helper()
	inv := c.inventory()
	s := inv.Find(sandboxer.ID(id))
	if s == nil {
		c.t.Fatalf("got no sandbox %s in the inventory, want it", id)
	}
	return *s
}

// part returns the one thing of a kind that the engine holds of a sandbox.
func (c *console) part(s sandboxer.Sandbox, kind sandboxer.ResourceKind) string {
	c.t.Helper()
	at := slices.IndexFunc(s.Resources, func(r sandboxer.Resource) bool { return r.Kind == kind })
	if at < 0 {
		c.t.Fatalf("got resources %+v of %s, want a %s among them", s.Resources, s.SandboxID, kind)
	}
	return s.Resources[at].Ref
}

// document runs a verb that has to end with that exit code, and decodes what
// it answers.
func document[T any](c *console, args string, code int) T {
	c.t.Helper()
	out, errs, got := c.run(c.sandboxer(args))
	if got != code {
		c.t.Fatalf("%s: got exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return decode[T](c.t, out)
}

// reap removes whatever nothing but its age protects, for good.
func (c *console) reap(flags string, code int) sandboxer.ReapResult {
	c.t.Helper()
	return document[sandboxer.ReapResult](c, "reap-stale --apply --allow-young --keep-trash 0 "+flags, code)
}

// wantItem holds what became of a thing in a reap.
func (c *console) wantItem(got sandboxer.ReapResult, ref string, result sandboxer.ReapOutcome, code string) sandboxer.ReapItem {
	c.t.Helper()
	at := slices.IndexFunc(got.Items, func(i sandboxer.ReapItem) bool { return i.Ref == ref })
	if at < 0 {
		c.t.Fatalf("reap-stale: got items %+v, want %s among them", got.Items, ref)
	}
	i := got.Items[at]
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	if i.Result != result || text(i.Code) != code {
		c.t.Errorf("reap-stale: %s: got %s %q (%s), want %s %q", ref, i.Result, text(i.Code), text(i.Message), result, code)
	}
	return i
}

// wantReaped holds that a reap removes a thing, and with it all there was.
func (c *console) wantReaped(ref string) {
	c.t.Helper()
	c.wantItem(c.reap("", 0), ref, sandboxer.ReapRemoved, "")
}

// wantRemains holds that an item names just these things, each "KIND REF
// REASON".
func (c *console) wantRemains(i sandboxer.ReapItem, things ...string) {
	c.t.Helper()
	var got []string
	for _, line := range i.Remains {
		words := strings.SplitN(line, " ", 4)
		got = append(got, strings.Join(words[:min(3, len(words))], " "))
	}
	slices.Sort(got)
	slices.Sort(things)
	if !slices.Equal(got, things) {
		c.t.Errorf("remains: got %q, want just %q", i.Remains, things)
	}
}

// wantRow holds that what is no live sandbox after a reap has a thing of that
// class, and that just these keep it from going.
func (c *console) wantRow(got sandboxer.ReapResult, ref string, class sandboxer.StaleClass, blocked ...string) {
	c.t.Helper()
	at := slices.IndexFunc(got.StaleCandidates, func(s sandboxer.StaleSandbox) bool { return s.Ref == ref })
	if at < 0 || got.StaleCandidates[at].Class != class || !slices.Equal(got.StaleCandidates[at].BlockedBy, blocked) {
		c.t.Errorf("reap-stale: got %+v, want %s as %s, blocked by %q", got.StaleCandidates, ref, class, blocked)
	}
}
