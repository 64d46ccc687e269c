package sandboxer

import (
	"cmp"
	"fmt"
	"slices"
)

func (d *doctor) root() {
	const check, elsewhere = "root.state", "use another root, such as --root '~/.sandboxer'"
	root := d.obs.Inventory.Root
	switch d.obs.Inventory.RootState {
	case RootOK:
		d.add(check, Pass, "", "%s is a directory of its user's own", root)
	case RootAbsent:
		d.add(check, Pass, "", "%s is not there yet: create makes it", root)
	case RootWritable:
		d.add(check, Warn, "chmod go-w "+root, "%s can be written to by others: create takes that right away", root)
	case RootSymlink:
		d.add(check, Fail, elsewhere, "%s, or a part of its path, is a symbolic link", root)
	case RootForeign:
		d.add(check, Fail, elsewhere, "%s belongs to another user", root)
	case RootNotDir:
		d.add(check, Fail, elsewhere, "%s is not a directory", root)
	case RootHome:
		d.add(check, Fail, elsewhere, "%s holds the user's home, and all that is there would be nobody's", root)
	case RootUnreadable:
		d.add(check, Fail, elsewhere, "%s cannot be read", root)
	default:
		d.add(check, Unknown, "", "%s is %s", root, cmp.Or(string(d.obs.Inventory.RootState), "of unknown state"))
	}
	d.noexec()
	for _, fs := range d.obs.Snapshot.Filesystems {
		if slices.Contains(fs.Roles, "sandbox_root") && fs.FSType != nil && *fs.FSType == "tmpfs" {
			d.add("root.volatile", Pass, "", "%s is in memory (tmpfs): a boot wipes it, and what is in it counts as memory", root)
		}
	}
	d.aged()
}

// aged: systemd-tmpfiles takes a sandbox's files one by one as they age.
func (d *doctor) aged() {
	const check = "root.aged"
	root, age := d.obs.Inventory.Root, d.obs.Facts.RootAge
	switch {
	case age == nil:
		d.add(check, Unknown, "", "nobody can tell whether systemd-tmpfiles removes old files under %s", root)
	case *age == "":
		d.add(check, Pass, "", "nothing removes old files under %s", root)
	default:
		d.add(check, Warn, fmt.Sprintf("echo 'x %s' | sudo tee /etc/tmpfiles.d/sandboxer.conf", root),
			"systemd-tmpfiles removes files under %s that are older than %s", root, *age)
	}
}

// noexec: an engine without images runs its programs from the root, the
// others only a check of the canary.
func (d *doctor) noexec() {
	const check = "root.noexec"
	root, flag := d.obs.Inventory.Root, d.obs.Facts.RootNoexec
	switch {
	case flag == nil:
		d.add(check, Unknown, "", "nobody can tell whether %s is mounted noexec", root)
	case !*flag:
		d.add(check, Pass, "", "programs under %s can be executed", root)
	case d.chosen != EngineProcess:
		d.add(check, Warn, "use a root on a file system without noexec", "%s is mounted noexec: the canary cannot try its port from the host", root)
	default:
		d.add(check, Fail, "use a root on a file system without noexec", "%s is mounted noexec: plain processes cannot be run there", root)
	}
}
