package sandboxer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// healthy is a host on which doctor has nothing to say.
func healthy() Observation {
	return Observation{
		Snapshot: HostSnapshot{
			ClockOffsetMS: new(int64(12)),
			Engines: []EngineInfo{
				{Name: EngineDocker, Status: EngineOK, Version: new("20.10.24"), ComposeTools: []string{"docker compose"}},
				{Name: EnginePodman, Status: EngineAbsent},
				{Name: EngineProcess, Status: EngineOK},
			},
		},
		Inventory: Inventory{Root: "/tmp/sandboxer", RootState: RootOK, Complete: true},
		Facts: Facts{
			Home: "/home/u", Tools: map[string]bool{"flock": true, "tar": true, "gzip": true}, RootNoexec: new(false),
		},
	}
}

// An idle provisioner is only asked whether it could.
type idle struct{ engine Engine }

func (p idle) Engine() Engine         { return p.engine }
func (p idle) Teardown(Record) Script { return "" }
func (p idle) Up(context.Context, Host, Spec, Placement) (Started, error) {
	return Started{}, errors.New("doctor must not start anything")
}

func (p idle) Usable(info EngineInfo) error {
	if p.engine == EngineDocker && len(info.ComposeTools) == 0 {
		return errors.New("it has no compose plugin")
	}
	return nil
}

var everything = []Provisioner{idle{EngineDocker}, idle{EngineProcess}}

func TestDoctor(t *testing.T) {
	docker := func(o *Observation) *EngineInfo { return o.Snapshot.Engine(EngineDocker) }
	bare := func(o *Observation) { docker(o).Status, docker(o).ComposeTools = EngineAbsent, nil }
	tests := []struct {
		name    string
		change  func(*Observation)
		check   string
		verdict Verdict
		mend    string // part of it
	}{
		{"docker", func(*Observation) {}, "engine.docker", Pass, ""},
		{"podman is not there", func(*Observation) {}, "engine.podman", Skip, ""},
		{"an engine", func(*Observation) {}, "engine", Pass, ""},
		{"docker down", func(o *Observation) { docker(o).Status = EngineDown }, "engine.docker", Fail, "systemctl start docker"},
		{"docker down stops create", func(o *Observation) { docker(o).Status = EngineDown }, "engine", Fail, "systemctl start docker"},
		{"docker forbidden", func(o *Observation) {
			docker(o).Status, o.Snapshot.Identity.User = EngineForbidden, new("ann")
		}, "engine.docker", Fail, "usermod -aG docker ann"},
		{"docker hangs", func(o *Observation) { docker(o).Status = EngineUnresponsive }, "engine", Fail, "systemctl status docker"},
		{"docker speaks in riddles", func(o *Observation) { docker(o).Status = EngineUnknown }, "engine.docker", Fail, ""},
		{"no compose", func(o *Observation) { docker(o).ComposeTools = nil }, "engine.docker", Fail, "install it on the host"},
		{"podman beside docker", func(o *Observation) { o.Snapshot.Engine(EnginePodman).Status = EngineOK }, "engine.podman", Skip, ""},
		{"bare machine", bare, "engine", Warn, "install docker"},
		{"engines unread", func(o *Observation) { o.Snapshot.Engines = nil }, "engine", Fail, ""},
		{"snap docker", func(o *Observation) { docker(o).RootDir = new("/var/snap/docker/common/var-lib-docker") }, "engine.docker.snap", Fail, "--root '~/sandboxer'"},
		{"snap docker, root in home", func(o *Observation) {
			docker(o).RootDir, o.Inventory.Root = new("/var/snap/docker/common/var-lib-docker"), "/home/u/sandboxer"
		}, "engine.docker.snap", Pass, ""},
		{"snap docker, hidden root", func(o *Observation) {
			docker(o).RootDir, o.Inventory.Root = new("/var/snap/docker/common/var-lib-docker"), "/home/u/.sandboxer"
		}, "engine.docker.snap", Fail, "--root"},
		{"root", func(*Observation) {}, "root.state", Pass, ""},
		{"root absent", func(o *Observation) { o.Inventory.RootState = RootAbsent }, "root.state", Pass, ""},
		{"root symlink", func(o *Observation) { o.Inventory.RootState = RootSymlink }, "root.state", Fail, "--root"},
		{"root foreign", func(o *Observation) { o.Inventory.RootState = RootForeign }, "root.state", Fail, "--root"},
		{"root a file", func(o *Observation) { o.Inventory.RootState = RootNotDir }, "root.state", Fail, "--root"},
		{"root a home", func(o *Observation) { o.Inventory.RootState = RootHome }, "root.state", Fail, "--root"},
		{"root unreadable", func(o *Observation) { o.Inventory.RootState = RootUnreadable }, "root.state", Fail, "--root"},
		{"root writable", func(o *Observation) { o.Inventory.RootState = RootWritable }, "root.state", Warn, "chmod go-w /tmp/sandboxer"},
		{"root unknown", func(o *Observation) { o.Inventory.RootState = "" }, "root.state", Unknown, ""},
		{"root on tmpfs", func(o *Observation) {
			o.Snapshot.Filesystems = []Filesystem{{Roles: []string{"tmp", "sandbox_root"}, FSType: new("tmpfs")}}
		}, "root.volatile", Pass, ""},
		{"noexec and containers", func(o *Observation) { o.Facts.RootNoexec = new(true) }, "root.noexec", Warn, "without noexec"},
		{"noexec and processes", func(o *Observation) { bare(o); o.Facts.RootNoexec = new(true) }, "root.noexec", Fail, "without noexec"},
		{"noexec unknown", func(o *Observation) { o.Facts.RootNoexec = nil }, "root.noexec", Unknown, ""},
		{"no flock", func(o *Observation) { o.Facts.Tools["flock"] = false }, "tool.flock", Fail, "util-linux"},
		{"no tar", func(o *Observation) { o.Facts.Tools["tar"] = false }, "tool.tar", Fail, "tar"},
		{"tools unread", func(o *Observation) { o.Facts.Tools = nil }, "tool.gzip", Unknown, ""},
		{"clock", func(*Observation) {}, "clock.offset", Pass, ""},
		{"clock slow", func(o *Observation) { o.Snapshot.ClockOffsetMS = new(int64(-301_000)) }, "clock.offset", Warn, "timedatectl"},
		{"clock unread", func(o *Observation) { o.Snapshot.ClockOffsetMS = nil }, "clock.offset", Unknown, ""},
		{"registry unread", func(o *Observation) {
			o.Inventory.Sources = []Source{{Name: "registry", Status: "forbidden", Detail: new("permission denied")}}
		}, "source.registry", Fail, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obs := healthy()
			tt.change(&obs)
			findings := Doctor(obs, everything)
			i := slices.IndexFunc(findings, func(f Finding) bool { return f.Check == tt.check })
			if i < 0 {
				t.Fatalf("got no finding %q, want one; all: %+v", tt.check, findings)
			}
			got, mend := findings[i], ""
			if got.Mend != nil {
				mend = *got.Mend
			}
			if got.Verdict != tt.verdict || !strings.Contains(mend, tt.mend) || (tt.mend == "") != (mend == "") {
				t.Errorf("%s: got %s %q mend %q, want %s, mend with %q", tt.check, got.Verdict, got.Message, mend, tt.verdict, tt.mend)
			}
		})
	}
}

// Where another engine takes its place, a broken one is no obstacle.
func TestDoctorBrokenEngineBesideSound(t *testing.T) {
	obs := healthy()
	obs.Snapshot.Engine(EngineDocker).Status = EngineDown
	obs.Snapshot.Engine(EnginePodman).Status = EngineUnused
	with := []Provisioner{idle{EngineDocker}, idle{EnginePodman}, idle{EngineProcess}}
	want := map[string]Verdict{"engine.docker": Warn, "engine.podman": Pass, "engine": Pass}
	for _, f := range Doctor(obs, with) {
		if v, ok := want[f.Check]; ok && f.Verdict != v {
			t.Errorf("%s: got %s %q, want %s", f.Check, f.Verdict, f.Message, v)
		}
	}
	if got := Doctor(obs, nil)[0]; got.Verdict != Unknown {
		t.Errorf("without provisioners: got %+v, want unknown", got)
	}
}

// A broken engine is told once by itself and once for what it means; nothing
// of it is told a third time as an incomplete source.
func TestDoctorDoesNotRepeatEngines(t *testing.T) {
	obs := healthy()
	obs.Snapshot.Engine(EngineDocker).Status = EngineDown
	obs.Inventory.Sources = []Source{{Name: "docker", Status: "down"}}
	for _, f := range Doctor(obs, everything) {
		if f.Check == "source.docker" {
			t.Errorf("got %+v, want no finding of that name", f)
		}
	}
}
