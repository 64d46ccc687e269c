package e2e

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A stalling tree calls stall when the last of its files is read.
type stalling struct {
	fs.FS
	stall func()
}

func (s stalling) Open(name string) (fs.File, error) {
	if name == "data/file" {
		s.stall()
	}
	return s.FS.Open(name)
}

// stalled makes the upload of a spec call stall half-way.
func stalled(spec sandboxer.Spec, stall func()) sandboxer.Spec {
	files := spec.Files
	spec.Files = func(ctx context.Context, p sandboxer.Platform) (fs.FS, error) {
		tree, err := files(ctx, p)
		return stalling{tree, stall}, err
	}
	return spec
}

// await waits until a file is there whose path fits the pattern.
func (y *yard) await(pattern string) string {
	y.t.Helper()
	y.do("sh", "-c", "n=0; until ls "+pattern+" >/dev/null 2>&1; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.05; done")
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		y.t.Fatalf("%s: got %q, %v, want a file", pattern, found, err)
	}
	return found[0]
}

// A directory without metadata that is just being made into a sandbox is left
// alone, and so is one that merely is young.
func TestCase13(t *testing.T) {
	callers(t, func(y *yard) {
		beside, begun, on, ended := y.dead(), make(chan bool), make(chan bool), make(chan error)
		y.mkdir(y.root + "/fresh99")
		go func() {
			_, err := y.box.Create(y.t.Context(), y.host, stalled(sh(": >ready"), func() { close(begun); <-on }))
			ended <- err
		}()
		<-begun
		y.do("mv", y.meta(beside), y.outside+"/meta") // so that it is not waited for
		path := y.await(y.root + "/*/.sandboxer/meta.json")
		y.do("mv", y.outside+"/meta", y.meta(beside))
		y.do("rm", path)
		id := sandboxer.ID(filepath.Base(filepath.Dir(filepath.Dir(path))))
		_, report, _ := y.look(young)
		y.stale(report, id, "", "")
		_, report, plan := y.look(sandboxer.StalePolicy{IncludeUnclaimed: true})
		y.stale(report, "fresh99", sandboxer.Unclaimed, sandboxer.BlockTooYoung)
		y.stale(report, id, "", "")
		if len(plan.Candidates) != 0 {
			y.t.Errorf("got candidates %+v, want none so young", plan.Candidates)
		}
		y.exits(0, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
		y.gone(beside)
		y.there(id, "fresh99")
		close(on)
		if err := <-ended; err == nil {
			y.t.Error("create: got nil, want that somebody has changed its records")
		}
		y.gone(id)
	})
}

// An old directory that no record knows is reported, and stays unless it is
// asked for.
func TestCase14(t *testing.T) {
	callers(t, func(y *yard) {
		lost, beside := y.dead(), y.dead()
		y.mkdir(y.root + "/fake99")
		y.do("rm", y.meta(lost), y.registry(lost))
		y.shift(48 * time.Hour)
		_, report, plan := y.look(sandboxer.StalePolicy{KeepTrash: -1})
		for _, ref := range []sandboxer.ID{lost, "fake99"} {
			y.stale(report, ref, sandboxer.Unclaimed, sandboxer.BlockUnclaimed)
		}
		defer y.keeps(y.dir(lost), y.dir("fake99"))()
		result, err := y.reap(y.host, plan)
		if err != nil {
			y.t.Error(err)
		}
		y.outcome(result, beside, "removed")
		y.says(4, "unclaimed", "destroy", string(lost))
	})
}

// spoilt are ways in which metadata is none.
var spoilt = []func(y *yard, id sandboxer.ID){
	func(y *yard, id sandboxer.ID) { y.do("truncate", "-s", "100", y.meta(id)) },
	func(y *yard, id sandboxer.ID) { y.do("truncate", "-s", "0", y.meta(id)) },
	func(y *yard, id sandboxer.ID) { y.do("truncate", "-s", "2G", y.meta(id)) },
	func(y *yard, id sandboxer.ID) { y.do("ln", y.meta(id), y.outside+"/"+string(id)) },
	func(y *yard, id sandboxer.ID) {
		y.do("mv", y.meta(id), y.outside+"/"+string(id))
		y.do("ln", "-s", y.outside+"/"+string(id), y.meta(id))
	},
	func(y *yard, id sandboxer.ID) { y.do("rm", y.meta(id)); y.do("mkfifo", y.meta(id)) },
	func(y *yard, id sandboxer.ID) { y.do("rm", y.meta(id)); y.do("mkdir", y.meta(id)) },
	func(y *yard, id sandboxer.ID) { y.edit(func(r *sandboxer.Record) { r.Schema = 2 }, y.meta(id)) },
	func(y *yard, id sandboxer.ID) {
		y.edit(func(r *sandboxer.Record) { r.SandboxID = "more-999999" }, y.meta(id))
	},
	func(y *yard, id sandboxer.ID) { y.edit(func(r *sandboxer.Record) { r.Nonce = "" }, y.meta(id)) },
}

// What has metadata that cannot be read is never reaped; destroy takes it by
// its id, if the record outside it says that it is a sandbox.
func TestCase15(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		ids := y.more(beside, len(spoilt)+1)
		unknown := ids[len(spoilt)]
		for i, spoil := range spoilt {
			spoil(y, ids[i])
		}
		y.do("truncate", "-s", "0", y.meta(unknown))
		y.do("rm", y.registry(unknown))
		_, report, _ := y.look(young)
		for _, id := range ids {
			y.stale(report, id, sandboxer.Corrupt, sandboxer.BlockReportOnly)
		}
		y.exits(0, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young", "--include-unclaimed")
		y.gone(beside)
		y.there(ids...)
		defer y.keeps(y.dir(unknown), y.outside+"/precious")()
		y.says(4, "corrupt", "destroy", string(unknown))
		for _, id := range ids[:len(spoilt)] {
			if _, err := y.box.Destroy(y.t.Context(), y.host, id); err != nil {
				y.t.Errorf("destroy: %v", err)
			}
		}
		y.gone(ids[:len(spoilt)]...)
	})
}

// What another user has put in the place of a sandbox, or beside it, with a
// copy of its metadata, is that user's.
func TestCase17(t *testing.T) {
	callers(t, func(y *yard) {
		stranger, err := lab.FindUser("sbxlab-mksh")
		if err != nil {
			y.t.Fatal(err)
		}
		y.do("mkdir", "-m", "1777", y.root)
		y.do("chmod", "1777", y.root)
		beside := y.dead()
		taken := append(y.more(beside, 2), "copied-000000")
		y.do("cp", "-a", y.dir(taken[0]), y.dir(taken[2]))
		for i, id := range taken {
			y.do("mv", y.dir(id), y.outside) // and there comes another directory of that name
			y.do("cp", "-a", y.outside+"/"+string(id), y.dir(id))
			y.do("chown", "-R", stranger.Name, y.dir(id))
			if i != 1 {
				y.do("chmod", "-R", "go=rX", y.dir(id)) // to show what is in it
			}
		}
		defer y.keeps(y.dir(taken[0]), y.dir(taken[1]), y.dir(taken[2]))()
		_, report, plan := y.look(young)
		y.stale(report, taken[0], sandboxer.Foreign, sandboxer.BlockReportOnly)
		if len(plan.Candidates) != 1 || plan.Candidates[0].Ref != string(beside) || len(plan.Kept) != 3 {
			y.t.Errorf("got candidates %+v, kept %+v, want %s to go and the others kept", plan.Candidates, plan.Kept, beside)
		}
		y.reapAll()
		y.gone(beside)
		y.says(4, "foreign", "destroy", string(taken[0]))
		for _, id := range taken {
			if _, err := y.box.Destroy(y.t.Context(), y.host, id); !errors.As(err, new(*sandboxer.RefusedError)) {
				y.t.Errorf("destroy %s: got %v, want it refused", id, err)
			}
		}
	})
}

// A copy of a sandbox is not that sandbox, wherever it lies.
func TestCase18(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		boxes := y.more(beside, 4)
		original, other, moved, emptied := boxes[0], boxes[1], boxes[2], boxes[3]
		y.do("cp", "-a", y.dir(original), y.root+"/copied-000000")
		y.do("cp", "-a", y.meta(original), y.meta(other))
		y.do("cp", "-a", y.dir(moved), y.outside+"/copy")
		y.do("rm", "-r", y.dir(moved))
		y.mkdir(y.root + "/fake99") // which may get the number that has come free
		y.do("cp", "-a", y.outside+"/copy", y.dir(moved))
		y.do("rm", "-r", y.dir(emptied))
		y.mkdir(y.dir(emptied)) // as somebody's own, with the same number
		y.edit(func(r *sandboxer.Record) { r.Inode = y.inode(y.dir(emptied)) }, y.registry(emptied))
		check := y.keeps(y.outside, y.dir("copied-000000"), y.dir(other), y.dir(moved), y.dir(emptied))
		_, report, _ := y.look(young)
		for _, id := range []sandboxer.ID{"copied-000000", other, moved} {
			y.stale(report, id, sandboxer.Corrupt, sandboxer.BlockReportOnly)
		}
		y.stale(report, emptied, sandboxer.Expired, sandboxer.BlockDirChanged)
		y.reapAll()
		y.gone(beside, original, "fake99")
		check()
		y.says(4, "corrupt", "destroy", "copied-000000")
		y.says(4, sandboxer.BlockDirChanged, "destroy", string(moved))
		y.says(4, sandboxer.BlockDirChanged, "destroy", string(emptied))
		check()
	})
}

// A sandbox whose records came from another machine is foreign, and is not
// touched.
func TestCase19(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		boxes := y.more(beside, 2)
		restored, half := boxes[0], boxes[1]
		away := func(r *sandboxer.Record) { r.MachineID = strings.Repeat("0", len(r.MachineID)) }
		y.edit(away, y.meta(restored), y.registry(restored))
		y.edit(away, y.meta(half))
		defer y.keeps(y.dir(restored), y.dir(half), y.registry(restored))()
		_, report, _ := y.look(young)
		y.stale(report, restored, sandboxer.Foreign, sandboxer.BlockReportOnly)
		y.stale(report, half, sandboxer.Foreign, sandboxer.BlockReportOnly)
		y.reapAll()
		y.gone(beside)
		for _, id := range []sandboxer.ID{restored, half} {
			_, err := y.box.Destroy(y.t.Context(), y.host, id)
			y.refused("destroy", err, "foreign")
		}
	})
}
