package probe_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/procfs"
)

// engineRoots are the directories in which engines that answer keep things.
type engineRoots struct{ docker, podman string }

// A disk is one file system, by the first path that has a role.
type disk struct {
	path, device string
	roles        []string
}

// disksOf finds out which of the paths that have a role are on one device.
func disksOf(t *testing.T, root string, engines engineRoots) []disk {
	t.Helper()
	const usual = "/var/lib/docker"
	docker := engines.docker
	if docker == "" {
		docker = usual
	}
	var disks []disk
	add := func(role, path string, alone bool) {
		t.Helper()
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || path == "" {
			return
		}
		must(t, err)
		dev := st.Sys().(*syscall.Stat_t).Dev
		device := fmt.Sprintf("%d:%d", dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&0xffffff00)
		i := slices.IndexFunc(disks, func(d disk) bool { return d.device == device })
		switch {
		case i >= 0:
			disks[i].roles = append(disks[i].roles, role)
		case alone:
			disks = append(disks, disk{path: path, device: device, roles: []string{role}})
		}
	}
	add("root", "/", true)
	add("sandbox_root", root, true)
	add("tmp", "/tmp", true)
	if docker == usual {
		add("docker_root", usual, true)
	}
	add("containerd_root", "/var/lib/containerd", true)
	add("podman_root", engines.podman, true)
	if docker != usual {
		add("docker_root", docker, false) // where nobody else is, nobody looked
	}
	return disks
}

// fstype is what the mounts of the device are or, of devices that mounts have
// others for, the one that the path is under.
func (d disk) fstype(mounts []*procfs.MountInfo) any {
	var longest *procfs.MountInfo
	for _, m := range mounts {
		if m.MajorMinorVer == d.device {
			return m.FSType
		}
		if strings.HasPrefix(d.path+"/", strings.TrimSuffix(m.MountPoint, "/")+"/") &&
			(longest == nil || len(m.MountPoint) >= len(longest.MountPoint)) {
			longest = m
		}
	}
	if longest == nil {
		return nil
	}
	return longest.FSType
}

// space asks statfs(2) of each.
func (m machineOracle) space(r reading) error {
	share := func(part, whole uint64) any {
		if whole == 0 {
			return nil
		}
		return math.Round(float64(part)/float64(whole)*1e6) / 1e6
	}
	for i, d := range m.disks {
		var st syscall.Statfs_t
		if err := syscall.Statfs(d.path, &st); err != nil {
			return err
		}
		of := func(blocks uint64) any {
			if st.Blocks == 0 {
				return nil
			}
			return float64(blocks) * float64(st.Frsize)
		}
		at := fmt.Sprintf("filesystems[%d].", i)
		r[at+"total_bytes"], r[at+"free_bytes"], r[at+"avail_bytes"] = of(st.Blocks), of(st.Bfree), of(st.Bavail)
		r[at+"avail_ratio"], r[at+"read_only"] = share(st.Bavail, st.Blocks), st.Flags&syscall.MS_RDONLY != 0
		r[at+"inodes_total"], r[at+"inodes_free"], r[at+"inodes_free_ratio"] = nil, nil, share(st.Ffree, st.Files)
		if st.Files > 0 {
			r[at+"inodes_total"], r[at+"inodes_free"] = float64(st.Files), float64(st.Ffree)
		}
		if i == 0 && st.Blocks > 0 {
			r["disk_root_avail_bytes"], r["disk_root_avail_ratio"] = of(st.Bavail), share(st.Bavail, st.Blocks)
			r["disk_root_avail_gb"] = math.Round(float64(st.Bavail)*float64(st.Frsize)/1e6) / 1e3
		}
	}
	return nil
}
