package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// having is the console of a user who has these variables, too, and leaves the
// choice of an engine to the command.
func (c *console) having(variables ...string) *console {
	other := *c
	other.argv = append(slices.Clone(c.argv), variables...)
	other.site.engine, other.site.tool = "auto", ""
	return &other
}

// A trouble is an engine that does not answer as it should, by the variable
// that leads there.
type trouble struct {
	name string
	lead func(c *console) string
}

// troubles are what can be wrong with the engine of a site.
func (s site) troubles() []trouble {
	if s.engine == "docker" {
		return []trouble{
			{"down", func(c *console) string { return "DOCKER_HOST=unix://" + lab.OpenDir(c.t) + "/none.sock" }},
			{"forbidden", func(c *console) string { return c.dockerBehind(passed, 0o600) }},
			{"hanging", func(c *console) string { return c.dockerBehind(unanswered, 0o666) }},
			{"cut off", func(c *console) string { return c.dockerBehind(cutOff, 0o666) }},
			{"half", func(c *console) string { return c.dockerBehind(halved, 0o666) }},
			{"garbage", func(c *console) string { return c.dockerBehind(garbled, 0o666) }},
		}
	}
	return []trouble{
		{"down", func(c *console) string { return c.podmanBehind("echo 'Error: cannot open its database' >&2; exit 125") }},
		{"hanging", func(c *console) string { return c.podmanBehind("exec sleep 600") }},
		{"half", func(c *console) string {
			return c.podmanBehind(`[ "$1" = ps ] || exec /usr/bin/podman "$@"; all=$(/usr/bin/podman "$@"); printf %s "$all" | head -c $((${#all} / 2))`)
		}},
		{"nothing", func(c *console) string { return c.podmanBehind(`[ "$1" = ps ] || exec /usr/bin/podman "$@"`) }},
		{"garbage", func(c *console) string { return c.podmanBehind("echo hello") }},
	}
}

// podmanBehind puts a script before podman.
func (c *console) podmanBehind(script string) string {
	c.t.Helper()
	dir := lab.OpenDir(c.t)
	if err := os.WriteFile(filepath.Join(dir, "podman"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		c.t.Fatal(err)
	}
	path := ""
	for _, word := range c.argv { // the last one counts
		if value, ok := strings.CutPrefix(word, "PATH="); ok {
			path = value
		}
	}
	return "PATH=" + dir + ":" + path
}

// While an engine does not answer, or not in full, nothing that it may hold a
// part of goes, and the exit code says that not all is known; what does not
// depend on it goes.
func TestCase21(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		other := c.having()
		other.site.engine = "process"
		process := string(other.expired("", "").SandboxID)
		for _, trouble := range c.site.troubles() {
			t.Run(trouble.name, func(t *testing.T) {
				c := c.with(t)
				got := c.having(trouble.lead(c)).reap("--except "+process, 6)
				if len(got.Items) != 0 || got.Complete {
					t.Errorf("got %+v, complete %v, want nothing, not complete", got.Items, got.Complete)
				}
				c.wantRow(got, id, sandboxer.Undecided, sandboxer.BlockReportOnly)
			})
		}
		bad := c.having(c.site.troubles()[0].lead(c))
		if out, errs, code := bad.run(bad.sandboxer("destroy " + id)); code != 6 {
			t.Errorf("destroy: got exit code %d, want 6\n%s%s", code, out, errs)
		}
		c.wantItem(bad.reap("", 6), process, sandboxer.ReapRemoved, "")
		if c.site.engine == "docker" {
			c.wantItem(c.having(c.dockerBehind(unseen, 0o666)).reap("", 6), id, sandboxer.ReapUnknown, "engine_unknown")
		}
		c.alive(c.part(s, sandboxer.KindContainer))
		c.wantHeld(true, things(s)...)
		c.wantReaped(id)
		c.wantHeld(false, things(s)...)
	}, "docker-v2/local", onPodman)
}

// A sandbox is not touched by way of another engine than the one that holds
// it, however well that answers.
func TestCase22(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		other := c.having()
		other.site.engine = map[string]string{"docker": "podman", "podman": "docker"}[c.site.engine]
		c.wantItem(other.reap("", 3), id, sandboxer.ReapSkipped, "engine_mismatch")

		elsewhere := c.having("DOCKER_HOST=unix:///run/podman/podman.sock") // docker's client in front of podman
		if c.site.engine == "podman" {
			elsewhere = c.having("CONTAINERS_STORAGE_CONF=" + c.otherStorage())
		}
		got := elsewhere.reap("", 0)
		if len(got.Items) != 0 {
			t.Errorf("got %+v, want nothing", got.Items)
		}
		c.wantRow(got, id, sandboxer.Undecided, sandboxer.BlockReportOnly)
		if out, errs, code := elsewhere.run(elsewhere.sandboxer("destroy " + id)); code != 4 && code != 6 {
			t.Errorf("destroy: got exit code %d, want 4 or 6\n%s%s", code, out, errs)
		}
		c.alive(c.part(s, sandboxer.KindContainer))
		c.wantHeld(true, things(s)...)
		c.wantReaped(id)
	}, "docker-v2/local", onPodman)
}

// otherStorage is the configuration of a podman that works and holds nothing,
// as a user's is beside root's.
func (c *console) otherStorage() string {
	c.t.Helper()
	dir := lab.OpenDir(c.t)
	text := "[storage]\ndriver = \"vfs\"\ngraphroot = \"" + dir + "/graph\"\nrunroot = \"" + dir + "/run\"\n"
	if err := os.WriteFile(dir+"/storage.conf", []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/graph", 0o755); err != nil {
		c.t.Fatal(err)
	}
	return dir + "/storage.conf"
}
