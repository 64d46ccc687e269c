package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A sandbox that is just being created is not reaped in any phase of that, by
// somebody who may reap whatever is young and unclaimed.
func TestCase33(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		var mu sync.Mutex // of the upload and the script that reads it
		var scripts []string
		reap := func(script string) {
			mu.Lock()
			scripts = append(scripts, script)
			mu.Unlock()
			y.reapAll()
		}
		y.do("mkfifo", "-m", "666", y.base+"/up", y.base+"/on")
		program := "echo >" + y.base + "/up; read x <" + y.base + "/on\n" + staying
		up, err := os.OpenFile(y.base+"/up", os.O_RDWR, 0)
		if err != nil {
			y.t.Fatal(err)
		}
		defer up.Close()
		done := make(chan bool)
		go func() {
			defer close(done)
			if _, err := bufio.NewReader(up).ReadString('\n'); err != nil {
				return // it did not come to that
			}
			reap("start")
			if err := os.WriteFile(y.base+"/on", []byte("\n"), 0); err != nil {
				y.t.Error(err)
			}
		}()
		spec := stalled(sh(program), func() { reap("upload") })
		status, err := y.box.Create(y.t.Context(), watched{y.host, reap}, spec)
		up.Close()
		<-done
		if err != nil || status.State != sandboxer.StateReady {
			y.t.Fatalf("create: got state %s, %v, want ready", status.State, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"probe", "reserve", "upload", "locked", "start", "store", "probe", "store"}; !slices.Equal(scripts, want) {
			y.t.Errorf("reaped before or in %q, want %q", scripts, want)
		}
		y.gone(beside)
		y.reapAll()
		y.there(status.SandboxID)
	})
}

// Several destroys and reaps of one sandbox, of several clients, remove it
// once: one of them does it, and the others say that it is locked or gone.
func TestCase35(t *testing.T) {
	callers(t, func(y *yard) {
		over := sshhost.New("lab-"+strings.TrimPrefix(y.user.Name, "sbxlab-"), sshhost.Config{ConfigFile: lab.Open(y.t).SSHConfig})
		defer over.Close()
		second := within{over, y.env()}
		for range 2 {
			id := y.dead()
			plan := y.plan()
			var mu sync.Mutex
			removed := 0
			did := func(ok bool, err error, outcome string) {
				mu.Lock()
				defer mu.Unlock()
				if ok {
					removed++
				} else if late := []string{"skipped gone", "skipped locked", "skipped evidence_changed", "skipped report_only"}; !errors.Is(err, sandboxer.ErrLocked) &&
					!errors.Is(err, sandboxer.ErrIncomplete) && !slices.Contains(late, outcome) { // of what goes while it is read nobody knows more
					y.t.Errorf("got %q, %v, want that it is locked, gone or going", outcome, err)
				}
			}
			var wg sync.WaitGroup
			for _, host := range []sandboxer.Host{y.host, second} {
				wg.Go(func() {
					result, err := y.box.Reap(y.t.Context(), host, plan)
					did(row(result, id) == "removed", err, row(result, id))
				})
				wg.Go(func() {
					status, err := y.box.Destroy(y.t.Context(), host, id)
					did(err == nil && status.Telemetry.DestroyDelta != nil, err, map[bool]string{true: "skipped gone"}[err == nil])
				})
			}
			wg.Wait()
			y.gone(id)
			if n := y.removals(id); n != 1 || removed < 1 {
				y.t.Errorf("got %d audited removals and %d who say they did it, want 1", n, removed)
			}
		}
	})
}

// What a dead client left protects nothing: a lock that nobody holds, an
// operation of another boot. And a process that has got the number of a
// sandbox's is not ended.
func TestCase37(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		boxes := y.more(beside, 3)
		dead, reused, claimed := boxes[0], boxes[1], boxes[2]
		for _, id := range boxes {
			y.as(y.user, "touch", y.home+"/.local/state/sandboxer/locks/"+string(id))
		}
		innocent := exec.Command(y.user.Command("sleep", "600")[0], y.user.Command("sleep", "600")[1:]...)
		if err := innocent.Start(); err != nil {
			y.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- innocent.Wait() }()
		y.t.Cleanup(func() { _ = innocent.Process.Kill() })
		pid, start := innocent.Process.Pid, startTime(y.t, innocent.Process.Pid)
		past := time.Now().Add(-time.Hour)
		for id, process := range map[sandboxer.ID]string{
			dead: "", reused: fmt.Sprintf("%d:%d", pid, start-1), claimed: fmt.Sprintf("%d:%d", pid, start),
		} {
			y.edit(func(r *sandboxer.Record) {
				r.BootID, r.Device = strings.Repeat("0", len(r.BootID)), r.Device+1
				r.State, r.Op = sandboxer.StateProvisioning, &sandboxer.Operation{OpID: "dead", Kind: "create", Deadline: past}
				if process != "" {
					r.Resources = []sandboxer.RecordedRef{{Kind: sandboxer.KindProcess, Ref: process}}
				}
			}, y.meta(id), y.registry(id))
		}
		_, report, _ := y.look(young)
		y.stale(report, dead, sandboxer.Interrupted, "")
		result, err := y.reap(y.host, y.plan())
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("got %v, want ErrRemains", err)
		}
		y.gone(beside, dead, reused)
		y.outcome(result, claimed, "failed remains")
		y.there(claimed)
		select {
		case err := <-ended:
			y.t.Errorf("a process that was no sandbox's has ended: %v", err)
		default:
		}
	})
}

// startTime is when a process has started, in ticks since boot.
func startTime(t *testing.T, pid int) (ticks int64) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if _, err := fmt.Sscan(after[19], &ticks); err != nil {
		t.Fatal(err)
	}
	return ticks
}

// What was used, extended or held after the plan was made stays, also where
// that came after all had been looked at.
func TestCase34(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		boxes := y.more(beside, 6)
		use := func(boxes []sandboxer.ID) {
			_, touched := y.box.Touch(y.t.Context(), y.host, boxes[0])
			_, extended := y.box.Extend(y.t.Context(), y.host, boxes[1], time.Hour)
			_, held := y.box.Hold(y.t.Context(), y.host, boxes[2], sandboxer.Hold{Reason: "in use"})
			if err := errors.Join(touched, extended, held); err != nil {
				y.t.Error(err)
			}
		}
		plan := y.plan()
		plan.Max = int64(len(plan.Candidates))
		use(boxes[:3])
		check := func() {}
		result, err := y.reap(y.justBefore("reap", func() {
			use(boxes[3:])
			check = y.keeps(y.dir(boxes[3]), y.dir(boxes[4]), y.dir(boxes[5]))
		}), plan)
		check()
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("got %v, want ErrRemains", err)
		}
		for i, want := range []string{"evidence_changed", "evidence_changed", "held", "record_changed", "record_changed", "record_changed"} {
			y.outcome(result, boxes[i], "skipped "+want)
		}
		y.there(boxes...)
		y.gone(beside)
		_, report, _ := y.look(young)
		y.stale(report, boxes[0], sandboxer.Expired, "") // and nothing but its age has changed
		y.stale(report, boxes[1], sandboxer.OrphanDir, "")
	})
}

// Of a restore and the reap that deletes what was kept, one gets the directory,
// and all of it.
func TestCase55(t *testing.T) {
	callers(t, func(y *yard) {
		for _, first := range []string{"purge", "restore", "", ""} {
			id := y.dead()
			y.fill(y.dir(id)+"/data/many", 200)
			whole := y.contents(y.dir(id) + "/data")
			_, _, plan := y.look(sandboxer.StalePolicy{AllowYoung: true})
			if result, err := y.reap(y.host, plan); err != nil || len(result.Items) != 1 || result.Items[0].KeptUntil == nil {
				y.t.Fatalf("got %v, want it removed and kept\n%s", err, rows(result))
			}
			var restored, purged error
			restore := func(host sandboxer.Host) { _, restored = y.box.Restore(y.t.Context(), host, id) }
			plan = y.plan()
			purge := func(host sandboxer.Host) { _, purged = y.box.Reap(y.t.Context(), host, plan) }
			switch first {
			case "purge":
				restore(y.justBefore("restore", func() { purge(y.host) }))
			case "restore":
				purge(y.justBefore("reap", func() { restore(y.host) }))
			default:
				var wg sync.WaitGroup
				wg.Go(func() { restore(y.host) })
				wg.Go(func() { purge(y.host) })
				wg.Wait()
			}
			y.t.Logf("first %q: restore %v, purge %v", first, restored, purged)
			_, err := os.Lstat(y.dir(id))
			if there := err == nil; there != (restored == nil) || first != "" && there != (first == "restore") {
				y.t.Errorf("first %q: got restore %v, purge %v, and the directory there: %v", first, restored, purged, there)
			}
			if err == nil {
				if diff := cmp.Diff(whole, y.contents(y.dir(id)+"/data")); diff != "" {
					y.t.Errorf("restored: -before +now\n%s", diff)
				}
				y.exits(0, "release", string(id))
				y.exits(0, "destroy", string(id))
			}
			y.gone(id)
		}
	})
}

// contents are the files below dir, with what is in them.
func (y *yard) contents(dir string) []string {
	y.t.Helper()
	return slices.Sorted(strings.Lines(output(y.t, "sh", "-c", "cd "+dir+" && find . -type f -exec cksum {} +")))
}

// What could be deleted only in part is not restored as if it were whole.
func TestCase55Half(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		_, _, plan := y.look(sandboxer.StalePolicy{AllowYoung: true})
		if _, err := y.reap(y.host, plan); err != nil {
			y.t.Fatal(err)
		}
		file := y.await(y.root + "/.trash*/" + string(id) + ".*/data/file")
		y.do("chattr", "+i", file)
		y.t.Cleanup(func() { _ = exec.Command("chattr", "-i", file).Run() })
		if result, err := y.reap(y.host, y.plan()); !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Fatalf("got %v, want ErrRemains\n%s", err, rows(result))
		}
		y.do("chattr", "-i", y.await(y.root+"/.trash*/"+string(id)+".*/data/file"))
		if _, err := y.box.Restore(y.t.Context(), y.host, id); err == nil {
			_, err = os.Stat(y.dir(id) + "/bin/program")
			y.t.Errorf("restore: got nil, and of what had been there: %v; want it refused", err)
		}
	})
}

// A lock that the caller may not open, as a sudo that keeps HOME leaves it, stops
// what it is for, which says so, and nothing else.
func TestCase37Closed(t *testing.T) {
	lab.Require(t, "root", "sshd", "ssh")
	y := newYard(t, "sbxlab-dash") // root may open any
	beside := y.dead()
	id, state := y.more(beside, 1)[0], y.home+"/.local/state/sandboxer/"
	y.do("install", "-m", "600", "/dev/null", state+"locks/"+string(id))
	result, err := y.reap(y.host, y.plan())
	y.gone(beside)
	y.there(id)
	if got := row(result, id); !strings.HasPrefix(got, "failed ") && !strings.HasPrefix(got, "skipped ") {
		y.t.Errorf("got %q, %v, want it failed or skipped, with its reason", got, err)
	}
	y.do("rm", state+"locks/"+string(id))
	y.do("chown", "root", state+"reap.lock")
	y.do("chmod", "600", state+"reap.lock")
	_, err = y.reap(y.host, y.plan())
	y.refused("reap", err, "state_unwritable")
}

// Of what another operation is at, a reap says that it is locked.
func TestCase35Held(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		id := y.more(beside, 1)[0]
		plan := y.plan()
		lock := y.home + "/.local/state/sandboxer/locks/" + string(id)
		y.as(y.user, "touch", lock)
		holder := exec.Command("flock", "-F", lock, "sh", "-c", "echo; exec sleep 600")
		out, err := holder.StdoutPipe()
		if err == nil {
			err = holder.Start()
		}
		if err == nil {
			_, err = out.Read(make([]byte, 1))
		}
		if err != nil {
			y.t.Fatal(err)
		}
		y.t.Cleanup(func() {
			_ = holder.Process.Kill()
			_ = holder.Wait()
		})
		result, err := y.reap(y.host, plan)
		y.outcome(result, id, "skipped locked")
		y.gone(beside)
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("got %v, want ErrRemains", err)
		}
	})
}
