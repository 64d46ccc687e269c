package sandboxer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

func TestErrorMessages(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		err  error
		want string
	}{
		{&HostError{Host: "h", Op: "dial", Err: boom}, "h: dial: boom"},
		{&HostError{Host: "h", Op: "run", Err: boom, Started: true}, "h: run: boom (outcome unknown)"},
		{&HostError{Host: "h", Op: "run", Err: boom, Started: true, Killed: true}, "h: run: boom"},
		{Result{ExitCode: 3, Stderr: []byte("first\nlast\n\n")}.Err("read"), "read: exit status 3: last"},
		{Result{ExitCode: -1, Signal: "KILL"}.Err("read"), "read: killed by SIGKILL"},
		{&RefusedError{Doing: "do", Reasons: []Reason{{"a", "one"}, {"b", "two"}}}, "do: refused: one; two"},
		{&EngineError{Engine: EngineDocker, Status: EngineDown, Err: boom}, "engine docker: down: boom"},
		{&PhaseError{Phase: PhaseStart, Err: boom}, "create: start: boom"},
		{&PhaseError{Phase: PhaseStart, Err: boom, Left: []string{"a", "b"}}, "create: start: boom; left behind: a, b"},
		{&ExportError{Err: boom}, "export the report: boom"},
		{&FileError{Op: "write", Path: "/a\n", Err: boom, Said: "first\nlast\n"}, `write "/a\n": boom: last`},
		{&FileError{Op: "put", Path: "/a", Err: boom, Unknown: true, Left: "/b"}, `put "/a": boom; whether it was done is not known; left behind: "/b"`},
		{
			&FileError{Op: "put", Path: "/a", Err: &HostError{Host: "h", Op: "run", Err: boom, Started: true}},
			`put "/a": h: run: boom (outcome unknown); nothing was changed, for not all of it was sent`,
		},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%T: got %q, want %q", tt.err, got, tt.want)
		}
		if errors.Unwrap(tt.err) != nil && !errors.Is(tt.err, boom) {
			t.Errorf("%T: got %v below it, want boom", tt.err, errors.Unwrap(tt.err))
		}
	}
	if err := (Result{Stderr: []byte("warning")}).Err("read"); err != nil {
		t.Errorf("exit status 0: got %v, want nil", err)
	}
}

func TestHint(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, ""},
		{"no hint", boom, ""},
		{"wrapped", fmt.Errorf("x: %w", &RefusedError{Hint: "mend"}), "mend"},
		{"the outer one first", &PhaseError{Hint: "outer", Err: &HostError{Err: boom, Hint: "inner"}}, "outer"},
		{"below one that has none", &PhaseError{Err: &HostError{Err: boom, Hint: "inner"}}, "inner"},
		{"below one of its own kind", &HostError{Err: &HostError{Err: boom, Hint: "inner"}}, "inner"},
		{"the first of several", errors.Join(boom, &EngineError{Err: boom}, &EngineError{Err: boom, Hint: "second"}, &HostError{Err: boom, Hint: "third"}), "second"},
	}
	for _, tt := range tests {
		if got := Hint(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	for code, want := range map[string]string{
		"root_symlink": "--root", "root_writable": "--root", "no_home": "home directory", "state_unwritable": "home directory",
		"no_flock": "util-linux", "no_tar": "install tar", "no_stat": "coreutils", "no_sha256sum": "coreutils",
		"no_xargs": "findutils", "id_taken": "",
	} {
		err := refusal("make it", &onhost.Refusal{Code: code, Message: "because"})
		var refused *RefusedError
		if !errors.As(err, &refused) || !refused.Has(code) || refused.Has("other") || err.Error() != "make it: refused: because" {
			t.Errorf("%s: got %v, want it refused with that code only", code, err)
		}
		if got := Hint(err); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got the hint %q, want one with %q", code, got, want)
		}
	}
}

func TestNeverRan(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errors.New("boom"), false},
		{&HostError{Err: errors.New("boom")}, true},
		{fmt.Errorf("x: %w", &HostError{Err: errors.New("boom")}), true},
		{&HostError{Err: errors.New("boom"), Started: true}, false},
	}
	for _, tt := range tests {
		if got := neverRan(tt.err); got != tt.want {
			t.Errorf("%v: got %v, want %v", tt.err, got, tt.want)
		}
	}
}
