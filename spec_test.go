package sandboxer

import (
	"context"
	"errors"
	"io/fs"
	"testing"
)

type namedEngine Engine

func (e namedEngine) Engine() Engine { return Engine(e) }
func (namedEngine) Up(context.Context, Host, Spec, Placement) (Started, error) {
	return Started{}, errors.New("not in this test")
}
func (namedEngine) Teardown(Record) Script { return "" }

// A pickyEngine needs a compose tool.
type pickyEngine struct{ namedEngine }

func (pickyEngine) Usable(info EngineInfo) error {
	if len(info.ComposeTools) == 0 {
		return errors.New("no compose tool")
	}
	return nil
}

func TestChoose(t *testing.T) {
	docker, podman, process := namedEngine(EngineDocker), namedEngine(EnginePodman), namedEngine(EngineProcess)
	all := []Provisioner{docker, podman, process}
	states := func(d, p EngineState) HostSnapshot {
		return HostSnapshot{Engines: []EngineInfo{{Name: EngineDocker, Status: d}, {Name: EnginePodman, Status: p}, {Name: EngineProcess, Status: EngineOK}}}
	}
	both := Spec{Profile: "p", Compose: &Compose{}, Process: []string{"x"}}
	tests := []struct {
		name   string
		from   []Provisioner
		spec   Spec
		snap   HostSnapshot
		want   Engine
		status EngineState // of the error, where want is empty
	}{
		{"docker first", all, both, states(EngineOK, EngineOK), EngineDocker, ""},
		{"podman where docker is absent", all, both, states(EngineAbsent, EngineUnused), EnginePodman, ""},
		{"podman where docker is down", all, both, states(EngineDown, EngineOK), EnginePodman, ""},
		{"process where nothing is installed", all, both, states(EngineAbsent, EngineAbsent), EngineProcess, ""},
		{"a stopped docker is no healthy process", all, both, states(EngineDown, EngineAbsent), "", EngineDown},
		{"a forbidden docker neither", all, both, states(EngineForbidden, EngineAbsent), "", EngineForbidden},
		{"nor an engine nobody drives", []Provisioner{docker, process}, both, states(EngineAbsent, EngineUnused), "", EngineUnused},
		{"process when asked for", []Provisioner{process}, both, states(EngineOK, EngineOK), EngineProcess, ""},
		{"docker when asked for and absent", []Provisioner{docker}, both, states(EngineAbsent, EngineOK), "", EngineAbsent},
		{"docker when asked for and silent", []Provisioner{docker}, both, states(EngineUnresponsive, EngineOK), "", EngineUnresponsive},
		{"an unknown snapshot", all, both, HostSnapshot{}, "", EngineUnknown},
		{"a tool is missing", []Provisioner{pickyEngine{docker}, process}, both, states(EngineOK, EngineAbsent), "", EngineOK},
		{"the spec needs images", []Provisioner{process}, Spec{Profile: "p", Compose: &Compose{}}, states(EngineAbsent, EngineAbsent), "", EngineOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, info, err := choose(tt.from, tt.spec, tt.snap)
			if tt.want == "" {
				var e *EngineError
				if !errors.As(err, &e) || e.Status != tt.status {
					t.Fatalf("got %v, want an EngineError of status %s", err, tt.status)
				}
				return
			}
			if err != nil || got.Engine() != tt.want || info.Name != tt.want {
				t.Errorf("got %v, %+v, %v, want %s", got, info, err, tt.want)
			}
		})
	}
}

func TestSpecCheck(t *testing.T) {
	tree := func(context.Context, Platform) (fs.FS, error) { return nil, nil }
	good := Spec{Profile: "p", Files: tree, Process: []string{"x"}}
	if err := good.check(); err != nil {
		t.Errorf("got %v, want it accepted", err)
	}
	for name, change := range map[string]func(*Spec){
		"no profile":       func(s *Spec) { s.Profile = "" },
		"no files":         func(s *Spec) { s.Files = nil },
		"nothing to run":   func(s *Spec) { s.Process = nil },
		"compose, no file": func(s *Spec) { s.Compose = &Compose{Services: []string{"a"}} },
		"negative TTL":     func(s *Spec) { s.TTL = -1 },
		"negative wait":    func(s *Spec) { s.WaitTimeout = -1 },
		"bad name":         func(s *Spec) { s.Name = "../x" },
	} {
		s := good
		if change(&s); s.check() == nil {
			t.Errorf("%s: accepted, want it refused", name)
		}
	}
}
