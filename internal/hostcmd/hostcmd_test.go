package hostcmd_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  sandboxer.Cmd
		want string // in the error; empty: none
	}{
		{"plain", sandboxer.Cmd{Args: []string{"true"}}, ""},
		{"empty argument", sandboxer.Cmd{Args: []string{"echo", "", "-n"}}, ""},
		{"no args", sandboxer.Cmd{}, "Args is empty"},
		{"no program", sandboxer.Cmd{Args: []string{"", "x"}}, "Args is empty"},
		{"option as program", sandboxer.Cmd{Args: []string{"-c", "x"}}, `"-c" begins with -`},
		{"NUL", sandboxer.Cmd{Args: []string{"echo", "a\x00b"}}, `"a\x00b" holds a NUL`},
		{"env", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"A=1", "_b9=", "C=x=y"}}, ""},
		{"env without =", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"hunter2"}}, "not of the form KEY=value"},
		{"env without key", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"=x"}}, "not of the form"},
		{"env with odd key", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"a;id=x"}}, "not of the form"},
		{"env with NUL", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"A=x\x00"}}, `"A" holds a NUL`},
		{"env of the shell", sandboxer.Cmd{Args: []string{"env"}, Env: []string{"PPID=1"}}, `"PPID" belongs to the shell`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := hostcmd.Check(tt.cmd)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("got %v, want no value of Env in it", err)
			}
		})
	}
}

func TestGrace(t *testing.T) {
	for in, want := range map[time.Duration]time.Duration{0: sandboxer.DefaultGrace, time.Minute: time.Minute, -1: 0} {
		if got := hostcmd.Grace(sandboxer.Cmd{Grace: in}); got != want {
			t.Errorf("Grace %v: got %v, want %v", in, got, want)
		}
	}
}

func TestCompletePath(t *testing.T) {
	if got, want := hostcmd.CompletePath("/opt/bin"), "/opt/bin:"+hostcmd.SystemPath; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := hostcmd.CompletePath(""), hostcmd.SystemPath; got != want {
		t.Errorf("got %q, want %q: an empty element would mean the current directory", got, want)
	}
}

func TestEnded(t *testing.T) {
	plain, cancel := context.WithCancel(t.Context())
	if got := hostcmd.Ended(plain); got != nil {
		t.Errorf("before its end: got %v, want nil", got)
	}
	cancel()
	if got := hostcmd.Ended(plain); got != context.Canceled {
		t.Errorf("got %v, want %v", got, context.Canceled)
	}
	budget := errors.New("over budget")
	caused, stop := context.WithCancelCause(t.Context())
	stop(budget)
	if got := hostcmd.Ended(caused); !errors.Is(got, context.Canceled) || !errors.Is(got, budget) {
		t.Errorf("got %v, want both %v and %v in it", got, context.Canceled, budget)
	}
}
