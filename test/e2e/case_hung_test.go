package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// hang mounts a file system that answers nobody at each of these places, until
// the test ends or what it returns is called.
func (y *yard) hang(places ...string) (release func()) {
	y.t.Helper()
	lab.Require(y.t, "rootless") // which has fuse-overlayfs
	below := y.base + "/hang"
	for _, dir := range []string{"/lower", "/upper", "/work", "/at"} {
		y.do("mkdir", "-p", below+dir)
	}
	options := "allow_other,timeout=0,lowerdir=" + below + "/lower,upperdir=" + below + "/upper,workdir=" + below + "/work"
	server := exec.Command("fuse-overlayfs", "-f", "-o", options, below+"/at")
	if err := server.Start(); err != nil {
		y.t.Fatal(err)
	}
	released := false
	release = func() {
		if released {
			return
		}
		released = true
		_ = server.Process.Kill()
		_ = server.Wait()
		for _, at := range places {
			_ = exec.Command("umount", "-l", at).Run() // it may be that it was not mounted
		}
	}
	y.t.Cleanup(release)
	y.do("sh", "-c", "n=0; until grep -q ' "+below+"/at fuse' /proc/mounts; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done")
	for _, at := range places {
		y.do("mkdir", "-p", at)
		y.do("mount", "--bind", below+"/at", at)
	}
	y.do("kill", "-STOP", strconv.Itoa(server.Process.Pid))
	return release
}

// kept returns the directory of the trash that a reap has just put a sandbox
// into.
func (y *yard) kept() (id sandboxer.ID, entry string) {
	y.t.Helper()
	id = y.dead()
	_, _, plan := y.look(sandboxer.StalePolicy{AllowYoung: true, KeepTrash: time.Hour})
	if result, err := y.reap(y.host, plan); err != nil {
		y.t.Fatalf("reap: %v\n%s", err, rows(result))
	}
	found, err := filepath.Glob(y.root + "/.trash/" + string(id) + ".*")
	if err != nil || len(found) != 1 {
		y.t.Fatalf("got %q, %v, want one in the trash", found, err)
	}
	return id, found[0]
}

// A file system that hangs, wherever it is mounted below the root, holds up
// neither the look at the host nor the reap of what is beside it. What it hides
// stays, and is said to be unknown.
func TestCase08Hung(t *testing.T) {
	callers(t, func(y *yard) {
		trashed, entry := y.kept()
		beside := y.dead()
		ids := y.more(beside, 3)
		records, data, itself := ids[0], ids[1], ids[2]
		y.mkdir(y.root + "/fake98/data")
		y.mkdir(y.root + "/fake99/data")
		release := y.hang(y.dir(records)+"/.sandboxer", y.dir(data)+"/data", y.dir(itself),
			y.root+"/fake97", y.root+"/fake98/data", y.root+"/My Disk", entry+"/data")
		ctx, cancel := context.WithTimeout(y.t.Context(), time.Minute)
		defer cancel()
		obs, err := y.box.Inspect(ctx, y.host)
		if err != nil {
			y.t.Fatalf("inspect: %v", err)
		}
		for _, s := range obs.Inventory.Sources {
			if held := s.Name == "processes"; held != (s.Status == sandboxer.BlockMount) || !held && !s.Complete() {
				y.t.Errorf("source %s: got %s, want it complete, and processes %s", s.Name, s.Status, sandboxer.BlockMount)
			}
		}
		report := sandboxer.FindStale(obs, young)
		for ref, class := range map[sandboxer.ID]sandboxer.StaleClass{
			records: sandboxer.Undecided, data: sandboxer.Expired, itself: sandboxer.Undecided, "fake97": sandboxer.Undecided,
			"fake98": sandboxer.Unclaimed, "My Disk": sandboxer.Unclaimed, sandboxer.ID(strings.TrimPrefix(entry, y.root+"/")): sandboxer.Trashed,
		} {
			y.stale(report, ref, class, sandboxer.BlockMount)
		}
		y.stale(report, beside, sandboxer.Expired, "")
		y.stale(report, "fake99", sandboxer.Unclaimed, "")
		result, err := y.box.Reap(ctx, y.host, sandboxer.PlanReap(obs, report))
		if !errors.Is(err, sandboxer.ErrIncomplete) || errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("reap: got %v, want ErrIncomplete, and all of the plan removed\n%s", err, rows(result))
		}
		y.gone(beside, "fake99")
		if _, err := y.box.Destroy(ctx, y.host, itself); !errors.Is(err, sandboxer.ErrIncomplete) || !strings.Contains(err.Error(), y.dir(itself)) {
			y.t.Errorf("destroy %s: got %v, want ErrIncomplete, and the mount named", itself, err)
		}
		_, err = y.box.Restore(ctx, y.host, trashed)
		y.refused("restore "+string(trashed), err, sandboxer.BlockMount)
		release()
		y.there(append(ids, "fake97", "fake98", "My Disk")...)
		if _, err := os.Lstat(entry); err != nil {
			y.t.Errorf("got %v, want what was kept left alone", err)
		}
		y.reap(y.host, y.plan())
		y.gone(append(ids, trashed)...)
	})
}

// A file system that hangs since the last look holds up nothing, either.
func TestCase08HungSince(t *testing.T) {
	callers(t, func(y *yard) {
		trashed, entry := y.kept()
		beside := y.dead()
		ids := y.more(beside, 2)
		y.mkdir(y.root + "/fake98/data")
		plan := y.plan()
		ctx, cancel := context.WithTimeout(y.t.Context(), time.Minute)
		defer cancel()
		var release func()
		result, err := y.box.Reap(ctx, y.justBefore("reap", func() {
			release = y.hang(y.dir(ids[0])+"/.sandboxer", y.dir(ids[1]), y.root+"/fake98", entry)
		}), plan)
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("reap: got %v, want ErrRemains\n%s", err, rows(result))
		}
		for _, ref := range append(ids, "fake98", sandboxer.ID(strings.TrimPrefix(entry, y.root+"/"))) {
			y.outcome(result, ref, "skipped mount_present")
		}
		y.outcome(result, beside, "removed")
		release()
		y.gone(beside)
		y.there(append(ids, "fake98")...)
		y.reap(y.host, y.plan())
		y.gone(append(ids, trashed)...)
	})
}
