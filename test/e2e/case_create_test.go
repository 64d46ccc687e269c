package e2e

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// wantFailed holds that a create fails by those words, with something said of
// what to do about it or of what it was, and that nothing is left of it.
func (c *console) wantFailed(flags, message, hint string) sandboxer.ErrorInfo {
	c.t.Helper()
	before := c.mine()
	got := document[sandboxer.ErrorDocument](c, "create "+flags, 1).Error
	if got.Hint == nil {
		got.Hint = new(string)
	}
	if !strings.Contains(got.Message, message) || !strings.Contains(*got.Hint, hint) {
		c.t.Errorf("create %s: got %q (hint %q, log %q), want …%s… and a hint with %q", flags, got.Message, *got.Hint, got.Log, message, hint)
	}
	if now := c.mine(); now != before {
		c.t.Errorf("create %s: it left\n%swhere there was\n%s", flags, now, before)
	}
	return got
}

// A compose tool that starts nothing and says all is well does not make a
// sandbox: the create has failed, says what the engine said, and is taken back
// or kept as it was asked to.
func TestCase44(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		profile := c.profile("services:\n  web:\n    build: .\n    stop_signal: BOGUS\n")
		got := c.wantFailed(profile, "service web was not started: ", "")
		if *got.Phase != string(sandboxer.PhaseStart) || !slices.ContainsFunc(got.Log, func(l string) bool { return strings.Contains(l, "BOGUS") }) {
			t.Errorf("got phase %s, log %q, want start and what podman said", *got.Phase, got.Log)
		}
		status := document[sandboxer.SandboxStatus](c, "create --keep-failed "+profile, 1)
		kept := c.box(string(status.SandboxID))
		if kept.State != sandboxer.StateFailed || kept.Reason == nil || *kept.Reason != string(sandboxer.PhaseStart) {
			t.Errorf("kept: got %+v, want it failed in phase start", kept)
		}
		c.must(c.sandboxer("destroy " + string(status.SandboxID)))
	}, onPodman, onRootless)
}

// A service that ends well is no failure, and neither is a healthcheck that
// nobody can run: the check of the profile decides. A service that does not
// stay up is one.
func TestCase45(t *testing.T) {
	const served = `
services:
  job:
    build: .
    command: ["exit=0"]
  web:
    image: ${SANDBOXER_IMAGE}:job
    command: ["listen=:8080"]
    healthcheck: {test: ["CMD", "/none"], interval: 1s, retries: 1}
    labels: {sandboxer.ready: "tcp:8080"}
`
	const looping = "services:\n  web:\n    build: .\n    command: [\"say=oh dear\", \"exit=1\"]\n    restart: always\n"
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(served), "")
		states := map[string]string{}
		for _, r := range s.Resources {
			if r.Kind == sandboxer.KindContainer {
				states[*r.Service] = *r.State
			}
		}
		if s.State != sandboxer.StateReady || states["job"] != "exited" || states["web"] != "running" {
			t.Errorf("got %s with containers %v, want ready, job exited, web running", s.State, states)
		}
		c.must(c.sandboxer("destroy " + string(s.SandboxID)))

		got := c.wantFailed(c.profile(looping), "service web does not stay up", "")
		if *got.Phase != string(sandboxer.PhaseWait) || !slices.Contains(got.Log, "oh dear") {
			t.Errorf("got phase %s, log %q, want wait and what the service said", *got.Phase, got.Log)
		}
	}, onDocker, onDocker1, onPodman)
}

// What a compose tool has left when it took the sandbox down, and the pod that
// one makes, are found and go; a pod with a container of somebody else's stays.
func TestCase46(t *testing.T) {
	down := map[string]string{
		onDocker: "docker compose -p %[2]s down", onDocker1: "docker-compose -p %[2]s -f compose.yaml -f .sandboxer/override.json down",
		onPodman: "podman-compose -p %[2]s -f .sandboxer.compose.yaml -f .sandboxer/override.json down",
	}
	down[onRootless] = down[onPodman]
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id := string(s.SandboxID)
		// Debian's docker-compose asks for what up gets from the environment.
		c.onSite(fmt.Sprintf("cd %[1]s && SANDBOXER_IMAGE=localhost/sandboxer/%[2]s "+down[c.site.name]+" 2>&1", s.Dir, id))
		c.wantHeld(false, "container "+c.part(s, sandboxer.KindContainer))
		if c.site.engine == "podman" {
			c.wantHeld(true, "network "+c.part(s, sandboxer.KindNetwork))
			pod := c.ask("pod create --infra=false --name pod_" + id)
			c.later("pod rm -f " + pod)
			guest := c.started("--pod " + pod + " --network none " + c.outsiders())
			got := document[sandboxer.ErrorDocument](c, "destroy "+id, 3).Error
			if !strings.Contains(got.Message, "pod "+pod+" unproven") {
				t.Errorf("destroy: got %q, want pod %s named", got.Message, pod)
			}
			c.alive(guest)
			c.ask("rm -f " + guest)
		}
		gone := document[sandboxer.SandboxStatus](c, "destroy "+id, 0)
		if r := gone.Telemetry.Residual; r == nil || r.Verdict != sandboxer.Pass {
			t.Errorf("got residual %+v, want the verdict pass", r)
		}
		c.wantHeld(false, things(s)...)
	}, onDocker, onDocker1, onPodman, onRootless)
}

// A port that is taken, networks or room that have run out: each is named, with
// what to do about it, and nothing is left.
func TestCase47(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		t.Run("port", func(t *testing.T) {
			c := c.with(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			profile := c.profile(fmt.Sprintf("services:\n  web:\n    build: .\n    ports: [\"%s:8080\"]\n", l.Addr()))
			c.wantFailed("--allow fixed_host_port "+profile, "service web was not started", "free that port")
		})
		t.Run("networks", func(t *testing.T) {
			c := c.with(t)
			if c.site.engine == "podman" {
				c.onePool()
			} else {
				c.takeNetworks()
			}
			c.wantFailed(c.profile(web), "service web was not started", "network prune")
		})
		if !c.site.remote {
			return
		}
		t.Run("room", func(t *testing.T) {
			c := c.with(t)
			c.smallRoot()
			c.wantFailed(c.profile(web), "No space left on device", "")
		})
	}, onDocker, onPodman)
}

// takeNetworks leaves docker no addresses for another network: the large ones
// that are free, and of what is left one after the other.
func (c *console) takeNetworks() {
	c.t.Helper()
	made := c.onSite(`for large in 172.18.0.0/15 172.20.0.0/14 172.24.0.0/13 192.168.0.0/16; do
			docker network create --subnet $large case47-large-${large%%/*} 2>/dev/null
		done
		n=0
		while [ $n -lt 64 ] && docker network create case47-$n 2>/dev/null; do n=$((n + 1)); done`)
	for _, network := range strings.Fields(made) {
		c.later("network rm " + network)
	}
}

// onePool gives podman addresses for one network, and takes them.
func (c *console) onePool() {
	c.t.Helper()
	conf := c.root + ".conf"
	text := "[containers]\ndefault_ulimits=[\"nofile=1024:4096\",\"nproc=1024:4096\"]\n[engine]\nruntime=\"runc\"\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n" +
		"[network]\nnetwork_backend=\"netavark\"\ndefault_subnet_pools=[{base=\"10.199.0.0/24\",size=24}]\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { os.Remove(conf) })
	c.argv = append(slices.Clone(c.argv), "CONTAINERS_CONF="+conf)
	c.onSite("CONTAINERS_CONF=" + conf + " podman network create case47")
	c.later("network rm case47")
}

// smallRoot makes the root one that a program does not fit into.
func (c *console) smallRoot() {
	c.t.Helper()
	if err := os.MkdirAll(c.root, 0o700); err != nil {
		c.t.Fatal(err)
	}
	options := fmt.Sprintf("size=1m,mode=700,uid=%d,gid=%d", c.user.UID, c.user.GID)
	if err := syscall.Mount("none", c.root, "tmpfs", 0, options); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := syscall.Unmount(c.root, syscall.MNT_DETACH); err != nil {
			c.t.Error(err)
		}
	})
}

// Settings for compose tools, in the profile's .env or in the environment of
// the user, change neither the project nor the files nor the engine; other
// variables of the profile are its own.
func TestCase48(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		const settings = "COMPOSE_PROJECT_NAME=evil\nCOMPOSE_FILE=/none.yaml\nCOMPOSE_PROFILES=none\nDOCKER_HOST=unix:///none.sock\nDOCKER_CONTEXT=none\n"
		profile := c.profile("services:\n  web:\n    build: .\n    command: [\"say=${WORD}\"]\n", ".env", settings+"WORD=kept\n")
		c.argv = append(slices.Clone(c.argv), "COMPOSE_PROJECT_NAME=evil", "COMPOSE_FILE=/none.yaml", "COMPOSE_PROFILES=none")
		s := c.made(profile, "")
		id := string(s.SandboxID)
		labels := c.ask("inspect --type container --format '{{index .Config.Labels \"com.docker.compose.project\"}}' " + c.part(s, sandboxer.KindContainer))
		if s.State != sandboxer.StateReady || string(*s.Engine) != c.site.engine || labels != id {
			t.Errorf("got %s in %s, of project %q, want ready in %s, of project %q", s.State, *s.Engine, labels, c.site.engine, id)
		}
		if got := c.ask("logs " + c.part(s, sandboxer.KindContainer)); got != "kept" {
			t.Errorf("it said %q, want kept", got)
		}
		if all := c.held(); slices.ContainsFunc(all, func(thing string) bool { return strings.Contains(thing, "evil") }) {
			t.Errorf("got %q, want nothing of evil", all)
		}
		c.must(c.sandboxer("destroy " + id))
		c.wantHeld(false, things(s)...)
	}, onDocker, onDocker1, onPodman)
}
