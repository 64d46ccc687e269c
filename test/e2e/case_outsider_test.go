package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Containers that bear a sandbox's project name, or claim its id, stay and run,
// and what is proven to be its own goes.
func TestCase23(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		project := c.outsider("--network none --label com.docker.compose.project=" + id + " --label io.podman.compose.project=" + id)
		claims := c.outsider("--network none --label sandboxer.id=" + id)

		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.wantRemains(item, "container "+claims+" unproven")
		c.wantHeld(false, things(s)...)
		c.alive(project, claims)

		c.ask("rm -f " + claims)
		c.wantReaped(id)
		c.alive(project)
		inv := c.inventory()
		if !slices.ContainsFunc(inv.ComposeProjects, func(p sandboxer.ComposeProject) bool {
			return p.Name == id && p.ContainersRunning == 1 && p.SandboxID == nil
		}) {
			t.Errorf("got projects %+v, want %s, of nobody", inv.ComposeProjects, id)
		}
	}, onDocker, onPodman)
}

// What somebody runs from an image that was committed from a sandbox has its
// labels by inheritance, and stays; so does what runs from the sandbox's own
// image, and the image with it.
func TestCase24(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		copied := "localhost/committed:" + id
		c.ask("commit " + c.part(s, sandboxer.KindContainer) + " " + copied)
		c.later("image rm " + copied)
		heir := c.started("--network none " + copied)
		own := "localhost/sandboxer/" + id + ":web"
		guest := c.started("--network none " + own)

		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.alive(heir, guest)
		c.wantHeld(false, thingsBut(s, sandboxer.KindImage)...)
		c.wantHeld(true, "image "+own)
		c.wantRemains(item, "container "+heir+" unproven", "image "+own+" not_removed")
		c.ask("rm -f " + heir + " " + guest)
		c.wantReaped(id)
		c.wantHeld(true, "image "+copied)
	}, onDocker, onPodman)
}

// A container of another project that has the name which a sandbox gave its own
// is never taken for it.
func TestCase25(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		name := "case25-" + c.root[strings.LastIndex(c.root, "-")+1:]
		profile := c.profile(fmt.Sprintf("services:\n  web:\n    build: .\n    container_name: %s\n", name))
		s := c.made(profile, "--allow container_name")
		first := c.part(s, sandboxer.KindContainer)
		before := c.mine()

		if out, errs, code := c.run(c.sandboxer("create --allow container_name " + profile)); code != 1 || !strings.Contains(out, name) {
			t.Errorf("a second one of that name: got exit code %d, want 1\n%s%s", code, out, errs)
		}
		if now := c.mine(); now != before {
			t.Errorf("after that there is\n%swant\n%s", now, before)
		}
		c.alive(first)

		c.ask("rm -f " + first)
		other := c.outsider("--name " + name + " --label com.docker.compose.project=other --label com.docker.compose.service=web")
		c.must(c.sandboxer("destroy " + string(s.SandboxID)))
		c.wantHeld(false, things(s)...)
		c.alive(other)
	}, onDocker, onDocker1, onPodman)
}

// What somebody has brought up under a sandbox's project name stays, with the
// network and the volume that it shares.
func TestCase26(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		up := map[string]string{"docker": "docker compose", "podman": "podman-compose"}[c.site.engine]
		// The network is said to be there: docker compose would else try to make it anew.
		file := fmt.Sprintf("services:\n  extra:\n    image: %s\n    volumes: [\"data:/data\"]\nvolumes:\n  data: {}\n"+
			"networks:\n  default:\n    external: true\n    name: %s_default\n", c.outsiders(), id)
		c.onSite(fmt.Sprintf("mkdir %[1]s-other && cd %[1]s-other && printf %%s '%[2]s' >compose.yaml && %[3]s -p %[4]s up -d 2>&1", c.root, file, up, id))
		t.Cleanup(func() { c.onSite("rm -r " + c.root + "-other") })
		extra := c.ask("ps -aq --no-trunc --filter label=com.docker.compose.service=extra --filter label=com.docker.compose.project=" + id)
		c.later("rm -f -v " + extra)
		c.alive(extra)

		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.wantRemains(item, "network "+c.part(s, sandboxer.KindNetwork)+" outsider", "volume "+c.part(s, sandboxer.KindVolume)+" outsider")
		c.wantHeld(false, thingsBut(s, sandboxer.KindNetwork, sandboxer.KindVolume)...)
		c.alive(extra)

		c.ask("rm -f " + extra)
		c.wantReaped(id)
	}, onDocker, onPodman)
}

// A volume of somebody else's that a sandbox used is not the sandbox's to
// remove, and its own volume stays while a container of somebody else's has it.
func TestCase27(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		external := "case27-" + c.root[strings.LastIndex(c.root, "-")+1:]
		c.ask("volume create " + external)
		c.later("volume rm " + external)
		s := c.expired(c.profile(fmt.Sprintf("services:\n  web:\n    build: .\n    volumes: [\"data:/data\", \"theirs:/theirs\"]\n"+
			"volumes:\n  data: {}\n  theirs:\n    external: true\n    name: %s\n", external)), "--allow external_volume,global_name")
		id := string(s.SandboxID)
		own := c.part(s, sandboxer.KindVolume)
		user := c.outsider("--network none -v " + own + ":/data")

		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.wantRemains(item, "volume "+own+" outsider")
		c.wantHeld(false, thingsBut(s, sandboxer.KindVolume)...)
		c.wantHeld(true, "volume "+external, "volume "+own)
		c.alive(user)

		c.ask("rm -f " + user)
		c.wantReaped(id)
		c.wantHeld(true, "volume "+external)
	}, onDocker, onPodman)
}

// A network to which a container of somebody else's is connected stays, and the
// container stays connected.
func TestCase28(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id, network := string(s.SandboxID), c.part(s, sandboxer.KindNetwork)
		guest := c.outsider("--network " + network)
		address := func() string {
			return c.ask("inspect --type container --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' " + guest)
		}
		had := address()

		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.wantRemains(item, "network "+network+" outsider")
		c.wantHeld(false, thingsBut(s, sandboxer.KindNetwork)...)
		c.alive(guest)
		if now := address(); had == "" || now != had {
			t.Errorf("got the address %q, want %q still", now, had)
		}
		c.ask("rm -f " + guest)
		c.wantReaped(id)
	}, onDocker, onPodman)
}
