package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/profile"
)

func TestResolve(t *testing.T) {
	for _, name := range []string{"", "canary", "profile.sandbox-canary", profile.Default} {
		spec, err := profile.Resolve(name, nil)
		if err != nil || spec.Profile != "profile.sandbox-canary" || !spec.Canary || spec.Files == nil || spec.Compose == nil || spec.Process == nil {
			t.Errorf("Resolve(%q): got %+v, %v, want the canary", name, spec, err)
		}
	}
}

func TestListIsResolved(t *testing.T) {
	for _, p := range profile.List() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if spec, err := profile.Resolve(name, nil); err != nil || spec.Profile != p.Name {
				t.Errorf("Resolve(%q): got %q, %v, want %q", name, spec.Profile, err, p.Name)
			}
		}
		if p.Summary == "" {
			t.Errorf("%s: got no summary, want one", p.Name)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "compose.yaml")
	if err := os.WriteFile(file, []byte("services: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range []struct{ name, want string }{
		{"canry", `profile "canry": there is none of that name; did you mean "canary"?`},
		{"Canary", `did you mean "canary"?`},
		{"sandbox-canary", `did you mean "profile.sandbox-canary"?`},
		{"profile.sandbox", `did you mean "profile.sandbox-canary"?`},
		{"postgres", `profile "postgres": there is none of that name`},
		{"x", `profile "x": there is none of that name`},
		{"-rf", `profile "-rf": there is none of that name`},
		{dir, "not supported by this version"},
		{file, "not supported by this version"},
		{".", "not supported by this version"},
		{"compose.yaml", "not supported by this version"},
		{"missing.yml", "not supported by this version"},
		{"../nowhere", "not supported by this version"},
		{"a\nb\x00c", `"a\nb\x00c"`},
		{strings.Repeat("long", 100), `longl..."`},
	} {
		spec, err := profile.Resolve(c.name, nil)
		var name *profile.NameError
		if !errors.As(err, &name) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Resolve(%q): got %v, want %q", c.name, err, c.want)
			continue
		}
		if spec.Profile != "" || name.Name != c.name || !strings.Contains(name.Hint, "profile.sandbox-canary (canary)") {
			t.Errorf("Resolve(%q): got %q, name %q, hint %q", c.name, spec.Profile, name.Name, name.Hint)
		}
		if strings.Contains(err.Error(), "postgres") && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("Resolve(%q): got %v, want no suggestion", c.name, err)
		}
	}
}
