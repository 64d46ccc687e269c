package canary

import (
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tegwick/sand-boxer/internal/mountinfo"
)

// A memoryGroup is where the kernel keeps this process's memory limit.
type memoryGroup struct {
	mount string // where the hierarchy is mounted
	dir   string // the group's directory, at or below mount
	file  string // name of the file that holds the limit
}

// findMemoryGroup reads /proc/self/cgroup (cgroups(7)):
//
//	4:memory:/docker/5f1c…          version 1
//	0::/                            version 2
//
// and /proc/self/mountinfo (proc_pid_mountinfo(5)), whose fourth field is the
// group that the mount point shows:
//
//	35 31 0:32 /docker/5f1c… /sys/fs/cgroup/memory ro,… - cgroup cgroup rw,memory
//	41 31 0:38 / /sys/fs/cgroup ro,… - cgroup2 cgroup rw,nsdelegate
func findMemoryGroup(cgroup, mounts string) (memoryGroup, bool) {
	group, one := "", false
	for line := range strings.Lines(cgroup) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		switch {
		case hasWord(f[1], "memory"):
			group, one = f[2], true
		case f[0] == "0" && f[1] == "" && !one:
			group = f[2]
		}
	}
	if !path.IsAbs(group) {
		return memoryGroup{}, false
	}
	for line := range strings.Lines(mounts) {
		left, right, ok := strings.Cut(line, " - ")
		at, kind := strings.Fields(left), strings.Fields(right)
		if !ok || len(at) < 5 || len(kind) < 3 {
			continue
		}
		g := memoryGroup{mount: mountinfo.Unescape(at[4])}
		switch {
		case one && kind[0] == "cgroup" && hasWord(kind[2], "memory"):
			g.file = "memory.limit_in_bytes"
		case !one && kind[0] == "cgroup2":
			g.file = "memory.max"
		default:
			continue
		}
		g.dir = g.mount
		if below, ok := strings.CutPrefix(path.Clean(group), strings.TrimSuffix(mountinfo.Unescape(at[3]), "/")); ok {
			g.dir = path.Join(g.mount, path.Join("/", below))
		}
		return g, true
	}
	return memoryGroup{}, false
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// limit returns the lowest limit of the group and those above it, as far as
// they can be seen from here. It is false where none of them has one.
func (g memoryGroup) limit() (bytes int64, ok bool) {
	for dir := g.dir; ; dir = path.Dir(dir) {
		if data, err := os.ReadFile(filepath.Join(dir, g.file)); err == nil {
			// "max", or in version 1 a number near 1<<63, is no limit.
			n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
			if err == nil && n < 1<<60 && (!ok || n < bytes) {
				bytes, ok = n, true
			}
		}
		if dir == g.mount || len(dir) <= len(g.mount) {
			return bytes, ok
		}
	}
}
