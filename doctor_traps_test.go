package sandboxer

import (
	"slices"
	"strings"
	"testing"
)

// rootlessHost is one on which an ordinary user's podman has all it needs.
func rootlessHost() Observation {
	obs := healthy()
	*obs.Snapshot.Engine(EngineDocker) = EngineInfo{Name: EngineDocker, Status: EngineAbsent}
	*obs.Snapshot.Engine(EnginePodman) = EngineInfo{
		Name: EnginePodman, Status: EngineOK, Version: new("4.3.1"), Rootless: new(true), ComposeTools: []string{"podman-compose"},
	}
	id := &obs.Snapshot.Identity
	id.User, id.UID, id.OSID, id.CgroupVersion = new("ann"), new(int64(1000)), new("debian"), new(int64(2))
	f := &obs.Facts
	f.Tools["newuidmap"], f.Tools["newgidmap"] = true, true
	f.Systemd, f.Linger, f.RuntimeDir, f.SubIDs, f.UserNS = true, new(true), new(true), new(true), new(true)
	f.NextSubID, f.RootlessControllers = 165536, []string{"cpu", "memory", "pids"}
	return obs
}

type trap struct {
	name    string
	change  func(*Observation)
	check   string
	verdict Verdict
	mend    string // part of it
}

var podmanOrProcess = []Provisioner{idle{EngineDocker}, idle{EnginePodman}, idle{EngineProcess}}

func checkTraps(t *testing.T, host func() Observation, traps []trap) {
	t.Helper()
	for _, tt := range traps {
		t.Run(tt.name, func(t *testing.T) {
			obs := host()
			tt.change(&obs)
			findings := Doctor(obs, podmanOrProcess)
			i := slices.IndexFunc(findings, func(f Finding) bool { return f.Check == tt.check })
			if i < 0 {
				t.Fatalf("got no finding %q, want one; all: %+v", tt.check, findings)
			}
			got, mend := findings[i], deref(findings[i].Mend)
			if got.Verdict != tt.verdict || !strings.Contains(mend, tt.mend) || (tt.mend == "") != (mend == "") {
				t.Errorf("%s: got %s %q mend %q, want %s, mend with %q", tt.check, got.Verdict, got.Message, mend, tt.verdict, tt.mend)
			}
		})
	}
}

func TestDoctorRootless(t *testing.T) {
	podman := func(o *Observation) *EngineInfo { return o.Snapshot.Engine(EnginePodman) }
	bare := func(o *Observation) { o.Facts.Systemd, o.Facts.Linger = false, nil }
	checkTraps(t, rootlessHost, []trap{
		{"all there", func(*Observation) {}, "engine.podman", Pass, ""},
		{"linger", func(*Observation) {}, "rootless.linger", Pass, ""},
		{"limits", func(*Observation) {}, "rootless.limits", Pass, ""},
		{"no linger", func(o *Observation) { o.Facts.Linger = new(false) }, "rootless.linger", Fail, "sudo loginctl enable-linger ann"},
		{"no runtime directory", func(o *Observation) { o.Facts.RuntimeDir = new(false) }, "rootless.runtime_dir", Fail, "enable-linger ann"},
		{"no runtime directory, no systemd", func(o *Observation) { bare(o); o.Facts.RuntimeDir = new(false) },
			"rootless.runtime_dir", Fail, "sudo install -d -m 700 -o ann /run/user/1000"},
		{"runtime directory unread", func(o *Observation) { o.Facts.RuntimeDir = nil }, "rootless.runtime_dir", Unknown, ""},
		{"podman not asked for want of it", func(o *Observation) {
			o.Facts.RuntimeDir, podman(o).Status, podman(o).Detail = new(false), EngineDown, new("not asked")
		}, "engine", Fail, "enable-linger ann"},
		{"no ranges", func(o *Observation) { o.Facts.SubIDs = new(false) }, "rootless.subids", Fail,
			"sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ann; podman system migrate"},
		{"ranges unread", func(o *Observation) { o.Facts.SubIDs = nil }, "rootless.subids", Unknown, "grep ann /etc/subuid"},
		{"no newuidmap", func(o *Observation) { o.Facts.Tools["newuidmap"] = false }, "rootless.newuidmap", Fail, "sudo apt-get install uidmap"},
		{"no newgidmap on fedora", func(o *Observation) {
			o.Facts.Tools["newgidmap"], o.Snapshot.Identity.OSID = false, new("fedora")
		}, "rootless.newuidmap", Fail, "sudo dnf install shadow-utils"},
		{"no user namespaces", func(o *Observation) { o.Facts.UserNS = new(false) }, "rootless.namespaces", Fail, "sysctl -w user.max_user_namespaces"},
		{"user namespaces unread", func(o *Observation) { o.Facts.UserNS = nil }, "rootless.namespaces", Unknown, "unshare --user"},
		{"cgroups v1", func(o *Observation) { o.Snapshot.Identity.CgroupVersion = new(int64(1)) }, "rootless.limits", Warn, "unified_cgroup_hierarchy=1"},
		{"cgroups unread", func(o *Observation) { o.Snapshot.Identity.CgroupVersion = nil }, "rootless.limits", Unknown, ""},
		{"not delegated", func(o *Observation) { o.Facts.RootlessControllers = []string{"memory", "pids"} }, "rootless.limits", Warn, "Delegate=cpu cpuset io memory pids"},
		{"no manager runs", func(o *Observation) { o.Facts.RootlessControllers = nil }, "rootless.limits", Unknown, "cgroup.controllers"},
		{"broken storage", func(o *Observation) {
			podman(o).Status, podman(o).Detail = EngineDown, new("database graph driver mismatch")
		},
			"engine.podman", Fail, "podman info"},
		{"hangs", func(o *Observation) { podman(o).Status = EngineUnresponsive }, "engine.podman", Fail, "ps -fu ann"},
		{"docker takes its place", func(o *Observation) {
			docker := o.Snapshot.Engine(EngineDocker)
			docker.Status, docker.ComposeTools, o.Facts.Linger = EngineOK, []string{"docker compose"}, new(false)
		}, "rootless.linger", Warn, "enable-linger"},
	})
}

func TestDoctorTraps(t *testing.T) {
	docker := func(o *Observation) *EngineInfo { return o.Snapshot.Engine(EngineDocker) }
	says := func(status EngineState, detail string) func(*Observation) {
		return func(o *Observation) {
			docker(o).Status, docker(o).Detail, o.Snapshot.Identity.User = status, &detail, new("ann")
		}
	}
	const sudoers = `ann ALL=(root) NOPASSWD: $(command -v docker)" | sudo tee -a /etc/sudoers.d/sandboxer`
	checkTraps(t, healthy, []trap{
		{"sudo wants a password", says(EngineForbidden, "sudo: a password is required"), "engine.docker", Fail, sudoers},
		{"sudo does not know the user", says(EngineForbidden, "ann is not in the sudoers file."), "engine.docker", Fail, sudoers},
		{"sudo forbids docker", says(EngineForbidden, "Sorry, user ann is not allowed to execute '/usr/bin/docker version' as root on box."), "engine", Fail, sudoers},
		{"no sudo", says(EngineForbidden, "the host has no sudo"), "engine.docker", Fail, "leave sudo out"},
		{"podman-docker", says(EngineAbsent, "its socket is podman's"), "engine.docker", Skip, ""},
		{"elsewhere", func(o *Observation) { o.Facts.DockerHost = "tcp://192.0.2.1:2375" }, "engine.docker.remote", Fail, "unset DOCKER_HOST"},
		{"elsewhere and down", func(o *Observation) { docker(o).Status, o.Facts.DockerHost = EngineDown, "context:prod" }, "engine.docker", Fail, "docker context use default"},
		{"here", func(*Observation) {}, "engine.docker.remote", Pass, ""},
		{"no addresses", func(o *Observation) { o.Facts.AddressPoolsFree = new(int64(0)) }, "engine.docker.address_pools", Fail, "docker network prune"},
		{"few addresses", func(o *Observation) { o.Facts.AddressPoolsFree = new(int64(4)) }, "engine.docker.address_pools", Warn, "docker network prune"},
		{"addresses", func(o *Observation) { o.Facts.AddressPoolsFree = new(int64(5)) }, "engine.docker.address_pools", Pass, ""},
		{"addresses unread", func(*Observation) {}, "engine.docker.address_pools", Unknown, "docker network ls"},
		{"SELinux", func(o *Observation) { o.Facts.SELinuxEnforcing = new(true) }, "engine.docker.selinux", Warn, ":Z"},
		{"two engines", func(o *Observation) { o.Snapshot.Engine(EnginePodman).Status = EngineUnused }, "engine", Pass, ""},
		{"files age", func(o *Observation) { o.Facts.RootAge = new("10d") }, "root.aged", Warn, "echo 'x /tmp/sandboxer' | sudo tee /etc/tmpfiles.d/sandboxer.conf"},
		{"files do not age", func(o *Observation) { o.Facts.RootAge = new("") }, "root.aged", Pass, ""},
		{"nobody knows of ages", func(*Observation) {}, "root.aged", Unknown, ""},
		{"no timeout", func(o *Observation) { o.Facts.Tools["timeout"] = false }, "tool.timeout", Warn, "coreutils"},
		{"no setsid", func(o *Observation) { o.Facts.Tools["setsid"] = false }, "tool.setsid", Warn, "util-linux"},
		{"no setsid for processes", func(o *Observation) {
			docker(o).Status, o.Facts.Tools["setsid"] = EngineAbsent, false
		}, "tool.setsid", Fail, "util-linux"},
		{"clock not set", func(o *Observation) { o.Facts.ClockSynchronized = new(false) }, "clock.synchronized", Warn, "timedatectl set-ntp true"},
		{"one session", func(o *Observation) { o.Facts.MaxSessions = new(int64(1)) }, "ssh.max_sessions", Warn, "MaxSessions 10"},
		{"sessions", func(o *Observation) { o.Facts.MaxSessions = new(int64(10)) }, "ssh.max_sessions", Pass, ""},
		{"sessions unread", func(*Observation) {}, "ssh.max_sessions", Unknown, "sshd -T"},
		{"few processes", func(o *Observation) { o.Facts.MaxProcesses = new(int64(100)) }, "limit.processes", Warn, "nproc"},
		{"processes", func(o *Observation) { o.Facts.MaxProcesses = new(int64(4096)) }, "limit.processes", Pass, ""},
		{"reboot", func(o *Observation) { o.Snapshot.Identity.RebootRequired = new(true) }, "host.reboot", Warn, "sudo reboot"},
		{"no inodes", func(o *Observation) {
			o.Snapshot.Filesystems = []Filesystem{{Roles: []string{"sandbox_root"}, Path: "/tmp", AvailBytes: new(int64(1 << 40)), TotalBytes: new(int64(1 << 41)),
				AvailRatio: new(0.5), InodesTotal: new(int64(1000)), InodesFreeRatio: new(0.001)}}
		}, "admission.inodes_full", Fail, "--inodes"},
	})
}
