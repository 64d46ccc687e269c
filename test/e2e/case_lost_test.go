package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// wantKept holds that a reap finds nothing to do, and a thing of that class
// that these keep from going.
func (c *console) wantKept(ref, flags string, class sandboxer.StaleClass, blocked ...string) {
	c.t.Helper()
	c.wantRow(c.nothing(flags), ref, class, blocked...)
}

// wantLive holds that nothing counts a sandbox as stale, however young stale
// things may be.
func (c *console) wantLive(id string) {
	c.t.Helper()
	got := c.nothing("--allow-young --include-unclaimed")
	if slices.ContainsFunc(got.StaleCandidates, func(s sandboxer.StaleSandbox) bool { return s.Ref == id }) {
		c.t.Errorf("got %+v, want %s to be live", got.StaleCandidates, id)
	}
}

// nothing holds that a reap finds nothing to do.
func (c *console) nothing(flags string) sandboxer.ReapResult {
	c.t.Helper()
	got := document[sandboxer.ReapResult](c, "reap-stale --apply --keep-trash 0 "+flags, 0)
	if len(got.Items) != 0 {
		c.t.Errorf("reap-stale --apply %s: got %+v, want nothing", flags, got.Items)
	}
	return got
}

// registry is the file of a sandbox's second record, as its user has it.
func (c *console) registry(id string) string {
	c.t.Helper()
	return strings.TrimSpace(c.onSite("echo ~")) + "/.local/state/sandboxer/registry/" + id + ".json"
}

// rewrite changes the fields of a sandbox's second record, and returns what it
// was.
func (c *console) rewrite(id string, change func(map[string]any)) (was []byte) {
	c.t.Helper()
	was, err := os.ReadFile(c.registry(id))
	if err != nil {
		c.t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(was, &record); err != nil {
		c.t.Fatal(err)
	}
	change(record)
	now, err := json.Marshal(record)
	if err != nil {
		c.t.Fatal(err)
	}
	c.put(id, now)
	return was
}

// put replaces the content of a sandbox's second record.
func (c *console) put(id string, content []byte) {
	c.t.Helper()
	if err := os.WriteFile(c.registry(id), content, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// A sandbox that runs and has lost its metadata to whoever cleans up /tmp is
// live: its other record stands for it, and the next change writes both.
func TestCase16(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id := string(s.SandboxID)
		for _, lost := range []string{"/.sandboxer/meta.json", "/.sandboxer"} {
			c.onSite("rm -r " + s.Dir + lost)
			c.wantLive(id)
			now := c.box(id)
			if now.State != sandboxer.StateReady || now.Metadata != sandboxer.RecordMissing || now.Registry != sandboxer.RecordOK {
				t.Errorf("without %s: got state %s, metadata %s, registry %s, want ready, missing, ok", lost, now.State, now.Metadata, now.Registry)
			}
		}
		c.alive(c.part(s, sandboxer.KindContainer))
		c.must(c.sandboxer("touch " + id))
		if now := c.box(id); now.Metadata != sandboxer.RecordOK || now.Registry != sandboxer.RecordOK {
			t.Errorf("touched: got metadata %s, registry %s, want both ok", now.Metadata, now.Registry)
		}
		c.must(c.sandboxer("destroy " + id))
		c.wantHeld(false, things(s)...)
	}, onDocker, onRootless)
}

// A sandbox that runs without a directory is reaped only where a record that
// knows its nonce or its parts says that it is one, and not while it is young.
func TestCase29(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id, container := string(s.SandboxID), c.part(s, sandboxer.KindContainer)
		c.onSite("rm -r " + s.Dir)
		c.wantKept(id, "", sandboxer.OrphanProject, sandboxer.BlockTooYoung)

		c.onSite("mv " + c.registry(id) + " " + c.root)
		c.wantKept(id, "--allow-young", sandboxer.OrphanProject, sandboxer.BlockNoRegistry, sandboxer.BlockAgeUnknown)
		c.onSite("mv " + c.root + "/" + id + ".json " + c.registry(id))
		c.alive(container)

		was := c.rewrite(id, func(record map[string]any) {
			record["nonce"] = strings.Repeat("0", 32)
			delete(record, "resources")
		})
		item := c.wantItem(c.reap("", 3), id, sandboxer.ReapFailed, "remains")
		c.wantRemains(item, "container "+container+" unproven", "network "+c.part(s, sandboxer.KindNetwork)+" unproven",
			"volume "+c.part(s, sandboxer.KindVolume)+" unproven", "image localhost/sandboxer/"+id+":web not_removed")
		c.alive(container)
		c.put(id, was)

		c.wantReaped(id)
		c.wantHeld(false, things(s)...)
	}, onDocker, onRootless)
}

// A sandbox of which the engine holds nothing any more keeps its files until it
// is old enough; one that has lost only its containers is not even that.
func TestCase30(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id := string(s.SandboxID)
		c.onSite("echo precious >" + s.Dir + "/result")
		kept := func() {
			c.t.Helper()
			if got := c.onSite("cat " + s.Dir + "/result"); got != "precious\n" {
				t.Errorf("got %q in its directory, want it kept", got)
			}
		}
		c.ask("rm -f " + c.part(s, sandboxer.KindContainer))
		c.wantLive(id)
		kept()

		c.ask("network rm " + c.part(s, sandboxer.KindNetwork))
		c.ask("volume rm " + c.part(s, sandboxer.KindVolume))
		c.wantKept(id, "", sandboxer.OrphanDir, sandboxer.BlockTooYoung)
		c.wantKept(id, "--allow-young --older-than 2", sandboxer.OrphanDir, sandboxer.BlockTooYoung)
		kept()

		c.wantReaped(id)
		c.wantHeld(false, things(s)...)
	}, onDocker, onRootless)
}

// A directory that an engine has made again, as root's, in the place of the
// sandbox's own proves nothing: nothing is touched until it is out of the way.
func TestCase31(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		id := string(s.SandboxID)
		// Made before the other one goes, or it may get that one's inode.
		if err := errors.Join(os.MkdirAll(c.root+"/made/data", 0o755), os.RemoveAll(s.Dir), os.Rename(c.root+"/made", s.Dir)); err != nil {
			t.Fatal(err)
		}
		c.wantKept(id, "--allow-young --include-unclaimed", sandboxer.Expired, sandboxer.BlockDirChanged)
		if out, errs, code := c.run(c.sandboxer("destroy " + id)); code != 4 || !strings.Contains(out, sandboxer.BlockDirChanged) {
			t.Errorf("destroy: got exit code %d, want 4 for %s\n%s%s", code, sandboxer.BlockDirChanged, out, errs)
		}
		c.alive(c.part(s, sandboxer.KindContainer))
		if _, err := os.Stat(s.Dir + "/data"); err != nil {
			t.Error(err)
		}

		c.onSite("mv " + s.Dir + " " + c.root + "/away")
		c.wantReaped(id)
		c.wantHeld(false, things(s)...)
		if err := os.RemoveAll(c.root + "/away"); err != nil {
			t.Error(err)
		}
	}, onDocker, onPodman, onRootless)
}

// Of a sandbox of which only a network and a volume are left, they are found by
// what their labels say, and go.
func TestCase32(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id := string(s.SandboxID)
		c.ask("rm -f " + c.part(s, sandboxer.KindContainer))
		c.ask("image rm localhost/sandboxer/" + id + ":web")
		c.onSite("rm -r " + s.Dir)
		c.rewrite(id, func(record map[string]any) { delete(record, "resources") })

		c.wantKept(id, "", sandboxer.OrphanProject, sandboxer.BlockTooYoung)
		if got, want := things(c.box(id)), thingsBut(s, sandboxer.KindContainer, sandboxer.KindImage); !slices.Equal(got, want) || len(want) != 2 {
			t.Errorf("got resources %q, want %q", got, want)
		}
		c.wantReaped(id)
		c.wantHeld(false, things(s)...)
	}, onDocker, onRootless)
}

// Containers of a user who has no lingering session end with the session: the
// sandbox is not stale for that, and doctor says beforehand that it will be so.
func TestCase52(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.made(c.profile(web), "")
		id, container := string(s.SandboxID), c.part(s, sandboxer.KindContainer)
		c.ask("kill --signal KILL " + container)
		c.ask("wait " + container)
		c.wantLive(id)
		now := c.box(id)
		at := slices.IndexFunc(now.Resources, func(r sandboxer.Resource) bool { return r.Kind == sandboxer.KindContainer })
		if at < 0 || *now.Resources[at].State != "exited" || now.Resources[at].EndedAt == nil {
			t.Errorf("got resources %+v, want a container that has exited", now.Resources)
		}
		c.systemd().wantFinding("rootless.linger", sandboxer.Fail, "loginctl enable-linger "+c.user.Name)
		c.must(c.sandboxer("destroy " + id))
		c.wantHeld(false, things(s)...)
	}, "podman-rootless/local")
}

// systemd is the console on a host that systemd seems to run, for what only
// looks.
func (c *console) systemd() *console {
	other := *c
	other.argv = append([]string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && exec "$@"`, "sh"}, c.argv...)
	return &other
}

// wantFinding holds that doctor has a finding with that in what mends it.
func (c *console) wantFinding(check string, verdict sandboxer.Verdict, mend string) {
	c.t.Helper()
	report := document[sandboxer.DoctorReport](c, "doctor", 0)
	if !slices.ContainsFunc(report.Findings, func(f sandboxer.Finding) bool {
		return f.Check == check && f.Verdict == verdict && f.Mend != nil && strings.Contains(*f.Mend, mend)
	}) {
		c.t.Errorf("doctor: got %+v, want %s as %s, mended by %q", report.Findings, check, verdict, mend)
	}
}
