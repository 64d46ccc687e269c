// Package engine lists the provisioners that ship with the module and picks
// among them by name, for the command and for embedders alike.
package engine

import (
	"fmt"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/process"
)

// Auto is the name that stands for "the first that answers".
const Auto = "auto"

// All returns every provisioner in order of preference: docker with "docker
// compose", then plain processes, which stand in only where no container
// engine is installed (see sandboxer.Sandboxer.Create).
func All() []sandboxer.Provisioner {
	return []sandboxer.Provisioner{compose.Docker{}, process.Provisioner{}}
}

// Names returns what Select takes for an engine.
func Names() []string {
	names := []string{Auto}
	for _, p := range All() {
		names = append(names, string(p.Engine()))
	}
	return names
}

// Select returns the provisioners for an engine and a compose tool, each of
// which may be empty: then All is narrowed by the other alone. There is no
// fallback from what was named. The error is of names that do not exist, or
// do not go together.
func Select(engine, composeCmd string) ([]sandboxer.Provisioner, error) {
	if engine == "" {
		engine = Auto
	}
	if !slices.Contains(Names(), engine) {
		return nil, fmt.Errorf("unknown engine %q: want one of %s", engine, strings.Join(Names(), ", "))
	}
	if composeCmd != "" {
		// Words, never a shell: the value comes from the environment.
		if words := strings.Fields(composeCmd); !slices.Equal(words, []string{"docker", "compose"}) {
			return nil, fmt.Errorf("compose command %q: this version drives %q only", composeCmd, "docker compose")
		}
		if engine == Auto {
			engine = string(sandboxer.EngineDocker)
		}
		if engine != string(sandboxer.EngineDocker) {
			return nil, fmt.Errorf("engine %q does not go with compose command %q", engine, composeCmd)
		}
	}
	if engine == Auto {
		return All(), nil
	}
	var some []sandboxer.Provisioner
	for _, p := range All() {
		if string(p.Engine()) == engine {
			some = append(some, p)
		}
	}
	return some, nil
}
