package e2e

import (
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

const years = 365 * 24 * time.Hour

// A clock that has jumped, either way, and records from the future condemn
// nothing.
func TestCase38(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		y.mkdir(y.root + "/fake99")
		plan := y.plan()
		defer y.keeps(y.root, y.registry(id))()
		for _, by := range []time.Duration{10 * years, -10 * years, time.Hour, -time.Hour} {
			y.shiftHost(by)
			plan.ExpiresAt = nil // it is not what stops this
			_, report, now := y.look(young)
			if len(now.Candidates) != 0 {
				y.t.Errorf("%v: got candidates %+v, want none", by, now.Candidates)
			}
			y.stale(report, "fake99", sandboxer.Unclaimed, sandboxer.BlockClock)
			_, err := y.reap(y.host, plan)
			y.refused("reap", err, sandboxer.BlockClock)
			y.says(4, sandboxer.BlockClock, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young", "--include-unclaimed")
		}
		y.shift(-10 * years) // both clocks at once: then the records are from the future
		_, err := y.reap(y.host, plan)
		y.refused("reap", err, sandboxer.BlockClock)
	})
}

// One record from the future stops the reap; nothing is removed, that sandbox
// least of all.
func TestCase38Record(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		id := y.more(beside, 1)[0]
		plan := y.plan()
		y.edit(func(r *sandboxer.Record) { r.CreatedAt = r.CreatedAt.Add(years) }, y.meta(id), y.registry(id))
		defer y.keeps(y.root)()
		_, report, _ := y.look(young)
		y.stale(report, id, sandboxer.Expired, sandboxer.BlockClock)
		_, err := y.reap(y.host, plan)
		y.refused("reap", err, sandboxer.BlockClock)
		y.says(4, sandboxer.BlockClock, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
	})
}

// The times of files neither condemn a sandbox nor make an unclaimed directory
// old: what counts is what was recorded, and when the kernel saw a change.
func TestCase39(t *testing.T) {
	callers(t, func(y *yard) {
		live, dead := y.live(), y.dead()
		y.mkdir(y.root + "/fake99/sub")
		y.do("sh", "-c", "find "+y.dir(live)+" "+y.root+"/fake99 -exec touch -h -d 2001-01-01 {} +")
		y.do("sh", "-c", "find "+y.dir(dead)+" -exec touch -h -d 2101-01-01 {} +")
		_, report, plan := y.look(sandboxer.StalePolicy{IncludeUnclaimed: true})
		y.stale(report, live, "", "")
		y.stale(report, "fake99", sandboxer.Unclaimed, sandboxer.BlockTooYoung)
		y.stale(report, dead, sandboxer.Expired, sandboxer.BlockTooYoung)
		if len(plan.Candidates) != 0 {
			y.t.Errorf("got candidates %+v, want none", plan.Candidates)
		}
		y.shift(2 * time.Hour)
		_, report, plan = y.look(sandboxer.StalePolicy{OlderThan: time.Hour, KeepTrash: -1})
		y.stale(report, live, sandboxer.Aged, "") // without a TTL, and of just that age
		if _, err := y.reap(y.host, plan.Without(live)); err != nil {
			y.t.Error(err)
		}
		y.gone(dead)
		y.there(live, "fake99")
	})
}

// What is held stays, whatever its age; when the hold is over or released it
// goes by the rules for its class.
func TestCase41(t *testing.T) {
	callers(t, func(y *yard) {
		beside, live := y.dead(), y.live()
		boxes := y.more(beside, 2)
		released, over := boxes[0], boxes[1]
		for _, id := range []sandboxer.ID{released, live} {
			y.exits(0, "hold", string(id), "--reason", "looking into it")
		}
		y.exits(0, "hold", string(over), "--reason", "for an hour", "--until", "1h")
		_, report, _ := y.look(young)
		y.stale(report, released, sandboxer.Expired, sandboxer.BlockHeld)
		y.stale(report, over, sandboxer.Expired, sandboxer.BlockHeld)
		y.stale(report, live, "", "")
		check := y.keeps(y.dir(released), y.dir(over))
		y.exits(0, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
		y.gone(beside)
		for _, id := range []sandboxer.ID{released, over, live} {
			y.says(4, sandboxer.BlockHeld, "destroy", string(id))
		}
		check()
		y.exits(0, "release", string(released))
		y.shift(48 * time.Hour)
		_, report, _ = y.look(sandboxer.StalePolicy{KeepTrash: -1})
		y.stale(report, live, sandboxer.Aged, sandboxer.BlockHeld)
		y.reapAll()
		y.gone(released, over)
		y.there(live)
	})
}
