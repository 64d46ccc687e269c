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
		spec, err := profile.Resolve(t.Context(), name, profile.Options{})
		if err != nil || spec.Profile != "profile.sandbox-canary" || !spec.Canary || spec.Files == nil || spec.Compose == nil || spec.Process == nil {
			t.Errorf("Resolve(%q): got %+v, %v, want the canary", name, spec, err)
		}
	}
}

func TestListIsResolved(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, p := range profile.List() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			if spec, err := profile.Resolve(t.Context(), name, profile.Options{}); err != nil || spec.Profile != p.Name {
				t.Errorf("Resolve(%q): got %q, %v, want %q", name, spec.Profile, err, p.Name)
			}
		}
		if p.Summary == "" {
			t.Errorf("%s: got no summary, want one", p.Name)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	for _, c := range []struct{ name, want string }{
		{"canry", `profile "canry": there is none of that name; did you mean "canary"?`},
		{"Canary", `did you mean "canary"?`},
		{"sandbox-canary", `did you mean "profile.sandbox-canary"?`},
		{"profile.sandbox", `did you mean "profile.sandbox-canary"?`},
		{"postgres", `profile "postgres": there is none of that name`},
		{"x", `profile "x": there is none of that name`},
		{"-rf", `profile "-rf": there is none of that name`},
		{"missing.yml", `there is none of that name`},
		{"../nowhere", "there is no such file or directory"},
		{"a\nb\x00c", `"a\nb\x00c"`},
		{strings.Repeat("long", 100), `longl..."`},
	} {
		spec, err := profile.Resolve(t.Context(), c.name, profile.Options{})
		var name *profile.NameError
		if !errors.As(err, &name) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Resolve(%q): got %v, want %q", c.name, err, c.want)
			continue
		}
		if spec.Profile != "" || name.Name != c.name || name.Hint == "" {
			t.Errorf("Resolve(%q): got %q, name %q, hint %q", c.name, spec.Profile, name.Name, name.Hint)
		}
		if strings.Contains(err.Error(), "postgres") && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("Resolve(%q): got %v, want no suggestion", c.name, err)
		}
	}
}

// Profiles of the user's own are found by name, others by path, and nothing
// hides a built-in one.
func TestResolveFinds(t *testing.T) {
	config, work := t.TempDir(), t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Chdir(work)
	for _, file := range []string{
		filepath.Join(config, "sandboxer/profiles/mine/compose.yml"),
		filepath.Join(config, "sandboxer/profiles/canary/compose.yml"),
		filepath.Join(work, "here/docker-compose.yaml"),
		filepath.Join(work, "compose.yaml"),
		filepath.Join(work, "other.yaml"),
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("services: {a: {image: busybox}}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"mine": "mine", "canary": "profile.sandbox-canary", "here": "here", "./here": "here", ".": filepath.Base(work),
		"compose.yaml": filepath.Base(work), "other.yaml": filepath.Base(work), "here/docker-compose.yaml": "here", work: filepath.Base(work),
	} {
		if spec, err := profile.Resolve(t.Context(), name, profile.Options{}); err != nil || spec.Profile != want {
			t.Errorf("Resolve(%q): got %q, %v, want %q", name, spec.Profile, err, want)
		}
	}
	var names []string
	for _, p := range profile.List() {
		names = append(names, p.Name)
	}
	if got, want := strings.Join(names, " "), "profile.sandbox-canary canary mine"; got != want {
		t.Errorf("got profiles %s, want %s", got, want)
	}
}
