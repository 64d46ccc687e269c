package sandboxer

import (
	"fmt"
	"slices"
	"strings"
)

// rootless looks at what an ordinary user's podman needs of the host.
func (d *doctor) rootless() {
	e := d.obs.Snapshot.Engine(EnginePodman)
	served := slices.ContainsFunc(d.provisioners, func(p Provisioner) bool { return p.Engine() == EnginePodman })
	if e == nil || e.Status == EngineAbsent || !served || e.Rootless == nil || !*e.Rootless {
		return
	}
	trouble := Fail
	if d.chosen != "" && d.chosen != EnginePodman {
		trouble = Warn
	}
	d.linger(trouble)
	d.ranges(trouble)
	d.namespaces(trouble)
	d.cgroups()
}

// linger: systemd ends what a user runs when the last session is over, and
// takes the directory of podman's sockets and locks with it.
func (d *doctor) linger(trouble Verdict) {
	f := d.obs.Facts
	switch {
	case d.isFalse(f.Linger):
		d.add("rootless.linger", trouble, "sudo loginctl enable-linger "+d.user(),
			"containers of %s end when the last session does", d.user())
	case f.Linger != nil:
		d.add("rootless.linger", Pass, "", "what %s runs outlives the last session", d.user())
	}
	switch {
	case f.RuntimeDir == nil:
		d.add("rootless.runtime_dir", Unknown, "", "nobody can tell whether %s has a runtime directory", d.user())
	case !*f.RuntimeDir:
		d.add("rootless.runtime_dir", trouble, d.mendRuntimeDir(), "XDG_RUNTIME_DIR is not set, and /run/user has no directory of %s", d.user())
	default:
		d.add("rootless.runtime_dir", Pass, "", "%s has a runtime directory", d.user())
	}
}

func (d *doctor) mendRuntimeDir() string {
	if d.obs.Facts.Systemd {
		return "sudo loginctl enable-linger " + d.user()
	}
	uid := "$(id -u)"
	if id := d.obs.Snapshot.Identity.UID; id != nil {
		uid = fmt.Sprint(*id)
	}
	return fmt.Sprintf("sudo install -d -m 700 -o %s /run/user/%s   # at each boot", d.user(), uid)
}

// ranges: without a range of ids, and the two programs that hand it out, all in
// a container is of one user, and most images cannot be unpacked.
func (d *doctor) ranges(trouble Verdict) {
	switch ids := d.obs.Facts.SubIDs; {
	case ids == nil:
		d.add("rootless.subids", Unknown, "grep "+d.user()+" /etc/subuid /etc/subgid", "nobody can tell whether %s has ranges of ids", d.user())
	case !*ids:
		d.add("rootless.subids", trouble, fmt.Sprintf("sudo usermod --add-subuids %[1]d-%[2]d --add-subgids %[1]d-%[2]d %[3]s; podman system migrate",
			d.obs.Facts.NextSubID, d.obs.Facts.NextSubID+65535, d.user()),
			"%s has no range in /etc/subuid and /etc/subgid", d.user())
	default:
		d.add("rootless.subids", Pass, "", "%s has ranges of ids for containers", d.user())
	}
	for _, tool := range []string{"newuidmap", "newgidmap"} {
		if there, known := d.obs.Facts.Tools[tool]; known && !there {
			pkg := "uidmap"
			if strings.Contains(d.install(pkg), "dnf") {
				pkg = "shadow-utils"
			}
			d.add("rootless.newuidmap", trouble, d.install(pkg), "%s is not in PATH: a container cannot have users", tool)
			return
		}
	}
}

func (d *doctor) namespaces(trouble Verdict) {
	const check = "rootless.namespaces"
	switch allowed := d.obs.Facts.UserNS; {
	case allowed == nil:
		d.add(check, Unknown, "try: unshare --user true", "nobody can tell whether the kernel lets ordinary users make user namespaces")
	case !*allowed:
		d.add(check, trouble, "sudo sysctl -w user.max_user_namespaces=28633 kernel.unprivileged_userns_clone=1",
			"the kernel lets no ordinary user make a user namespace")
	default:
		d.add(check, Pass, "", "ordinary users may make user namespaces")
	}
}

// cgroups: what a user's engine may limit.
func (d *doctor) cgroups() {
	const check = "rootless.limits"
	version := d.obs.Snapshot.Identity.CgroupVersion
	switch {
	case version == nil:
		d.add(check, Unknown, "", "nobody can tell which version of cgroups the host has")
		return
	case *version == 1:
		d.add(check, Warn, "boot the host with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
			"cgroups are of version 1: limits of memory and processes have no effect in an ordinary user's containers")
		return
	case !d.obs.Facts.Systemd:
		return
	}
	var lacking []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(d.obs.Facts.RootlessControllers, c) {
			lacking = append(lacking, c)
		}
	}
	switch {
	case d.obs.Facts.RootlessControllers == nil:
		d.add(check, Unknown, "cat /sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service/cgroup.controllers",
			"no manager of %s runs now: nobody can tell what its containers can be limited in", d.user())
	case len(lacking) > 0:
		d.add(check, Warn, `sudo mkdir -p /etc/systemd/system/user@.service.d; printf '[Service]\nDelegate=cpu cpuset io memory pids\n' | `+
			"sudo tee /etc/systemd/system/user@.service.d/delegate.conf; sudo systemctl daemon-reload   # then log in again",
			"%s cannot be limited in an ordinary user's containers", strings.Join(lacking, ", "))
	default:
		d.add(check, Pass, "", "containers of %s can be limited", d.user())
	}
}
