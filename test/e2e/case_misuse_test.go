package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// An age that makes no sense is a misuse, and never "everything".
func TestCase40(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		y.mkdir(y.root + "/fake99")
		defer y.keeps(y.root)()
		reap := []string{"reap-stale", "--apply", "--keep-trash", "0", "--include-unclaimed", "--older-than"}
		for _, age := range []string{"0", "-1", "NaN", "1e9", "", "+Inf", "0x10", "1h2", "48 h", "9999999999999999999h"} {
			y.misused(append(reap, age)...)
			y.misused("inspect", "stale", "--older-than="+age)
		}
		y.misused(reap...)
		for _, age := range []string{"48h", "48", "1e-9", "1ns"} { // the last two are below the floors
			result := decode[sandboxer.ReapResult](y.t, y.exits(0, append(reap, age)...))
			if len(result.Items) != 0 {
				y.t.Errorf("--older-than %s: got %s, want nothing that young reaped", age, rows(result))
			}
		}
		y.there(id)
	})
}

// away puts what is run after it on a machine with another id.
func (y *yard) away() []string {
	y.write(y.base+"/machine-id", "0123456789abcdef0123456789abcdef\n")
	return []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/machine-id && exec "$@"`, y.base + "/machine-id"}
}

// A plan is carried out on the machine that it is of, while it is good, and as
// it was written; else all of it is refused.
func TestCase42(t *testing.T) {
	callers(t, func(y *yard) {
		id, file := y.dead(), y.outside+"/plan.json"
		out := y.exits(0, "reap-stale", "--allow-young", "--dry-run", "--plan", y.home+"/plan.json")
		if doc := decode[sandboxer.ReapPlanDocument](y.t, out); len(doc.Candidates) != 1 {
			y.t.Fatalf("got candidates %+v, want %s", doc.Candidates, id)
		}
		check := y.keeps(y.root)
		apply := []string{"reap-stale", "--apply", "--plan", file}
		y.write(file, strings.Replace(out, string(id), "case-000000000000", 1))
		y.says(4, "plan_edited", apply...)
		y.write(file, out)
		y.prefix = y.away()
		y.says(4, "another_host", apply...)
		y.prefix = nil
		y.shiftHost(48 * time.Hour)
		y.says(4, "plan_expired", apply...)
		y.do("rm", y.path+"/date")
		root := y.root
		y.root = y.base + "/other"
		y.says(4, "another_root", apply...)
		y.root = root
		check()
		y.edit(func(r *sandboxer.Record) { r.UpdatedAt = r.UpdatedAt.Add(-time.Millisecond) }, y.meta(id), y.registry(id))
		result := decode[sandboxer.ReapResult](y.t, y.exits(3, apply...))
		y.outcome(result, id, "skipped evidence_changed")
		y.there(id)
	})
}

// A reap of hundreds, of which nobody has said that it is meant, is refused
// before anything is touched; so is one of most of what there is.
func TestCase43(t *testing.T) {
	callers(t, func(y *yard) {
		first := y.dead()
		y.more(first, 300)
		check := y.keeps(y.root)
		y.says(4, "too_many", "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
		y.says(4, "too_many", "reap-stale", "--apply", "--keep-trash", "0", "--allow-young", "--max", "300")
		plan := y.plan()
		_, err := y.reap(y.host, plan)
		y.refused("reap", err, "too_many")
		plan.SandboxesCount = 10_000
		_, err = y.reap(y.host, plan)
		y.refused("reap of a few in a hundred", err, "too_many")
		few := plan
		few.Candidates = plan.Candidates[:sandboxer.MaxReapShare+1]
		few.SandboxesCount = 2*sandboxer.MaxReapShare + 1
		_, err = y.reap(y.host, few)
		y.refused("reap of more than half", err, "too_many")
		check()
		few.Candidates = plan.Candidates[:2]
		if _, err := y.reap(y.host, few); err != nil {
			y.t.Errorf("reap of two: got %v, want nil", err)
		}
		y.gone(sandboxer.ID(few.Candidates[0].Ref), sandboxer.ID(few.Candidates[1].Ref))
	})
}

// A command for compose is of a known form; no shell ever sees it.
func TestCase49(t *testing.T) {
	callers(t, func(y *yard) {
		y.engine = ""
		pwned := y.home + "/pwned"
		for _, command := range []string{
			"docker compose; touch " + pwned, "docker compose && touch " + pwned, "docker compose\ntouch " + pwned,
			"$(touch " + pwned + ")", "`touch " + pwned + "`", "docker 'compose'", `docker "compose"`, "docker compose -f /etc/passwd",
			"sh -c 'touch " + pwned + "'", "touch " + pwned, "../docker compose", "sudo", "sudo -u nobody docker compose", "DOCKER_HOST=x docker compose",
		} {
			y.vars = []string{"SANDBOXER_COMPOSE_CMD=" + command}
			y.misused("create")
			y.misused("reap-stale", "--apply", "--keep-trash", "0")
		}
		if left := output(y.t, "find", y.home); left != y.home+"\n" {
			y.t.Errorf("got %s, want nothing done", left)
		}
	})
}

// A dry run leaves no trace: not in any file or its times, not in what runs.
func TestCase54(t *testing.T) {
	callers(t, func(y *yard) {
		verbs := []string{"reap-stale", "reap-stale --dry-run --allow-young --include-unclaimed", "inspect stale", "list"}
		check := y.keeps(y.home, y.base)
		for _, verb := range verbs {
			y.exits(0, strings.Fields(verb)...)
		}
		check() // where nothing has ever been, nothing comes to be
		live, dead := y.live(), y.dead()
		y.mkdir(y.root + "/fake99")
		check = y.keeps(y.base)
		running := runningIn(y.t, y.base)
		for _, verb := range append(verbs, "status "+string(live), "status "+string(dead)) {
			y.exits(0, strings.Fields(verb)...)
		}
		y.plan()
		check()
		if now := runningIn(y.t, y.base); !slices.Equal(now, running) {
			y.t.Errorf("got processes %q, want %q", now, running)
		}
	})
}

// What is to be left out of a reap is named, or nothing is reaped.
func TestCase20Except(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		defer y.keeps(y.root)()
		for _, ref := range []string{"", "\n", string(id) + "\n../x"} {
			y.misused("reap-stale", "--apply", "--allow-young", "--keep-trash", "0", "--except", ref)
			y.misused("reap-stale", "--apply", "--allow-young", "--keep-trash", "0", "--except="+ref)
		}
	})
}
