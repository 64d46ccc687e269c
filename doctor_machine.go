package sandboxer

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// machine looks at what engines have no part in.
func (d *doctor) machine() {
	d.clock()
	d.sessions()
	d.processes()
	d.reboot()
	d.room()
}

func (d *doctor) tools() {
	for _, t := range []struct {
		name, pkg string
		trouble   Verdict
		without   string
	}{
		{"flock", "util-linux", Fail, "nothing can be created or destroyed safely"},
		{"tar", "tar", Fail, "nothing can be uploaded"},
		{"gzip", "gzip", Fail, "nothing can be uploaded"},
		{"timeout", "coreutils", Warn, "podman, and docker's client, are not asked"},
		{"setsid", "util-linux", Warn, "plain processes cannot be run"},
	} {
		check := "tool." + t.name
		there, known := d.obs.Facts.Tools[t.name]
		if t.name == "setsid" && d.chosen == EngineProcess {
			t.trouble = Fail
		}
		switch {
		case there:
			d.add(check, Pass, "", "%s is in PATH", t.name)
		case known:
			d.add(check, t.trouble, d.install(t.pkg), "%s is not in PATH: %s", t.name, t.without)
		default:
			d.add(check, Unknown, "", "nobody looked for %s", t.name)
		}
	}
}

func (d *doctor) clock() {
	const check = "clock.offset"
	offset := d.obs.Snapshot.ClockOffsetMS
	if offset == nil {
		d.add(check, Unknown, "", "the host's clock could not be read")
		return
	}
	off := time.Duration(*offset) * time.Millisecond
	if off.Abs() > MaxClockOffset {
		d.add(check, Warn, "sudo timedatectl set-ntp true", "the host's clock is off by %s: ages on it prove nothing", off.Round(time.Second))
		return
	}
	d.add(check, Pass, "", "the host's clock is off by %s from the controller's", off)
	if d.isFalse(d.obs.Facts.ClockSynchronized) {
		d.add("clock.synchronized", Warn, "timedatectl timesync-status; sudo timedatectl set-ntp true", "nothing has set the host's clock since it booted: it will drift")
	}
}

// needSessions is how many commands run on one connection at a time.
const needSessions = 4

// sessions: only sshd itself can say what holds for this user.
func (d *doctor) sessions() {
	const check = "ssh.max_sessions"
	switch most := d.obs.Facts.MaxSessions; {
	case most == nil:
		d.add(check, Unknown, "sudo sshd -T | grep -i maxsessions   # at least 4", "sshd's configuration cannot be read: nobody can tell how many sessions a connection may have")
	case *most < needSessions:
		d.add(check, Warn, "echo 'MaxSessions 10' | sudo tee /etc/ssh/sshd_config.d/00-sandboxer.conf; sudo systemctl reload ssh",
			"sshd allows %d sessions in one connection: commands wait for each other", *most)
	default:
		d.add(check, Pass, "", "sshd allows %d sessions in one connection", *most)
	}
}

// fewProcesses is less than builds and a few containers take.
const fewProcesses = 512

func (d *doctor) processes() {
	const check = "limit.processes"
	switch most := d.obs.Facts.MaxProcesses; {
	case most == nil:
		return
	case *most < fewProcesses:
		d.add(check, Warn, fmt.Sprintf("echo '%s - nproc 4096' | sudo tee /etc/security/limits.d/sandboxer.conf", d.user()),
			"%s may have only %d processes", d.user(), *most)
	default:
		d.add(check, Pass, "", "%s may have %d processes", d.user(), *most)
	}
}

func (d *doctor) reboot() {
	if required := d.obs.Snapshot.Identity.RebootRequired; required != nil && *required {
		d.add("host.reboot", Warn, "sudo reboot", "the host waits for a reboot, and with it a newer kernel: an engine may lack its modules")
	}
}

// room passes on what Admit says of disk, inodes and memory.
func (d *doctor) room() {
	a := Admit(d.obs.Snapshot)
	if len(a.Reasons) == 0 && a.Verdict == AdmitOK {
		d.add("admission", Pass, "", "the host has room for another sandbox")
	}
	for _, r := range a.Reasons {
		if strings.HasPrefix(r.Code, "engine_") {
			continue // looked at before
		}
		v := map[AdmissionVerdict]Verdict{AdmitOK: Pass, AdmitWarn: Warn, AdmitRefuse: Fail}[r.Severity]
		d.add("admission."+r.Code, cmp.Or(v, Unknown), roomMends[r.Code], "%s", r.Message)
	}
}

// roomMends show what takes the room: only a person can say what may go.
var roomMends = map[string]string{
	"disk_full":       "sandboxer inspect stale; sudo du -xhd2 / | sort -h | tail",
	"disk_low":        "sandboxer inspect stale; sudo du -xhd2 / | sort -h | tail",
	"inodes_full":     "sandboxer inspect stale; sudo du -x --inodes -d2 / | sort -n | tail",
	"memory_full":     "ps aux --sort=-rss | head",
	"memory_low":      "ps aux --sort=-rss | head",
	"memory_pressure": "ps aux --sort=-rss | head",
	"pids":            "ps -eo user= | sort | uniq -c | sort -n | tail",
	"conntrack":       "sudo sysctl -w net.netfilter.nf_conntrack_max=262144",
	"read_only":       "sudo dmesg | grep -i -e error -e remount | tail",
}

// sources: what cannot be listed can be neither found nor destroyed. Engines
// were looked at before.
func (d *doctor) sources() {
	for _, s := range d.obs.Inventory.Sources {
		if s.Complete() || d.obs.Snapshot.Engine(Engine(s.Name)) != nil {
			continue
		}
		detail := ""
		if s.Detail != nil {
			detail = ": " + *s.Detail
		}
		d.add("source."+s.Name, Fail, "", "%s could not be read in full: %s%s", s.Name, s.Status, detail)
	}
}
