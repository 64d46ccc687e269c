package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// identity says which machine and which boot this is.
func (r *reading) identity() {
	id := &r.obs.Snapshot.Identity
	id.Hostname = r.line("/proc/sys/kernel/hostname")
	id.BootID = r.line("/proc/sys/kernel/random/boot_id")
	id.KernelRelease = r.line("/proc/sys/kernel/osrelease")
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if raw := r.line(path); raw != nil && id.MachineID == nil && len(*raw) == 32 {
			id.MachineID = new(hashMachineID(*raw))
		}
	}
	r.osRelease(id)
	machine := r.line("/proc/sys/kernel/arch")
	if s, ok := r.sections["arch"]; machine == nil && ok && s.whole {
		machine = new(strings.TrimSpace(string(s.body)))
	}
	if machine != nil && *machine != "" {
		id.Arch = new(goArch(*machine))
	}
	id.CgroupVersion = cgroupVersion(r.mounts)
	id.Virtualization = r.virtualization()
	if r.self.exists != nil {
		id.RebootRequired = new(r.self.exists["/run/reboot-required"])
	} else {
		r.why.add(truncated, "identity.reboot_required")
	}
	if s, ok := r.section("user", "identity.user"); ok && s.code == 0 {
		r.uid, id.User = parseID(string(s.body))
	}
	id.UID = effectiveUID(r.files["/proc/self/status"])
	if up := r.line("/proc/uptime"); up != nil {
		first, _, _ := strings.Cut(*up, " ")
		id.UptimeSeconds = parseFloat(first)
	}
}

// parseID reads what id(1) prints:
//
//	uid=1000(ann) gid=1000(ann) groups=1000(ann),27(sudo),998(docker)
func parseID(text string) (uid *int64, name *string) {
	text, found := strings.CutPrefix(text, "uid=")
	if !found {
		return nil, nil
	}
	number, _, _ := strings.Cut(text, " ")
	number, rest, named := strings.Cut(number, "(")
	if named {
		name = nonEmpty(strings.TrimSuffix(rest, ")"))
	}
	return parseInt(number), name
}

// effectiveUID reads a line of /proc/self/status: the real, effective, saved
// and file system uids.
//
//	Uid:	0	0	0	0
func effectiveUID(status string) *int64 {
	for line := range strings.Lines(status) {
		if words := strings.Fields(line); len(words) == 5 && words[0] == "Uid:" {
			return parseInt(words[2])
		}
	}
	return nil
}

// osRelease reads os-release(5): shell assignments, some quoted.
//
//	PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
//	ID=debian
func (r *reading) osRelease(id *sandboxer.Identity) {
	text, ok := r.files["/etc/os-release"]
	if !ok {
		text = r.files["/usr/lib/os-release"]
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		value = strings.NewReplacer(`\"`, `"`, `\$`, `$`, `\\`, `\`, "\\`", "`").Replace(value)
		switch key {
		case "ID":
			id.OSID = &value
		case "VERSION_ID":
			id.OSVersionID = &value
		case "PRETTY_NAME":
			id.OSPrettyName = &value
		}
	}
}

// goArch translates the machine of uname(2) into Go's word for it.
func goArch(machine string) string {
	switch {
	case machine == "x86_64":
		return "amd64"
	case machine == "aarch64":
		return "arm64"
	case strings.HasPrefix(machine, "arm"):
		return "arm"
	case len(machine) == 4 && machine[0] == 'i' && strings.HasSuffix(machine, "86"):
		return "386"
	case machine == "loongarch64":
		return "loong64"
	}
	return machine // riscv64, ppc64le, s390x, ...
}

func (r *reading) virtualization() *string {
	switch {
	case r.line("/run/systemd/container") != nil:
		return r.line("/run/systemd/container")
	case r.self.exists["/.dockerenv"]:
		return new("docker")
	case r.self.exists["/run/.containerenv"]:
		return new("podman")
	case slices.ContainsFunc(r.mounts, func(m mount) bool { return m.fstype == "fuse.lxcfs" }):
		return new("lxcfs")
	}
	var words []string
	for _, path := range []string{"/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name"} {
		if s := r.line(path); s != nil {
			words = append(words, *s)
		}
	}
	if len(words) == 0 {
		return nil
	}
	return new(strings.Join(words, " "))
}

// hashMachineID hides the machine's id, which machine-id(5) calls
// confidential, and keeps what it is for.
func hashMachineID(id string) string {
	sum := sha256.Sum256([]byte("sandboxer" + id))
	return hex.EncodeToString(sum[:16])
}
