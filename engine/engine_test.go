package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/process"
)

func TestSelect(t *testing.T) {
	docker := []sandboxer.Provisioner{compose.Docker{}, compose.DockerCompose{}}
	all := append(slices.Clone(docker), compose.Podman{}, process.Provisioner{})
	one := func(p sandboxer.Provisioner) []sandboxer.Provisioner { return []sandboxer.Provisioner{p} }
	tests := []struct {
		name, command string
		want          []sandboxer.Provisioner
		sudo          bool
	}{
		{"", "", all, false},
		{"auto", "", all, false},
		{"auto", " \t", all, false},
		{"docker", "", docker, false},
		{"podman", "", one(compose.Podman{}), false},
		{"process", "", one(process.Provisioner{}), false},
		{"", "docker compose", one(compose.Docker{}), false},
		{"auto", "  docker\tcompose ", one(compose.Docker{}), false},
		{"docker", "docker compose", one(compose.Docker{}), false},
		{"docker", "docker-compose", one(compose.DockerCompose{}), false},
		{"podman", "podman-compose", one(compose.Podman{}), false},
		{"", "/usr/local/bin/docker compose", one(compose.Docker{Program: "/usr/local/bin/docker"}), false},
		{"", "/opt/docker-compose", one(compose.DockerCompose{Program: "/opt/docker-compose"}), false},
		{"", "/opt/x.y/podman-compose", one(compose.Podman{Program: "/opt/x.y/podman-compose"}), false},
		{"", "sudo docker compose", one(compose.Docker{Sudo: true}), true},
		{"docker", "sudo -n docker-compose", one(compose.DockerCompose{Sudo: true}), true},
		{"", "sudo /usr/bin/podman-compose", one(compose.Podman{Sudo: true, Program: "/usr/bin/podman-compose"}), true},
	}
	for _, test := range tests {
		t.Run(test.name+","+test.command, func(t *testing.T) {
			got, err := engine.Select(test.name, test.command)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Provisioners, test.want) || got.Sudo != test.sudo {
				t.Errorf("got %#v, want %#v and sudo %v", got, test.want, test.sudo)
			}
		})
	}
}

func TestSelectRefuses(t *testing.T) {
	tests := []struct{ name, command, err string }{
		{"dokcer", "", "dokcer"},
		{"Docker", "", "want auto, docker, podman or process"},
		{"dokcer", "docker compose", "dokcer"},
		{"", "docker compose; rm -rf ~", "means nothing in it"},
		{"", "docker 'compose'", `'\''`},
		{"", `"docker compose"`, "means nothing in it"},
		{"", `docker\ compose`, "means nothing in it"},
		{"", "docker compose\nreboot", `'\n'`},
		{"", "docker compose\x00", "means nothing in it"},
		{"", "$(reboot)", "'$'"},
		{"", "`reboot`", "means nothing in it"},
		{"", "~/bin/podman-compose", "'~'"},
		{"", "DOCKER_HOST=tcp://x docker compose", "'='"},
		{"", "docker", "none of the tools"},
		{"", "compose", "none of the tools"},
		{"", "docker compose -f x", "none of the tools"},
		{"", "docker --host tcp://x compose", "none of the tools"},
		{"", "docker  compose up", "none of the tools"},
		{"", "podman compose", "name that, such as podman-compose"},
		{"", "nerdctl compose", "none of the tools"},
		{"", "sudo", "no compose tool follows"},
		{"", "sudo -n", "no compose tool follows"},
		{"", "sudo -u other docker compose", "none of the tools"},
		{"", "sudo sudo docker compose", "none of the tools"},
		{"", "bin/docker compose", "by its path from the root"},
		{"", "/usr/../tmp/docker-compose", "by its path from the root"},
		{"", "/usr/bin/docker/ compose", "by its path from the root"},
		{"", "/usr/bin/dockerd compose", "none of the tools"},
		{"", "-oProxyCommand=x", "means nothing in it"},
		{"", "/tmp/ü/docker compose", "by its path from the root"},
	}
	for _, test := range tests {
		t.Run(test.name+","+test.command, func(t *testing.T) {
			got, err := engine.Select(test.name, test.command)
			if err == nil || !strings.Contains(err.Error(), test.err) || errors.Is(err, engine.ErrConflict) {
				t.Fatalf("got %v, %v, want an error with %q that is no conflict", got, err, test.err)
			}
			var command *engine.CommandError
			if strings.HasPrefix(err.Error(), "compose command") && (!errors.As(err, &command) || command.Hint == "") {
				t.Errorf("got %#v, want a CommandError with a hint", err)
			}
		})
	}
}

func TestSelectConflict(t *testing.T) {
	for _, c := range [][2]string{
		{"process", "docker compose"}, {"podman", "docker compose"}, {"podman", "docker-compose"},
		{"docker", "podman-compose"}, {"docker", "sudo podman-compose"}, {"process", "podman-compose"},
	} {
		if _, err := engine.Select(c[0], c[1]); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("%q: got %v, want ErrConflict", c, err)
		}
	}
}

// Whatever is accepted is one of the known forms and nothing besides.
func FuzzSelect(f *testing.F) {
	f.Add("sudo -n /usr/bin/docker compose")
	f.Add("docker compose; rm -rf ~")
	f.Add("docker\u00a0compose")
	f.Fuzz(func(t *testing.T, command string) {
		got, err := engine.Select("", command)
		if err != nil || strings.TrimSpace(command) == "" {
			return
		}
		if len(got.Provisioners) != 1 || strings.ContainsAny(command, "\n\r\x00'\"`\\$;&|<>()") {
			t.Errorf("%q: got %#v, want a refusal", command, got)
		}
	})
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
		fmt.Printf("%T for %s\n", p, p.Engine())
	}
	// Output:
	// compose.Docker for docker
	// compose.DockerCompose for docker
	// compose.Podman for podman
	// process.Provisioner for process
}

func ExampleSelect() {
	chosen, err := engine.Select(engine.Auto, "sudo podman-compose")
	fmt.Println(chosen.Provisioners[0].Engine(), chosen.Sudo, err)
	_, err = engine.Select("process", "docker compose")
	fmt.Println(err)
	// Output:
	// podman true <nil>
	// engine "process" and compose command "docker compose": they contradict each other
}
