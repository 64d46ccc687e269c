package e2e

import (
	"fmt"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// ask runs the client of the site's engine, as the site's user.
func (c *console) ask(args string) string {
	c.t.Helper()
	return strings.TrimSpace(c.onSite(c.site.engine + " " + args))
}

// later takes something of somebody else's away when the test ends, if it is
// there still.
func (c *console) later(args string) {
	c.t.Cleanup(func() { c.onSite(c.site.engine + " " + args + " >/dev/null 2>&1; true") })
}

// outsiders is an image that no sandbox has anything to do with.
func (c *console) outsiders() string {
	c.t.Helper()
	path, err := service()
	if err != nil {
		c.t.Fatal(err)
	}
	name := "localhost/outsider:" + c.root[strings.LastIndex(c.root, "-")+1:]
	id := c.onSite(fmt.Sprintf("%[1]s image inspect --format '{{.Id}}' %[2]s 2>/dev/null || "+
		"{ mkdir -p %[3]s && cp %[4]s %[3]s/program && tar -C %[3]s -cf - program | %[1]s import --change 'ENTRYPOINT [\"/program\"]' - %[2]s; rm -r %[3]s; }",
		c.site.engine, name, c.root+"-image", path))
	c.later("image rm " + strings.TrimSpace(id))
	return name
}

// outsider starts a container of somebody else's and returns its full id.
func (c *console) outsider(flags string) string {
	c.t.Helper()
	return c.started(flags + " " + c.outsiders())
}

// started is what "run -d" starts with these arguments.
func (c *console) started(args string) string {
	c.t.Helper()
	id := c.ask("run -d " + args)
	c.later("rm -f -v " + id)
	return id
}

// alive holds that containers run.
func (c *console) alive(ids ...string) {
	c.t.Helper()
	for _, id := range ids {
		if got := c.ask("inspect --type container --format '{{.State.Status}}' " + id); got != "running" {
			c.t.Errorf("container %s: got %s, want running", id, got)
		}
	}
}

// held lists what the engine holds, each with its kind.
func (c *console) held() []string {
	c.t.Helper()
	questions := []string{
		"ps -a --no-trunc --format 'container {{.ID}}'", "network ls --no-trunc --format 'network {{.ID}}'",
		"volume ls --format 'volume {{.Name}}'", "images -a --format 'image {{.Repository}}:{{.Tag}}'",
		"images -a --no-trunc --format 'image {{.ID}}'",
	}
	if c.site.engine == "podman" {
		questions = append(questions, "pod ls --no-trunc --format 'pod {{.Id}}'")
	}
	var all []string
	for _, q := range questions {
		all = append(all, strings.Split(strings.ReplaceAll(c.ask(q), " sha256:", " "), "\n")...)
	}
	return all
}

// wantHeld holds of each thing, "KIND REF", whether the engine has it.
func (c *console) wantHeld(want bool, things ...string) {
	c.t.Helper()
	all := c.held()
	for _, thing := range things {
		if got := slices.Contains(all, thing); got != want {
			c.t.Errorf("%s: got held %v, want %v", thing, got, want)
		}
	}
}

// things are those of a sandbox, each "KIND REF".
func things(s sandboxer.Sandbox) []string {
	var all []string
	for _, r := range s.Resources {
		all = append(all, string(r.Kind)+" "+strings.TrimPrefix(r.Ref, "sha256:"))
	}
	return all
}

// thingsBut are those of all kinds but the ones given.
func thingsBut(s sandboxer.Sandbox, kinds ...sandboxer.ResourceKind) []string {
	s.Resources = slices.DeleteFunc(slices.Clone(s.Resources), func(r sandboxer.Resource) bool { return slices.Contains(kinds, r.Kind) })
	return things(s)
}

// mine is all that is of this test's sandboxes, and all the engine holds. Other
// tests may have sandboxes of the same user meanwhile.
func (c *console) mine() string {
	c.t.Helper()
	return c.onSite("cd; grep -lsF '\""+c.root+"\"' .local/state/sandboxer/registry/*.json; ls -d .local/state/sandboxer/locks/case-* "+
		c.root+"/* "+c.root+"/.[!.]* 2>/dev/null; true") + c.objects()
}
