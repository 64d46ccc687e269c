package model

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

var crowdFor = flag.Duration("model.crowd", time.Minute, "how long TestCrowd goes on")

const side = 10 // of each kind, beside each other

// A crowd is a host with many controllers at work.
type crowd struct {
	t   *testing.T
	m   *machine
	box *sandboxer.Sandboxer

	mu    sync.Mutex
	ids   []sandboxer.ID // that there was ever something of
	count map[string]int // outcomes
}

// Creators and reapers beside each other on one host: no live sandbox is lost,
// nothing of any is left, and each removal is told of once.
func TestCrowd(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	must(t, errors.Join(os.Remove(m.dir+"/bin/date"), os.Symlink("/bin/date", m.dir+"/bin/date")))
	c := &crowd{t: t, m: m, count: map[string]int{}, box: &sandboxer.Sandboxer{
		Provisioners: []sandboxer.Provisioner{shelf{m.dir + "/shelf"}}, Collector: probe.Collector{}, Root: m.root(),
	}}
	ctx, stop := context.WithTimeout(t.Context(), *crowdFor)
	defer stop()
	var creators, reapers sync.WaitGroup
	for range side {
		creators.Go(func() { c.untilEnd(ctx, c.makeAndDestroy) })
		reapers.Go(func() { c.untilEnd(ctx, c.reapAll) })
	}
	creators.Wait()
	reapers.Wait()
	if err := c.reapAll(0); err != nil { // and what the others keep
		t.Error(err)
	}
	t.Logf("%d sandboxes: %v", len(c.ids), c.count)
	for _, outcome := range []string{"live", "gone at once", "reaped", "locked out"} {
		if c.count[outcome] == 0 {
			t.Errorf("got none %s, want some: nobody met anybody", outcome)
		}
	}
	c.empty()
	c.checkAudit()
}

// untilEnd does something over and over. What is begun is ended.
func (c *crowd) untilEnd(ctx context.Context, do func(turn int) error) {
	for turn := 0; ctx.Err() == nil; turn++ {
		if err := do(turn); err != nil {
			c.t.Error(err)
			return
		}
	}
}

func (c *crowd) told(outcome string, ids ...sandboxer.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[outcome]++
	c.ids = append(c.ids, ids...)
}

// makeAndDestroy makes a sandbox that lives until it destroys it, or one that is
// anybody's as soon as it is ready.
func (c *crowd) makeAndDestroy(turn int) error {
	s := spec("")
	s.TTL = time.Hour
	if turn%2 == 1 {
		s.TTL = time.Nanosecond
	}
	status, err := c.box.Create(c.t.Context(), c.m, s)
	id := status.SandboxID
	if turn%2 == 1 {
		c.told("gone at once", id)
		if err != nil { // it was taken before its report was stored
			return c.takenEarly(err)
		}
		return nil
	}
	c.told("live", id)
	if err != nil {
		return fmt.Errorf("create %s: %v", id, err)
	}
	if err := c.seenLive(id); err != nil { // and so it is there for a while
		return err
	}
	if data, err := os.ReadFile(c.m.root() + "/" + string(id) + "/a/b"); err != nil || string(data) != payload {
		return fmt.Errorf("%s is live, and holds %q, %v", id, data, err)
	}
	gone, err := c.box.Destroy(c.t.Context(), c.m, id)
	for errors.Is(err, sandboxer.ErrIncomplete) { // it was passed over
		gone, err = c.box.Destroy(c.t.Context(), c.m, id)
	}
	if err != nil || gone.Telemetry.DestroyDelta == nil {
		return fmt.Errorf("destroy %s: got %v, want that nobody else did it", id, err)
	}
	return nil
}

// seenLive looks until the look is whole: among so many that come and go one may
// be passed over, which is then unknown, and nothing worse.
func (c *crowd) seenLive(id sandboxer.ID) error {
	for {
		obs, err := c.box.Inspect(c.t.Context(), c.m)
		if err != nil {
			return err
		}
		rows := sandboxer.FindStale(obs, sandboxer.StalePolicy{AllowYoung: true}).StaleCandidates
		at := slices.IndexFunc(rows, func(row sandboxer.StaleSandbox) bool { return row.Ref == string(id) })
		switch {
		case at < 0:
			return nil
		case rows[at].Class != sandboxer.Undecided:
			return fmt.Errorf("%s is live, and got %+v", id, rows[at])
		}
		c.told("seen in part")
	}
}

// takenEarly accepts a create that fails because a reaper was quicker.
func (c *crowd) takenEarly(err error) error {
	var failure *sandboxer.PhaseError
	if errors.As(err, &failure) && failure.Phase == sandboxer.PhaseReport {
		c.told("taken before its report")
		return nil
	}
	return err
}

// reapAll removes all that is stale, with however many others do the same. Every
// other time it keeps the directories.
func (c *crowd) reapAll(turn int) error {
	policy := sandboxer.StalePolicy{AllowYoung: true, KeepTrash: -1}
	if turn%2 == 1 {
		policy.KeepTrash = time.Hour
	}
	obs, err := c.box.Inspect(c.t.Context(), c.m)
	if err != nil {
		return err
	}
	plan := sandboxer.PlanReap(obs, sandboxer.FindStale(obs, policy))
	plan.Max = int64(len(plan.Candidates))
	result, err := c.box.Reap(c.t.Context(), c.m, plan)
	if errors.Is(err, sandboxer.ErrLocked) {
		c.told("locked out")
	}
	for _, i := range result.Items {
		switch {
		case i.Result == sandboxer.ReapRemoved && i.Class == sandboxer.Trashed:
			c.told("purged")
		case i.Result == sandboxer.ReapRemoved:
			c.told("reaped")
		case i.Result == sandboxer.ReapSkipped:
			c.told("skipped: " + *i.Code)
		default:
			return fmt.Errorf("reap: got %+v, %v", i, err)
		}
	}
	if err != nil && !errors.Is(err, sandboxer.ErrLocked) && !errors.Is(err, sandboxer.ErrRemains) {
		return fmt.Errorf("reap: %v", err)
	}
	return nil
}

// empty expects that nothing is left of any sandbox.
func (c *crowd) empty() {
	c.t.Helper()
	for _, pattern := range []string{c.m.root() + "/*", c.m.root() + "/.[!.]*", c.m.state() + "/registry/*.*", c.m.state() + "/locks/*", c.m.dir + "/shelf/*"} {
		left, err := filepath.Glob(pattern)
		if err != nil || len(left) > 0 {
			c.t.Errorf("got %q left, %v, want nothing", left, err)
		}
	}
}

// checkAudit expects whole lines of JSON, and one removal of each sandbox.
func (c *crowd) checkAudit() {
	c.t.Helper()
	log, err := os.ReadFile(c.m.state() + "/audit.jsonl")
	must(c.t, err)
	removals := map[sandboxer.ID]int{}
	for line := range bytes.Lines(log) {
		var entry struct {
			SandboxID sandboxer.ID `json:"sandbox_id"`
			Result    string       `json:"result"`
		}
		if err := json.Unmarshal(line, &entry); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			c.t.Errorf("audit log: got %q, %v, want a line of JSON", line, err)
		}
		if entry.Result == "removed" {
			removals[entry.SandboxID]++
		}
	}
	slices.Sort(c.ids)
	for _, id := range c.ids {
		if removals[id] != 1 {
			c.t.Errorf("audit log: got %d removals of %s, want one", removals[id], id)
		}
		delete(removals, id)
	}
	for id := range removals {
		c.t.Errorf("audit log: got a removal of %q, which nobody made", id)
	}
}
