package compose

import (
	"cmp"
	_ "embed"
	"regexp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// What is particular to an engine, and to a compose tool, is in a file of
// shell functions each. docker.sh and docker_v2.sh show which there are.
var (
	//go:embed docker.sh
	dockerFunctions string
	//go:embed docker_v2.sh
	dockerV2Functions string
	//go:embed docker_compose.sh
	dockerComposeFunctions string
	//go:embed podman.sh
	podmanFunctions string
	//go:embed podman_compose.sh
	podmanComposeFunctions string
)

// A tool is a compose tool and the engine that it drives.
type tool struct {
	engine  sandboxer.Engine
	name    string // as in EngineInfo.ComposeTools
	client  string // the engine's own
	program string // the compose tool, where it is not a plugin of the client
	path    bool   // program or client was given by its path
	sudo    bool

	asks   string // shell functions that ask the engine
	drives string // shell functions that drive the tool
}

func (d Docker) tool() tool {
	return tool{
		engine: sandboxer.EngineDocker, name: "docker compose", client: cmp.Or(d.Program, "docker"), path: d.Program != "", sudo: d.Sudo,
		asks: dockerFunctions, drives: dockerV2Functions,
	}
}

func (d DockerCompose) tool() tool {
	return tool{
		engine: sandboxer.EngineDocker, name: "docker-compose", client: "docker", program: cmp.Or(d.Program, "docker-compose"),
		path: d.Program != "", sudo: d.Sudo, asks: dockerFunctions, drives: dockerComposeFunctions,
	}
}

func (p Podman) tool() tool {
	return tool{
		engine: sandboxer.EnginePodman, name: "podman-compose", client: "podman", program: cmp.Or(p.Program, "podman-compose"),
		path: p.Program != "", sudo: p.Sudo, asks: podmanFunctions, drives: podmanComposeFunctions,
	}
}

// vars are the variables by which an engine's functions know it.
func (t tool) vars() []bringup.Var {
	sudo := ""
	if t.sudo {
		sudo = "sudo -n"
	}
	return []bringup.Var{{Name: "sudo", Value: sudo}, {Name: "client", Value: t.client}}
}

// rootless reports whether the engine is the user's own. Before it is used for
// the first time it does not say so itself.
func (t tool) rootless(box sandboxer.Placement) bool {
	switch {
	case t.engine == sandboxer.EnginePodman && t.sudo:
		return false
	case box.Engine.Rootless != nil:
		return *box.Engine.Rootless
	}
	return t.engine == sandboxer.EnginePodman && box.Owner.UID != 0
}

// command is what a person would type.
func (t tool) command() string {
	name := t.name
	switch {
	case t.path && t.program != "":
		name = t.program
	case t.path:
		name = t.client + " compose"
	}
	if t.sudo {
		name = "sudo " + name
	}
	return name
}

// versionForm is a version in what a tool says of itself: "2.40.3", "v2.3.4",
// "docker-compose version 1.29.2, build unknown", "podman-composer version  1.0.3".
var versionForm = regexp.MustCompile(`(?:^|(?:compose|composer) version:? +)v?([0-9]+\.[0-9][0-9A-Za-z.+-]*)`)

// readVersion returns what the tool says it is, as in Started.Compose.
func (t tool) readVersion(said []byte) string {
	found := versionForm.FindSubmatch(said)
	if found == nil {
		return ""
	}
	name := t.name + " " + string(found[1])
	if t.sudo {
		name = "sudo " + name
	}
	return name
}
