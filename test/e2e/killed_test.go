package e2e

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A progress line of the command: "sandboxer: start 3.2s: starting in docker".
var progressLine = regexp.MustCompile(`^sandboxer: ([a-z]+) \d+\.\ds: `)

// killable are the sites on which the client is killed: one of each engine,
// and both ways.
func killable() []site {
	return slices.DeleteFunc(sites(), func(s site) bool {
		return s.name != "docker-v2/ssh" && s.name != "docker-v2/local" && s.name != "podman-rootless/ssh"
	})
}

// Whatever phase the client is killed in, one further run finishes what it has
// begun, and nothing else is touched. The phases are those that it tells of.
func TestKilled(t *testing.T) {
	for _, s := range killable() {
		t.Run(s.name, func(t *testing.T) {
			c := s.open(t)
			c.ownRoot()
			bystander := c.create("--name bystander")
			t.Cleanup(func() { c.run(c.sandboxer("destroy " + bystander)) })
			before := c.state()
			t.Run("create", func(t *testing.T) { c.with(t).killCreate(before) })
			t.Run("destroy", func(t *testing.T) { c.with(t).killDestroy(before) })
			t.Run("reap-stale", func(t *testing.T) { c.with(t).killReap(before) })
		})
	}
}

func (c *console) with(t *testing.T) *console {
	other := *c
	other.t = t
	return &other
}

// state is all there is of sandboxes and in the engine.
func (c *console) state() string { return c.unfinished() + c.objects() }

// settle waits for what the killed client has left running on the site. The
// root's name is in the arguments of every command that sandboxer runs there.
func (c *console) settle() {
	c.t.Helper()
	name := filepath.Base(c.root)
	c.onSite(fmt.Sprintf("n=0; while pgrep -f '[%s]%s' >/dev/null; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done", name[:1], name[1:]))
}

// create returns the id of a new sandbox.
func (c *console) create(flags string) string {
	c.t.Helper()
	return string(decode[sandboxer.SandboxStatus](c.t, c.must(c.sandboxer("create "+flags))).SandboxID)
}

// others returns the ids of all sandboxes but the bystander.
func (c *console) others() []string {
	c.t.Helper()
	var ids []string
	for _, s := range decode[sandboxer.Inventory](c.t, c.must(c.sandboxer("list"))).Sandboxes {
		if filepath.Dir(s.Dir) == c.root && (s.Name == nil || *s.Name != "bystander") {
			ids = append(ids, string(s.SandboxID))
		}
	}
	return ids
}

// phases runs a command line to its end and returns the phases it goes through.
func (c *console) phases(line string) []string {
	c.t.Helper()
	_, errs, code := c.run(line)
	if code != 0 {
		c.t.Fatalf("%s: got exit code %d, want 0\n%s", line, code, errs)
	}
	var all []string
	for said := range strings.Lines(errs) {
		if m := progressLine.FindStringSubmatch(said); m != nil && !slices.Contains(all, m[1]) {
			all = append(all, m[1])
		}
	}
	return all
}

// killAt runs a command line and kills it as soon as it says that it is in that
// phase.
func (c *console) killAt(line, phase string) {
	c.t.Helper()
	c.killWhen(line, func(said string) bool {
		m := progressLine.FindStringSubmatch(said)
		return m != nil && m[1] == phase
	})
}

// killWhen runs a command line and kills it as soon as it says what is awaited.
func (c *console) killWhen(line string, awaited func(said string) bool) {
	c.t.Helper()
	cmd := c.command("exec " + line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	reached := false
	lines := bufio.NewScanner(stderr)
	for !reached && lines.Scan() {
		reached = awaited(lines.Text())
	}
	_ = cmd.Process.Kill() // of all of the group only the client
	_, _ = io.Copy(io.Discard, stderr)
	_ = cmd.Wait()
	if !reached {
		c.t.Errorf("%s: it never came to where it was to be killed", line)
	}
	c.settle()
}

// finished destroys what is left of others, if anything, and compares.
func (c *console) finished(before, phase string) {
	c.t.Helper()
	if ids := c.others(); len(ids) > 0 {
		c.must(c.sandboxer("destroy " + strings.Join(ids, " ")))
	}
	c.same(before, phase)
}

func (c *console) same(before, phase string) {
	c.t.Helper()
	if now := c.state(); now != before {
		c.t.Errorf("killed in phase %s: after one more run there is\n%swant\n%s", phase, now, before)
	}
}

func (c *console) killCreate(before string) {
	phases := c.phases(c.sandboxer("create"))
	c.finished(before, "none")
	c.enough(phases, "observe", "reserve", "start")
	for _, phase := range phases {
		c.killAt(c.sandboxer("create"), phase)
		c.finished(before, phase)
	}
}

func (c *console) killDestroy(before string) {
	phases := c.phases(c.sandboxer("destroy " + c.create("")))
	c.enough(phases, "destroy", "verify")
	for _, phase := range phases {
		id := c.create("")
		c.killAt(c.sandboxer("destroy "+id), phase)
		c.must(c.sandboxer("destroy " + id))
		c.same(before, phase)
	}
}

func (c *console) killReap(before string) {
	reap := c.sandboxer("reap-stale --apply --allow-young --keep-trash 0")
	stale := func() {
		c.t.Helper()
		c.must(c.sandboxer("create --ttl 1s"))
		last := decode[sandboxer.SandboxStatus](c.t, c.must(c.sandboxer("create --ttl 1s")))
		c.onSite(fmt.Sprintf("until [ \"$(date +%%s)\" -gt %d ]; do sleep 0.1; done", last.ExpiresAt.Unix()))
	}
	stale()
	phases := c.phases(reap)
	c.same(before, "none")
	c.enough(phases, "observe", "destroy", "verify")
	for _, phase := range phases {
		stale()
		c.killAt(reap, phase)
		c.must(reap)
		c.same(before, phase)
	}
}

// enough makes sure that there was something to kill.
func (c *console) enough(phases []string, least ...string) {
	c.t.Helper()
	c.t.Logf("phases: %v", phases)
	for _, p := range least {
		if !slices.Contains(phases, p) {
			c.t.Fatalf("got phases %v, want %v among them", phases, least)
		}
	}
}
