package probe_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
)

// identity asks the system's own calls where there are some.
func (m machineOracle) identity(r reading, mounts []*procfs.MountInfo) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return err
	}
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return err
	}
	release := ""
	for _, c := range uts.Release {
		if c == 0 {
			break
		}
		release += string(rune(c))
	}
	r["identity.hostname"], r["identity.user"], r["identity.uid"] = name, me.Username, float64(os.Geteuid())
	r["identity.boot_id"], r["identity.kernel_release"], r["identity.arch"] = strings.TrimSpace(string(bootID)), release, runtime.GOARCH
	r["identity.machine_id"] = nil
	for _, path := range []string{"/var/lib/dbus/machine-id", "/etc/machine-id"} {
		if id, err := os.ReadFile(path); err == nil && len(id) >= 32 {
			sum := sha256.Sum256(append([]byte("sandboxer"), id[:32]...))
			r["identity.machine_id"] = hex.EncodeToString(sum[:16])
		}
	}
	r["identity.reboot_required"] = exists("/run/reboot-required")
	r["identity.cgroup_version"] = nil
	for _, at := range mounts {
		if at.FSType == "cgroup" {
			r["identity.cgroup_version"] = 1.0
		} else if at.FSType == "cgroup2" && r["identity.cgroup_version"] == nil {
			r["identity.cgroup_version"] = 2.0
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// system has a shell read os-release(5), which is written for one.
func (m machineOracle) system(r reading) error {
	out, err := exec.Command("sh", "-c", `if [ -e /etc/os-release ]; then . /etc/os-release; else . /usr/lib/os-release; fi
printf '%s\n' "${ID-null}" "${VERSION_ID-null}" "${PRETTY_NAME-null}"`).Output()
	words := strings.Split(string(out), "\n")
	if err != nil || len(words) != 4 {
		return fmt.Errorf("os-release: %q: %w", out, err)
	}
	for i, name := range []string{"os_id", "os_version_id", "os_pretty_name"} {
		r["identity."+name] = words[i]
		if words[i] == "null" {
			r["identity."+name] = nil
		}
	}
	return nil
}

// firmware says what this machine runs in.
func (m machineOracle) firmware(r reading, mounts []*procfs.MountInfo) error {
	const name = "identity.virtualization"
	if manager, err := os.ReadFile("/run/systemd/container"); err == nil {
		r[name] = strings.TrimSpace(string(manager))
		return nil
	}
	r[name] = nil
	switch {
	case exists("/.dockerenv"):
		r[name] = "docker"
	case exists("/run/.containerenv"):
		r[name] = "podman"
	case slices.ContainsFunc(mounts, func(at *procfs.MountInfo) bool { return at.FSType == "fuse.lxcfs" }):
		r[name] = "lxcfs"
	}
	dmi, err := m.sys.DMIClass()
	if errors.Is(err, fs.ErrNotExist) || r[name] != nil {
		return nil
	}
	if err != nil {
		return err
	}
	var words []string
	for _, word := range []*string{dmi.SystemVendor, dmi.ProductName} {
		if word != nil && *word != "" {
			words = append(words, *word)
		}
	}
	if len(words) > 0 {
		r[name] = strings.Join(words, " ")
	}
	return nil
}
