package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/engine"
)

func TestSelect(t *testing.T) {
	tests := []struct {
		name, command string
		want          string
		err           string
		conflict      bool
	}{
		{"", "", "docker process", "", false},
		{"auto", "", "docker process", "", false},
		{"docker", "", "docker", "", false},
		{"process", "", "process", "", false},
		{"", "docker compose", "docker", "", false},
		{"auto", "  docker\tcompose ", "docker", "", false},
		{"docker", "docker compose", "docker", "", false},
		{"process", "docker compose", "", "contradict", true},
		{"podman", "", "", "docker compose", false},
		{"podman", "podman-compose", "", "docker compose", false},
		{"", "podman-compose", "", "docker compose", false},
		{"", "docker-compose", "", "docker compose", false},
		{"", "docker compose; rm -rf ~", "", "rm -rf", false},
		{"", "docker 'compose'", "", "docker compose", false},
		{"", "$(reboot)", "", "reboot", false},
		{"dokcer", "", "", "dokcer", false},
		{"Docker", "", "", "want auto, docker or process", false},
	}
	for _, test := range tests {
		t.Run(test.name+","+test.command, func(t *testing.T) {
			got, err := engine.Select(test.name, test.command)
			var names []string
			for _, p := range got {
				names = append(names, string(p.Engine()))
			}
			if s := strings.Join(names, " "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v, want one with %q", err, test.err)
			}
			if errors.Is(err, engine.ErrConflict) != test.conflict {
				t.Errorf("got error %v, conflict: want %v", err, test.conflict)
			}
		})
	}
}

// Everybody gets a list of their own.
func TestAllIsFresh(t *testing.T) {
	engine.All()[0] = nil
	if engine.All()[0] == nil {
		t.Error("a change of one list shows in the next")
	}
}

func ExampleAll() {
	for _, p := range engine.All() {
		fmt.Println(p.Engine())
	}
	// Output:
	// docker
	// process
}

func ExampleSelect() {
	_, err := engine.Select("process", "docker compose")
	fmt.Println(err)
	// Output: engine "process" and compose command "docker compose": they contradict each other
}
