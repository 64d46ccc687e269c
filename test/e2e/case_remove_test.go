package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// oddNames are names that mean something to somebody.
var oddNames = []string{"-rf", "new\nline", "\xff\xfe", "a b", "*", "$(touch pwned)", "`touch pwned`", ".hidden", "--", "'", "\\"}

// Whatever kinds of files a sandbox holds, however deep, many or oddly named,
// it is removed without opening any of them; in the root, what has an odd name
// stays.
func TestCase10(t *testing.T) {
	callers(t, func(y *yard) {
		y.fileSystem(y.root, "mode=700")
		id := y.dead()
		y.mkdir(y.root + "/fake99")
		for _, dir := range []string{y.dir(id) + "/data", y.root + "/fake99"} {
			y.as(y.user, "mkfifo", dir+"/fifo")
			y.do("mknod", dir+"/device", "c", "1", "3")
			socket, err := net.Listen("unix", dir+"/socket")
			if err != nil {
				y.t.Fatal(err)
			}
			defer socket.Close()
			y.oddFiles(dir)
		}
		y.oddFiles(y.root)
		y.deepen(y.dir(id)+"/data", 10_000)
		y.fill(y.dir(id)+"/data/many", 100_000)
		y.reapAll()
		y.gone(id, "fake99")
		for _, name := range oddNames {
			y.there(sandboxer.ID(name))
		}
		if _, err := os.Stat(y.home + "/pwned"); err == nil {
			y.t.Error("a file's name was run as a command")
		}
	})
}

// oddFiles makes a directory of each odd name.
func (y *yard) oddFiles(dir string) {
	y.t.Helper()
	for _, name := range oddNames {
		y.mkdir(dir + "/" + name)
	}
}

// deepen makes a tree of that many levels, whose path no call could name.
func (y *yard) deepen(dir string, levels int) {
	y.t.Helper()
	at, err := os.OpenRoot(dir)
	for range levels {
		if err != nil {
			y.t.Fatal(err)
		}
		var below *os.Root
		if err = errors.Join(at.Mkdir("d", 0o755), at.Lchown("d", y.user.UID, y.user.GID)); err == nil {
			below, err = at.OpenRoot("d")
		}
		at.Close()
		at = below
	}
	at.Close()
}

// fill makes a directory with that many files.
func (y *yard) fill(dir string, files int) {
	y.t.Helper()
	y.mkdir(dir)
	for n := range files {
		f, err := os.Create(fmt.Sprintf("%s/%06d", dir, n))
		if err != nil {
			y.t.Fatal(err)
		}
		f.Close()
	}
}

// What the caller may not remove stays, in the trash and on the list, and is
// never called removed; once it may be removed, the next reap does.
func TestCase11(t *testing.T) {
	callers(t, func(y *yard) {
		id, beside := y.dead(), y.dead()
		y.mkdir(y.root + "/fake99")
		owner, want := "0:0", "failed trash_left"
		if y.user.UID == 0 { // who may remove anything
			owner, want = "165536:165536", "removed"
		}
		for dir, mode := range map[string]string{y.dir(id): "700", y.dir("fake99"): "755"} {
			y.do("mkdir", dir+"/theirs")
			y.write(dir+"/theirs/file", "theirs\n")
			y.do("chown", "-R", owner, dir+"/theirs")
			y.do("chmod", mode, dir+"/theirs")
		}
		result, err := y.reap(y.host, y.plan())
		y.outcome(result, beside, "removed")
		y.outcome(result, id, want)
		y.outcome(result, "fake99", want)
		if want == "removed" {
			y.gone(id, "fake99")
			return
		}
		if !errors.Is(err, sandboxer.ErrRemains) || y.removals(id)+y.removals("fake99") != 0 {
			y.t.Errorf("got %v and %d audited removals, want ErrRemains and none", err, y.removals(id))
		}
		y.there("fake99") // where it is seen
		y.exits(3, "destroy", string(id))
		y.exits(3, "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
		_, report, _ := y.look(young)
		y.stale(report, id, sandboxer.Interrupted, "")
		y.do("chown", "-R", fmt.Sprint(y.user.UID), y.root)
		y.reapAll()
		y.gone(id, "fake99")
		if y.removals(id) != 1 {
			y.t.Errorf("got %d audited removals, want 1", y.removals(id))
		}
	})
}

// fails fails unless a reap says of this sandbox that it could not be removed,
// where and why, and removes what is beside it.
func (y *yard) fails(id sandboxer.ID, path, why string, beside ...sandboxer.ID) {
	y.t.Helper()
	result, err := y.reap(y.host, y.plan())
	at := slices.IndexFunc(result.Items, func(i sandboxer.ReapItem) bool { return i.Ref == string(id) })
	if !errors.Is(err, sandboxer.ErrRemains) || at < 0 || result.Items[at].Result != sandboxer.ReapFailed {
		y.t.Fatalf("got %v, want %s failed\n%s", err, id, rows(result))
	}
	if said := *result.Items[at].Message; !strings.Contains(said, path) || !strings.Contains(said, why) {
		y.t.Errorf("got message %q, want %s and %q in it", said, path, why)
	}
	y.gone(beside...)
	y.exits(3, "destroy", string(id))
	if y.removals(id) != 0 {
		y.t.Errorf("%s: got a removal audited, want none", id)
	}
}

// A file that cannot be removed fails the removal, which says so; once that is
// mended it succeeds.
func TestCase12(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		inode := strings.TrimSpace(output(y.t, "stat", "-c", "%i", y.dir(id)+"/data/file"))
		mend := []string{"find", y.root, "-inum", inode, "-exec", "chattr", "-i", "{}", ";"}
		y.t.Cleanup(func() { _ = exec.Command(mend[0], mend[1:]...).Run() })
		y.do("chattr", "+i", y.dir(id)+"/data/file")
		y.fails(id, "/data/file", "Operation not permitted", y.dead())
		y.do(mend...)
		y.reapAll()
		y.gone(id)
	})
}

// So does a root that takes no changes, and a home without room for the last
// record; a root without room does not.
func TestCase12ReadOnlyOrFull(t *testing.T) {
	callers(t, func(y *yard) {
		y.fileSystem(y.root, "mode=700,size=1m")
		y.fileSystem(y.home, "mode=755,size=1m")
		id := y.dead()
		y.do("mount", "-o", "remount,ro", y.root)
		check := y.keeps(y.root)
		y.fails(id, y.dir(id), "Read-only file system")
		check()
		y.do("mount", "-o", "remount,rw", y.root)
		for _, dir := range []string{y.dir(id), y.home} {
			_ = os.WriteFile(dir+"/filler", make([]byte, 2<<20), 0o644) // as far as it goes
		}
		y.fails(id, y.home, "No space left on device")
		y.do("rm", y.home+"/filler")
		y.reapAll()
		y.gone(id)
		if y.removals(id) != 1 {
			y.t.Errorf("got %d audited removals, want 1", y.removals(id))
		}
	})
}

// Directories of the caller's own that are closed to writing go like others.
func TestCase10Closed(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		y.mkdir(y.dir(id) + "/data/module/sub")
		y.mkdir(y.root + "/fake98/module/sub")
		y.mkdir(y.root + "/fake99")
		y.do("chmod", "555", y.dir(id)+"/data/module", y.root+"/fake98/module", y.root+"/fake99")
		y.reapAll()
		y.gone(id, "fake98", "fake99")
	})
}

// Nothing is removed without a word where the audit log cannot be written.
func TestCase12Audit(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		id, log := y.more(beside, 1)[0], y.home+"/.local/state/sandboxer/audit.jsonl"
		y.exits(0, "destroy", string(beside))
		y.do("chattr", "+i", log)
		y.t.Cleanup(func() { _ = exec.Command("chattr", "-i", log).Run() })
		if result, err := y.reap(y.host, y.plan()); err == nil && y.removals(id) == 0 {
			y.t.Errorf("got nil, and no line in the log, want that it is said\n%s", rows(result))
		}
	})
}

// A directory that cannot even be moved fails the removal, which says why.
func TestCase12Immutable(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		y.do("chattr", "+i", y.dir(id))
		y.t.Cleanup(func() { _ = exec.Command("chattr", "-i", y.dir(id)).Run() })
		y.fails(id, y.dir(id), "Operation not permitted")
		y.do("chattr", "-i", y.dir(id))
		y.reapAll()
		y.gone(id)
	})
}

// In a root that several users share, one who has taken the names of the trash
// keeps nobody from removing what is theirs.
func TestCase17Trash(t *testing.T) {
	callers(t, func(y *yard) {
		stranger, err := lab.FindUser("sbxlab-mksh")
		if err != nil {
			y.t.Fatal(err)
		}
		y.do("mkdir", y.root)
		y.do("chmod", "1777", y.root)
		id := y.dead()
		for _, name := range []string{".trash", fmt.Sprintf(".trash-%d", y.user.UID)} {
			y.as(stranger, "mkdir", y.root+"/"+name)
		}
		y.reapAll()
		y.gone(id)
	})
}
