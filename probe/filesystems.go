package probe

import (
	"math"
	"strconv"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/mountinfo"
)

// A mount is one line of /proc/self/mountinfo (proc_pid_mountinfo(5)):
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//
// Odd bytes of the mount point are written as octal escapes.
type mount struct {
	device  string
	point   string
	options []string // of the mount, then of the file system
	fstype  string
}

func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		left, right := strings.Split(before, " "), strings.Split(after, " ")
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		mounts = append(mounts, mount{
			device: left[2], point: mountinfo.Unescape(left[4]), fstype: right[0],
			options: append(strings.Split(left[5], ","), strings.Split(right[len(right)-1], ",")...),
		})
	}
	return mounts
}

func (m mount) has(option string) bool {
	for _, o := range m.options {
		if o == option {
			return true
		}
	}
	return false
}

// mountOf returns the mount that path is on: the last one mounted on the
// longest beginning of it.
func mountOf(mounts []mount, path string) *mount {
	var best *mount
	for i := range mounts {
		m := &mounts[i]
		under := m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")
		if under && (best == nil || len(m.point) >= len(best.point)) {
			best = m
		}
	}
	return best
}

func cgroupVersion(mounts []mount) *int64 {
	var version *int64
	for _, m := range mounts {
		switch m.fstype {
		case "cgroup":
			return new(int64(1))
		case "cgroup2":
			version = new(int64(2))
		}
	}
	return version
}

// filesystems reads one line of `stat -f` per path that has a role, in the
// order of the roles, and keeps one for each device.
func (r *reading) filesystems() {
	s := &r.obs.Snapshot
	s.Filesystems = []sandboxer.Filesystem{}
	disk := []string{"disk_root_avail_gb", "disk_root_avail_bytes", "disk_root_avail_ratio"}
	sec, ok := r.section("fs", disk...)
	if !ok {
		return
	}
	if sec.code == exitTimeout || sec.code == exitTerminated { // busybox says it was terminated
		r.why.add(timedOut, disk...)
		r.warn("a file system does not answer: none could be read in full")
	}
	lines := map[string][]string{}
	for line := range strings.Lines(string(sec.body)) {
		if words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 9); len(words) == 9 {
			lines[words[8]] = words[:8]
		}
	}
	byDevice := map[string]int{}
	for _, role := range r.self.roles {
		words, ok := lines[role.path]
		if !ok {
			continue
		}
		fs := r.filesystem(role.path, words)
		key := fs.Path
		if fs.DeviceID != nil {
			key = *fs.DeviceID
		}
		if i, seen := byDevice[key]; seen {
			s.Filesystems[i].Roles = append(s.Filesystems[i].Roles, role.name)
			continue
		}
		fs.Roles = []string{role.name}
		byDevice[key] = len(s.Filesystems)
		s.Filesystems = append(s.Filesystems, fs)
	}
	for _, fs := range s.Filesystems {
		if fs.Roles[0] == "root" && fs.AvailBytes != nil {
			s.DiskRootAvailBytes, s.DiskRootAvailRatio = fs.AvailBytes, fs.AvailRatio
			s.DiskRootAvailGB = new(math.Round(float64(*fs.AvailBytes)/1e6) / 1e3)
		}
	}
	for i, fs := range s.Filesystems {
		at := "filesystems[" + strconv.Itoa(i) + "]"
		if fs.InodesTotal == nil {
			r.why.add(unsupported, at+".inodes_total", at+".inodes_free", at+".inodes_free_ratio")
		}
	}
}

// filesystem reads `stat -f -c '%t %s %S %b %f %a %c %d'`: type, block sizes
// (the second is the one blocks are counted in), blocks, free, available, then
// inodes and free inodes. Where there is no fixed number of inodes it is 0.
func (r *reading) filesystem(path string, words []string) sandboxer.Filesystem {
	var n [8]*int64
	for i := 1; i < len(n); i++ {
		n[i] = parseInt(words[i])
	}
	block := n[2]
	if block == nil || *block <= 0 {
		block = n[1]
	}
	bytes := func(blocks *int64) *int64 {
		if blocks == nil || block == nil || *block <= 0 || *blocks < 0 || *blocks > maxCount / *block {
			return nil
		}
		return new(*blocks * *block)
	}
	fs := sandboxer.Filesystem{
		Path:       strings.TrimSuffix(path, "/"),
		TotalBytes: bytes(n[3]), FreeBytes: bytes(n[4]), AvailBytes: bytes(n[5]),
	}
	if fs.Path == "" {
		fs.Path = "/"
	}
	if fs.TotalBytes != nil && *fs.TotalBytes == 0 {
		fs.TotalBytes, fs.FreeBytes, fs.AvailBytes = nil, nil, nil // a pseudo file system
	}
	fs.AvailRatio = ratio(fs.AvailBytes, fs.TotalBytes)
	if n[6] != nil && *n[6] > 0 {
		fs.InodesTotal, fs.InodesFree = n[6], n[7]
		fs.InodesFreeRatio = ratio(fs.InodesFree, fs.InodesTotal)
	}
	if f, ok := r.facts[path]; ok {
		fs.DeviceID = new(deviceID(f.dev))
	}
	if m := r.mountFor(fs); m != nil {
		fs.FSType = &m.fstype
		fs.ReadOnly = new(m.has("ro"))
	}
	return fs
}

// mountFor prefers the mount over the path: a path may have a link in it.
func (r *reading) mountFor(fs sandboxer.Filesystem) *mount {
	at := mountOf(r.mounts, fs.Path)
	if fs.DeviceID == nil || at != nil && at.device == *fs.DeviceID {
		return at
	}
	for i := range r.mounts {
		if r.mounts[i].device == *fs.DeviceID {
			return &r.mounts[i]
		}
	}
	return at
}

// deviceID writes st_dev as mountinfo does, major:minor.
func deviceID(dev int64) string {
	d := uint64(dev)
	major := (d>>8)&0xfff | (d>>32)&^0xfff
	minor := d&0xff | (d>>12)&^0xff
	return strconv.FormatUint(major, 10) + ":" + strconv.FormatUint(minor&0xffffffff, 10)
}

// dockerRoot corrects the role that the script gave to docker's usual
// directory, if this docker keeps its data elsewhere.
func (r *reading) dockerRoot(docker sandboxer.EngineInfo) {
	if docker.RootDir == nil || *docker.RootDir == "/var/lib/docker" {
		return
	}
	s := &r.obs.Snapshot
	m := mountOf(r.mounts, *docker.RootDir)
	found := false
	kept := s.Filesystems[:0]
	for _, fs := range s.Filesystems {
		fs.Roles = remove(fs.Roles, "docker_root")
		if m != nil && fs.DeviceID != nil && *fs.DeviceID == m.device {
			fs.Roles = append(fs.Roles, "docker_root")
			found = true
		}
		if len(fs.Roles) > 0 {
			kept = append(kept, fs)
		}
	}
	s.Filesystems = kept
	if !found {
		r.warn("docker keeps its data in " + *docker.RootDir + ", whose file system was not looked at")
	}
}

func remove(list []string, s string) []string {
	kept := []string{}
	for _, have := range list {
		if have != s {
			kept = append(kept, have)
		}
	}
	return kept
}

// rootNoexec reports whether the file system of the root, or of the nearest
// directory above it that exists, runs no programs.
func (r *reading) rootNoexec() *bool {
	m := mountOf(r.mounts, r.self.root)
	if m == nil {
		return nil
	}
	return new(m.has("noexec"))
}
