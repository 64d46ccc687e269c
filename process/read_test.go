package process

import (
	"errors"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

var testSpec = sandboxer.Spec{Process: []string{"bin/program"}, ReadyFile: "out/r"}

func answer(frames ...string) bringup.Answer {
	return bringup.Parse([]byte("\nT "+strings.Join(frames, "\nT ")+"\nT end\n"), "T")
}

func TestRead(t *testing.T) {
	tests := []struct {
		name     string
		frames   []string
		port     int64
		checked  bool
		resource string
		ms       int64 // -1: unknown
	}{
		{"all", []string{"isolation none\n", "process\n4711 7411\n", "uptimes\n4027.11 7411.30\n4027.13 7411.30\n", "port 80\n", `result` + "\n" + `{"port":80}`, "check\nok", "checked 0\n"}, 80, true, "4711:7411", 20},
		{"another port checked", []string{"port 1\n", "result\n" + `{"x":{"port":1},"port":80}`, "check\nok", "checked 0\n"}, 80, false, "", -1},
		{"no port", []string{"result\n{}"}, 0, false, "", -1},
		{"no JSON", []string{"result\nready\n"}, 0, false, "", -1},
		{"a port that is none", []string{"port 99999\n", "result\n" + `{"port":99999}`, "check\nok", "checked 0\n"}, 0, false, "", -1},
		{"a process that is none", []string{"process\n4711\n", "uptimes\n4027.11 1\n"}, 0, false, "", -1},
		{"time runs backwards", []string{"uptimes\n2 1\n1 1\n"}, 0, false, "", -1},
		{"times that are none", []string{"uptimes\nNaN\nNaN\n"}, 0, false, "", -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(answer(test.frames...), testSpec, sandboxer.Placement{})
			if err != nil {
				t.Fatal(err)
			}
			var port int64
			if len(s.Ports) > 0 {
				port = s.Ports[0].HostPort
			}
			if port != test.port || (s.HostStatus != nil) != test.checked {
				t.Errorf("got port %d, checked %v, want %d, %v", port, s.HostStatus != nil, test.port, test.checked)
			}
			ref := ""
			if len(s.Resources) > 0 {
				ref = s.Resources[0].Ref
			}
			if ref != test.resource {
				t.Errorf("resource: got %q, want %q", ref, test.resource)
			}
			ms := int64(-1)
			if s.StartMS != nil {
				ms = *s.StartMS
			}
			if ms != test.ms {
				t.Errorf("start: got %d ms, want %d", ms, test.ms)
			}
		})
	}
}

// What a program writes is never trusted to be well-formed.
func FuzzRead(f *testing.F) {
	f.Add("process\n4711 7411\n", "uptimes\n1 1\n1.5 1\n", "result\n{\"port\":80}")
	f.Add("fault ended 126\n", "log\nx\n", "process\n0 0\n")
	f.Add("fault\n", "port -1\n", "checked 0\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		s, err := read(answer(a, b, c), testSpec, sandboxer.Placement{})
		var failure *sandboxer.PhaseError
		if err != nil && (!errors.As(err, &failure) || failure.Err == nil) {
			t.Errorf("got %v, want a PhaseError with a cause", err)
		}
		for _, r := range s.Resources {
			if !identityForm.MatchString(r.Ref) {
				t.Errorf("resource: got %q, want PID:START", r.Ref)
			}
		}
		for _, p := range s.Ports {
			if p.HostPort < 1 || p.HostPort > 65535 {
				t.Errorf("port: got %d", p.HostPort)
			}
		}
		if s.StartMS != nil && *s.StartMS < 0 {
			t.Errorf("start: got %d ms", *s.StartMS)
		}
	})
}
