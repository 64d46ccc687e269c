package e2e

import (
	"errors"
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
// beside them goes, and the sandbox itself when nothing is mounted any more.
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
		result, _ = y.reap(y.host, y.plan())
		y.outcome(result, id, "removed")
		y.gone(id)
		if got := row(result, "fake99"); got != "removed" && got != "skipped in_use" { // a process begun meanwhile may have copied the mount
			y.t.Errorf("fake99: got %q, want it removed, or in use", got)
		}
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
