// Package engine lists the provisioners that ship with the module.
package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/process"
)

// Auto is the name by which Select takes what there is.
const Auto = "auto"

// ErrConflict: the engine and the compose tool chosen do not go together.
var ErrConflict = errors.New("they contradict each other")

// All returns every provisioner, in order of preference: docker by "docker
// compose", then plain processes. A Sandboxer takes processes only where no
// engine is installed.
func All() []sandboxer.Provisioner {
	return []sandboxer.Provisioner{compose.Docker{}, process.Provisioner{}}
}

// composeCommand is the compose tool that is driven, as argv.
var composeCommand = []string{"docker", "compose"}

// Select returns the provisioners that were chosen by the name of an engine,
// which is that of a sandboxer.Engine or Auto, and by a command for compose,
// such as "docker compose". An empty string is no choice. What is chosen
// stands alone: nothing else is fallen back to.
//
// An error is always about what was chosen, never about a host; it is
// ErrConflict where each choice alone would do. The command is split at white
// space and compared, and never given to a shell.
func Select(name, command string) ([]sandboxer.Provisioner, error) {
	argv := strings.Fields(command)
	tool := sandboxer.Engine("") // the engine that the command belongs to
	switch {
	case len(argv) == 0:
	case slices.Equal(argv, composeCommand):
		tool = sandboxer.EngineDocker
	default:
		return nil, fmt.Errorf("compose command %q: this version drives %q only", command, strings.Join(composeCommand, " "))
	}
	switch chosen := sandboxer.Engine(name); chosen {
	case "", Auto:
		if tool == "" {
			return All(), nil
		}
		return only(tool), nil
	case sandboxer.EngineDocker, sandboxer.EngineProcess:
		if tool != "" && tool != chosen {
			return nil, fmt.Errorf("engine %q and compose command %q: %w", name, command, ErrConflict)
		}
		return only(chosen), nil
	case sandboxer.EnginePodman:
		return nil, fmt.Errorf("engine %q: this version drives docker by %q only", name, strings.Join(composeCommand, " "))
	}
	return nil, fmt.Errorf("engine %q: want auto, docker or process", name)
}

func only(engine sandboxer.Engine) []sandboxer.Provisioner {
	return slices.DeleteFunc(All(), func(p sandboxer.Provisioner) bool { return p.Engine() != engine })
}
