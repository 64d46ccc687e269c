package sandboxer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Doctor says what on the observed host would stop a create by one of the
// provisioners, or a destroy, and what mends it: one Finding for each thing
// looked at, the sound ones too. It is pure. The verdict fail means that an
// operation would be stopped, warn that it would go on without something,
// unknown that nobody can tell.
func Doctor(obs Observation, provisioners []Provisioner) []Finding {
	d := &doctor{obs: obs, provisioners: provisioners}
	d.engines()
	d.root()
	d.tools()
	d.clock()
	d.room()
	d.sources()
	return d.findings
}

type doctor struct {
	obs          Observation
	provisioners []Provisioner
	chosen       Engine // what a create would use; empty: it would fail
	findings     []Finding
}

func (d *doctor) add(check string, v Verdict, mend, format string, args ...any) {
	f := Finding{Check: check, Verdict: v, Message: fmt.Sprintf(format, args...)}
	if mend != "" {
		f.Mend = &mend
	}
	d.findings = append(d.findings, f)
}

// anySpec runs on every engine: doctor asks for no profile in particular.
var anySpec = Spec{Profile: "any", Compose: &Compose{}, Process: []string{"any"}}

// engines asks what a create would choose, and looks at each engine: a broken
// one only stops a create where no other takes its place.
func (d *doctor) engines() {
	if len(d.provisioners) == 0 {
		d.add("engine", Unknown, "", "there is no provisioner to create with")
		return
	}
	chosen, _, err := choose(d.provisioners, anySpec, d.obs.Snapshot)
	trouble := Fail
	if err == nil {
		d.chosen, trouble = chosen.Engine(), Warn
	}
	for _, e := range d.obs.Snapshot.Engines {
		if e.Name != EngineProcess {
			d.engine(e, trouble)
		}
	}
	switch {
	case err != nil:
		d.add("engine", Fail, d.mend(err), "a create would fail: %v", err)
	case d.chosen == EngineProcess && len(d.provisioners) > 1:
		d.add("engine", Warn, "install docker with the compose plugin, if sandboxes are to be containers",
			"no container engine is installed: create runs plain processes")
	default:
		d.add("engine", Pass, "", "create uses %s", d.chosen)
	}
}

// engine looks at one engine, through the first provisioner that can use it.
func (d *doctor) engine(e EngineInfo, trouble Verdict) {
	check := "engine." + string(e.Name)
	if e.Status == EngineAbsent {
		d.add(check, Skip, "", "%s is not installed", e.Name)
		return
	}
	var why *EngineError
	for _, p := range d.provisioners {
		if p.Engine() != e.Name {
			continue
		}
		if why = usable(p, anySpec, e); why == nil {
			d.add(check, Pass, "", "%s %s with %s", e.Name, deref(e.Version), strings.Join(e.ComposeTools, ", "))
			d.snap(e)
			return
		}
	}
	if why == nil {
		d.add(check, Skip, "", "%s is installed, and not among what create may use", e.Name)
		return
	}
	d.add(check, trouble, d.mend(why), "%v", why)
}

// mend is the hint of err in the name of the user on the host.
func (d *doctor) mend(err error) string {
	hint := Hint(err)
	if user := d.obs.Snapshot.Identity.User; user != nil {
		hint = strings.ReplaceAll(hint, "USER", *user)
	}
	return hint
}

// snap looks for the docker that Ubuntu's snap confines: it sees the home
// directories, save what is hidden in them, and a /tmp of its own.
func (d *doctor) snap(e EngineInfo) {
	if !strings.HasPrefix(deref(e.RootDir), "/var/snap/") {
		return
	}
	check, root, home := fmt.Sprintf("engine.%s.snap", e.Name), d.obs.Inventory.Root, d.obs.Facts.Home
	below, ok := strings.CutPrefix(root, home+"/")
	if home != "" && ok && !strings.HasPrefix(below, ".") {
		d.add(check, Pass, "", "%s is a snap, and sees %s", e.Name, root)
		return
	}
	d.add(check, Fail, "use --root '~/sandboxer' (not a hidden directory), or an engine that is no snap", "%s is a snap, and does not see %s", e.Name, root)
}

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

func (d *doctor) tools() {
	for _, t := range []struct{ name, pkg, without string }{
		{"flock", "util-linux", "nothing can be created or destroyed safely"},
		{"tar", "tar", "nothing can be uploaded"},
		{"gzip", "gzip", "nothing can be uploaded"},
	} {
		check := "tool." + t.name
		there, known := d.obs.Facts.Tools[t.name]
		switch {
		case there:
			d.add(check, Pass, "", "%s is in PATH", t.name)
		case known:
			d.add(check, Fail, "install the package "+t.pkg, "%s is not in PATH: %s", t.name, t.without)
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
		d.add(check, Warn, "set the clocks: timedatectl set-ntp true", "the host's clock is off by %s: ages on it prove nothing", off.Round(time.Second))
		return
	}
	d.add(check, Pass, "", "the host's clock is off by %s from the controller's", off)
}

// room passes on what Admit says of disk, inodes and memory.
func (d *doctor) room() {
	a := Admit(d.obs.Snapshot)
	if len(a.Reasons) == 0 && a.Verdict == AdmitOK {
		d.add("admission", Pass, "", "the host has room for another sandbox")
	}
	for _, r := range a.Reasons {
		v := map[AdmissionVerdict]Verdict{AdmitOK: Pass, AdmitWarn: Warn, AdmitRefuse: Fail}[r.Severity]
		d.add("admission."+r.Code, cmp.Or(v, Unknown), "", "%s", r.Message)
	}
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
