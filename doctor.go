package sandboxer

import (
	"cmp"
	"fmt"
	"strings"
)

// Doctor says what on the observed host would stop a create by one of the
// provisioners, or a destroy, and what mends it: one Finding for each thing
// looked at, the sound ones too. It is pure. The verdict fail means that an
// operation would be stopped, warn that it would go on without something,
// unknown that nobody can tell.
func Doctor(obs Observation, provisioners []Provisioner) []Finding {
	d := &doctor{obs: obs, provisioners: provisioners}
	d.engines()
	d.rootless()
	d.root()
	d.tools()
	d.machine()
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
	var there []string
	for _, e := range d.obs.Snapshot.Engines {
		if e.Name != EngineProcess {
			d.engine(e, trouble)
			if e.Status != EngineAbsent {
				there = append(there, string(e.Name))
			}
		}
	}
	switch {
	case err != nil:
		d.add("engine", Fail, d.mendCreate(err), "a create would fail: %v", err)
	case d.chosen == EngineProcess && len(d.provisioners) > 1:
		d.add("engine", Warn, "install docker with the compose plugin, if sandboxes are to be containers",
			"no container engine is installed: create runs plain processes")
	case len(there) > 1:
		d.add("engine", Pass, "", "create uses %s; %s are here and share nothing", d.chosen, strings.Join(there, " and "))
	default:
		d.add("engine", Pass, "", "create uses %s", d.chosen)
	}
}

// engine looks at one engine, through the first provisioner that can use it.
func (d *doctor) engine(e EngineInfo, trouble Verdict) {
	check := "engine." + string(e.Name)
	if e.Status == EngineAbsent {
		detail := ""
		if e.Detail != nil {
			detail = ": " + *e.Detail
		}
		d.add(check, Skip, "", "%s is not installed%s", e.Name, detail)
		return
	}
	var why *EngineError
	for _, p := range d.provisioners {
		if p.Engine() != e.Name {
			continue
		}
		if why = usable(p, anySpec, e); why == nil {
			d.add(check, Pass, "", "%s %s with %s", e.Name, cmp.Or(deref(e.Version), "(unused yet)"), strings.Join(e.ComposeTools, ", "))
			d.beside(e)
			return
		}
	}
	if why == nil {
		d.add(check, Skip, "", "%s is installed, and not among what create may use", e.Name)
		return
	}
	d.add(check, trouble, d.mendEngine(e, why), "%v", why)
}

// user is the name of the user on the host, for a command to paste.
func (d *doctor) user() string { return cmp.Or(deref(d.obs.Snapshot.Identity.User), "$USER") }

// install is the command that installs a package on this host.
func (d *doctor) install(pkg string) string {
	switch deref(d.obs.Snapshot.Identity.OSID) {
	case "debian", "ubuntu", "raspbian", "linuxmint":
		return "sudo apt-get install " + pkg
	case "fedora", "rhel", "centos", "rocky", "almalinux", "amzn":
		return "sudo dnf install " + pkg
	case "alpine":
		return "sudo apk add " + pkg
	case "arch":
		return "sudo pacman -S " + pkg
	case "opensuse-leap", "opensuse-tumbleweed", "sles":
		return "sudo zypper install " + pkg
	}
	return "install the package " + pkg
}
