package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

// TestHost is all that it takes to know that a Host of one's own is one.
func TestHost(t *testing.T) {
	sandboxertest.TestHost(t, func(*testing.T) sandboxer.Host {
		return behind{localhost.Host{}, []string{"nice", "-n", "19"}}
	})
}

func TestInspect(t *testing.T) {
	var out strings.Builder
	if err := inspect(t.Context(), &out, []string{"nice", "-n", "19"}); err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^local, behind "nice -n 19": \d+ sandboxes\n$`); !want.MatchString(out.String()) {
		t.Errorf("got %q, want %v", out.String(), want)
	}
}

func TestNoSSHIsCompiled(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if strings.Contains(string(out), "golang.org/x/crypto/ssh") {
		t.Error("got x/crypto/ssh among the dependencies, want none of it")
	}
}
