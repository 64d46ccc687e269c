package bringup_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
	"github.com/tegwick/sand-boxer/test/lab"
)

const token = "0123456789abcdef"

func frame(head, body string) string { return "\n" + token + " " + head + "\n" + body }

func TestParse(t *testing.T) {
	tests := []struct {
		name     string
		out      string
		names    []string
		complete bool
	}{
		{"nothing", "", nil, false},
		{"noise", "Welcome to this host\n", nil, false},
		{"whole", frame("a x y", "1\n2") + frame("b", "") + frame("end", ""), []string{"a", "b"}, true},
		{"cut off", frame("a", "1") + "\n" + token[:5], []string{"a"}, false},
		{"another token", "\nffff a\n1" + frame("end", ""), nil, true},
		{"after the end", frame("end", "") + frame("a", ""), nil, true},
		{"headless", frame("", "x") + frame("a", ""), []string{"a"}, false},
		{"binary", frame("a", "\x00\xff\n\n") + frame("end", ""), []string{"a"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := bringup.Parse([]byte(test.out), token)
			var names []string
			for _, f := range got.Frames {
				names = append(names, f.Name)
			}
			if !slices.Equal(names, test.names) || got.Complete != test.complete {
				t.Errorf("parse %q: got %q, complete %v, want %q, %v", test.out, names, got.Complete, test.names, test.complete)
			}
		})
	}
	a := bringup.Parse([]byte(frame("a x y", "\x00\n")+frame("a", "other")+frame("end", "")), token)
	if f := a.Find("a"); string(f.Body) != "\x00\n" || f.Arg(1) != "y" || f.Arg(2) != "" {
		t.Errorf("first frame: got %+v, want its bytes and words", f)
	}
	if f := a.Find("none"); f.Name != "" {
		t.Errorf("no frame: got %+v, want none", f)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a", "body", "b", "\n"+token)
	f.Add("a b c", "", "end", "x")
	f.Fuzz(func(t *testing.T, head, body, head2, body2 string) {
		got := bringup.Parse([]byte(frame(head, body)+frame(head2, body2)), token)
		clean := !strings.Contains(head+body+head2+body2, token) && !strings.Contains(head, "\n")
		words := strings.Fields(head)
		if !clean || len(words) == 0 || words[0] == "end" {
			return
		}
		if len(got.Frames) == 0 || got.Frames[0].Name != words[0] || string(got.Frames[0].Body) != body {
			t.Errorf("parse %q, %q: got %+v, want it back", head, body, got.Frames)
		}
	})
}

func TestFill(t *testing.T) {
	fill := func(out string) (sandboxer.Started, error) {
		var s sandboxer.Started
		err := bringup.Parse([]byte(out), token).Fill(&s)
		return s, err
	}
	s, err := fill(frame("result", "{}\n") + frame("check", "ok") + frame("checked 126", ""))
	if err != nil || string(s.Result) != "{}\n" || string(s.HostCheck) != "ok" || *s.HostStatus != 126 {
		t.Errorf("got %+v (%v), want all of it", s, err)
	}
	if s, err = fill(""); err != nil || s.Result != nil || s.HostStatus != nil {
		t.Errorf("nothing said: got %+v (%v), want nothing known", s, err)
	}
	if _, err = fill(frame("checked x", "")); err == nil {
		t.Error("a status that is none: got no error, want one")
	}
	if _, err = fill(frame("result", strings.Repeat("x", bringup.MaxResult+1))); err == nil {
		t.Error("a result without end: got no error, want one")
	}
}

func TestLogLines(t *testing.T) {
	tests := []struct {
		log  string
		want []string
	}{
		{"", []string{}},
		{"\n\n  \n", []string{}},
		{"a\r\n\tb\nc", []string{"a", " b", "c"}},
		{"10%\r50%\rdone\n", []string{"done"}},
		{"\x1b[31mred\x07\n", []string{"[31mred"}},
		{"\xff\n", []string{"\uFFFD"}},
		{strings.Repeat("x", 600), []string{strings.Repeat("x", 500) + "..."}},
	}
	for _, test := range tests {
		if got := bringup.LogLines([]byte(test.log)); !slices.Equal(got, test.want) {
			t.Errorf("LogLines(%q): got %q, want %q", test.log, got, test.want)
		}
	}
	many := bringup.LogLines([]byte(strings.Repeat("x\n", 50) + "last"))
	if len(many) != 20 || many[19] != "last" {
		t.Errorf("51 lines: got %q, want the last 20", many)
	}
}

// answering is a host that runs scripts here, and nothing else.
type answering struct {
	out  string
	code int
	err  error
}

func (answering) Name() string { return "answering" }

func (h answering) Run(_ context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if h.err != nil || h.code != 0 {
		return sandboxer.Result{ExitCode: h.code, Stdout: []byte(h.out)}, h.err
	}
	out, err := exec.Command(cmd.Args[0], cmd.Args[1:]...).Output()
	return sandboxer.Result{Stdout: out}, err
}

func TestRun(t *testing.T) {
	script := bringup.Script{
		Vars: []bringup.Var{{"data", "it's $HOME\n"}},
		Body: "frame said \"$1\"\nprintf %s \"$data\"\nframe end\n",
		Args: []string{"word"},
	}
	a, err := script.Run(t.Context(), answering{})
	if f := a.Find("said"); err != nil || string(f.Body) != "it's $HOME\n" || f.Arg(0) != "word" {
		t.Errorf("got %+v (%v), want the data back", a, err)
	}
	script.Body = "frame phase wait\n"
	if a, err = script.Run(t.Context(), answering{}); err == nil || a.Phase("") != sandboxer.PhaseWait {
		t.Errorf("an answer that breaks off: got %+v (%v), want an error", a, err)
	}
	if _, err = script.Run(t.Context(), answering{code: 1}); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("a script that fails: got %v, want its exit status", err)
	}
	if _, err = script.Run(t.Context(), answering{err: context.Canceled}); !errors.Is(err, context.Canceled) {
		t.Errorf("a host that fails: got %v, want its error", err)
	}
}

func TestShellcheck(t *testing.T) {
	lab.Require(t, "shellcheck")
	if out, err := exec.Command("shellcheck", "-s", "sh", "common.sh").CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
