// Package engine lists the provisioners that ship with the module, and picks
// among them by what a person has chosen.
package engine

import (
	"errors"
	"fmt"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/process"
)

// Auto is the name by which Select takes what there is.
const Auto = "auto"

// ErrConflict: the engine and the compose tool chosen do not go together.
var ErrConflict = errors.New("they contradict each other")

// All returns every provisioner, in order of preference: docker by "docker
// compose", docker by "docker-compose", podman by "podman-compose", then plain
// processes. A Sandboxer takes processes only where no engine is installed.
func All() []sandboxer.Provisioner {
	return []sandboxer.Provisioner{compose.Docker{}, compose.DockerCompose{}, compose.Podman{}, process.Provisioner{}}
}

// A CommandError is a compose command that cannot be driven.
type CommandError struct {
	Command string // as it was given
	Why     string
	Hint    string // what would do
}

// Error says which command, and why not.
func (e *CommandError) Error() string { return fmt.Sprintf("compose command %q: %s", e.Command, e.Why) }

// A Selection is what was chosen.
type Selection struct {
	Provisioners []sandboxer.Provisioner // in order of preference

	// Sudo reports that they call the engine through "sudo -n". A Collector
	// has to ask it the same way, or it looks at another engine, or none.
	Sudo bool
}

// Select returns what was chosen by the name of an engine, which is that of a
// sandboxer.Engine or Auto, and by a command for compose, such as "docker
// compose" or "sudo podman-compose". An empty string is no choice. What is
// chosen stands alone: nothing else is fallen back to.
//
// An error is always about what was chosen, never about a host. It is
// ErrConflict where each choice alone would do, and a *CommandError where the
// command is none that can be driven. The command is split at white
// space and has to be of a known form; it is never given to a shell.
func Select(name, command string) (Selection, error) {
	chosen := sandboxer.Engine(name)
	switch chosen {
	case "", Auto, sandboxer.EngineDocker, sandboxer.EnginePodman, sandboxer.EngineProcess:
	default:
		return Selection{}, fmt.Errorf("engine %q: want auto, docker, podman or process", name)
	}
	tool, err := parseCommand(command)
	if err != nil {
		return Selection{}, err
	}
	auto := name == "" || name == Auto
	switch {
	case tool == nil && auto:
		return Selection{Provisioners: All()}, nil
	case tool == nil:
		return Selection{Provisioners: only(chosen)}, nil
	case !auto && tool.Provisioners[0].Engine() != chosen:
		return Selection{}, fmt.Errorf("engine %q and compose command %q: %w", name, command, ErrConflict)
	}
	return *tool, nil
}

func only(engine sandboxer.Engine) []sandboxer.Provisioner {
	var all []sandboxer.Provisioner
	for _, p := range All() {
		if p.Engine() == engine {
			all = append(all, p)
		}
	}
	return all
}
