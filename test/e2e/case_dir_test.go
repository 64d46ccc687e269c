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
)

// A symbolic link in the place of a sandbox's directory is not followed,
// whatever lies behind it, and neither is one without records.
func TestCase03(t *testing.T) {
	callers(t, func(y *yard) {
		linked, beside := y.dead(), y.dead()
		y.do("mv", y.dir(linked), y.outside+"/real")
		y.do("cp", "-a", y.outside+"/real", y.outside+"/copy")
		defer y.keeps(y.outside)()
		for name, target := range map[string]string{string(linked): "real", "fake99": "copy"} {
			y.as(y.user, "ln", "-s", "../outside/"+target, y.root+"/"+name)
		}
		_, report, _ := y.look(young)
		y.stale(report, linked, sandboxer.Corrupt, sandboxer.BlockReportOnly)
		y.stale(report, "fake99", sandboxer.Unclaimed, sandboxer.BlockNotDir)
		y.reapAll()
		y.gone(beside)
		_, err := y.box.Destroy(y.t.Context(), y.host, linked)
		y.refused("destroy", err, "not_dir")
		y.says(4, "not_dir", "destroy", string(linked))
		y.there(linked, "fake99")
	})
}

// swaps replaces the directories of a sandbox and of an unclaimed one in two
// moments: after the plan, and after all that is looked at before the script
// acts. Neither of what is there then goes.
func swaps(t *testing.T, replace func(y *yard, dir string), planned, looked []string) {
	callers(t, func(y *yard) {
		early, late, beside := y.dead(), y.dead(), y.dead()
		for _, name := range []string{"fake98", "fake99"} {
			y.mkdir(y.root + "/" + name + "/sub")
		}
		plan := y.plan()
		swap := func(names ...string) {
			for _, name := range names {
				y.do("mv", y.root+"/"+name, y.outside+"/"+name)
				y.do("cp", "-a", y.outside+"/"+name, y.outside+"/copy-"+name)
				replace(y, y.root+"/"+name)
			}
		}
		swap(string(early), "fake98")
		check := func() {}
		result, err := y.reap(y.justBefore("reap", func() {
			swap(string(late), "fake99")
			check = y.keeps(y.outside, y.dir(early), y.dir(late), y.dir("fake98"), y.dir("fake99"))
		}), plan)
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("got %v, want ErrRemains", err)
		}
		check()
		y.outcome(result, early, planned[0])
		y.outcome(result, "fake98", planned[1])
		y.outcome(result, late, looked[0])
		y.outcome(result, "fake99", looked[1])
		y.outcome(result, beside, "removed")
		y.gone(beside)
	})
}

// A directory that was swapped for a symbolic link after it had been looked at
// stays, and so does what the link points to.
func TestCase04(t *testing.T) {
	swaps(t, func(y *yard, dir string) {
		y.as(y.user, "ln", "-s", y.outside, dir)
	}, []string{"skipped report_only", "skipped not_a_directory"}, []string{"skipped not_dir", "skipped not_dir"})
}

// A directory that was swapped for another one with the same content after it
// had been looked at stays.
func TestCase05(t *testing.T) {
	swaps(t, func(y *yard, dir string) {
		y.do("cp", "-a", strings.Replace(dir, "/root/", "/outside/", 1), dir)
	}, []string{"skipped report_only", "skipped evidence_changed"}, []string{"skipped dir_changed", "skipped dir_changed"})
}

// Symbolic links within a sandbox go with it, and nothing that they point to.
func TestCase06(t *testing.T) {
	callers(t, func(y *yard) {
		id, sibling := y.dead(), y.live()
		y.mkdir(y.root + "/fake99")
		defer y.keeps("/etc/passwd", y.outside, y.dir(sibling))()
		for _, dir := range []string{y.dir(id) + "/data", y.root + "/fake99"} {
			for name, target := range map[string]string{
				"etc": "/etc", "up": "..", "sibling": y.dir(sibling), "precious": y.outside + "/precious",
				"loop": "loop", "dangling": "/nonexistent", "dir": y.outside,
			} {
				y.as(y.user, "ln", "-s", target, dir+"/"+name)
			}
		}
		y.reapAll()
		y.gone(id, "fake99")
		y.there(sibling)
	})
}

// mounted fails unless nothing of a sandbox goes, or of a directory without
// records, while something is mounted in it, be it since the last look; what is
// beside them goes, and they themselves when it is mounted no more.
func mounted(t *testing.T, mount func(y *yard, at string)) {
	callers(t, func(y *yard) {
		beside := y.dead()
		id := y.more(beside, 1)[0]
		y.mkdir(y.dir(id) + "/data")
		y.mkdir(y.root + "/fake99/data")
		points := []string{y.dir(id) + "/data", y.root + "/fake99/data"}
		check := y.keeps(y.outside, y.dir(id), y.dir("fake99"))
		for _, at := range points {
			mount(y, at)
		}
		_, report, _ := y.look(young)
		y.stale(report, id, sandboxer.Expired, sandboxer.BlockMount)
		y.stale(report, "fake99", sandboxer.Unclaimed, sandboxer.BlockMount)
		y.reapAll()
		y.gone(beside)
		y.says(4, "mount_present", "destroy", string(id))
		y.do("umount", points[0], points[1])
		plan := y.plan()
		result, err := y.reap(y.justBefore("reap", func() {
			for _, at := range points {
				mount(y, at)
			}
		}), plan)
		y.outcome(result, id, "skipped mount_present")
		y.outcome(result, "fake99", "skipped mount_present")
		if !errors.Is(err, sandboxer.ErrRemains) {
			y.t.Errorf("got %v, want ErrRemains", err)
		}
		y.do("umount", points[0], points[1])
		check()
		y.reapAll()
		y.gone(id, "fake99")
	})
}

// A directory in which something of the same file system is mounted stays as it
// is.
func TestCase07(t *testing.T) {
	mounted(t, func(y *yard, at string) { y.do("mount", "--bind", y.outside, at) })
}

// A directory in which another file system is mounted stays as it is.
func TestCase08(t *testing.T) {
	mounted(t, func(y *yard, at string) { y.do("mount", "-t", "tmpfs", "tmpfs", at) })
}

// A hard link goes with its sandbox; the file that it is another name of stays
// as it is.
func TestCase09(t *testing.T) {
	callers(t, func(y *yard) {
		id := y.dead()
		y.mkdir(y.root + "/fake99")
		// A link less changes the file's ctime, and nothing else.
		facts := []string{"find", y.outside, "-printf", "%p %m %U:%G %s %i %n %T@\n", "-type", "f", "-exec", "sha256sum", "{}", ";"}
		before := output(y.t, facts...)
		for _, dir := range []string{y.dir(id) + "/data", y.root + "/fake99"} {
			y.do("ln", y.outside+"/precious", dir+"/link")
		}
		y.reapAll()
		y.gone(id, "fake99")
		if now := output(y.t, facts...); now != before {
			y.t.Errorf("got\n%swant\n%s", now, before)
		}
	})
}

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

// A file that cannot be removed, or a file system that takes no changes, fails
// the removal, which says so; once that is mended it succeeds. A full one does
// not keep anybody from making room.
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
