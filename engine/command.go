package engine

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
)

// plainPath is an absolute path that is one word to every shell.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9._+-]+)+$`)

// parseCommand returns what a command for compose selects, or nil for an empty
// one. Its forms are
//
//	[sudo [-n]] docker compose
//	[sudo [-n]] docker-compose
//	[sudo [-n]] podman-compose
//
// where the program may be named by its path.
func parseCommand(command string) (*Selection, error) {
	argv := strings.Fields(command)
	if len(argv) == 0 {
		return nil, nil
	}
	if bad := strings.IndexFunc(command, meaningful); bad >= 0 {
		return nil, refuse(command, fmt.Sprintf("no shell reads it, so %q means nothing in it", []rune(command[bad:])[0]))
	}
	sudo := argv[0] == "sudo"
	if sudo {
		argv = argv[1:]
		if len(argv) > 0 && argv[0] == "-n" {
			argv = argv[1:]
		}
	}
	if len(argv) == 0 {
		return nil, refuse(command, "no compose tool follows sudo")
	}
	program := "" // its path, if that is given
	if strings.Contains(argv[0], "/") {
		program = argv[0]
		if !plainPath.MatchString(program) || path.Clean(program) != program {
			return nil, refuse(command, "a program is named by its name, or by its path from the root")
		}
		argv[0] = path.Base(program)
	}
	p, err := provisioner(strings.Join(argv, " "), program, sudo)
	if err != nil {
		return nil, refuse(command, err.Error())
	}
	return &Selection{Provisioners: []sandboxer.Provisioner{p}, Sudo: sudo}, nil
}

// meaningful reports whether a shell would give r a meaning, or a terminal.
func meaningful(r rune) bool {
	return strings.ContainsRune("\n\r'\"`\\$;&|<>(){}[]*?!#~=%^", r) || unicode.IsControl(r) && r != '\t'
}

func provisioner(tool, program string, sudo bool) (sandboxer.Provisioner, error) {
	switch tool {
	case "docker compose":
		return compose.Docker{Program: program, Sudo: sudo}, nil
	case "docker-compose":
		return compose.DockerCompose{Program: program, Sudo: sudo}, nil
	case "podman-compose":
		return compose.Podman{Program: program, Sudo: sudo}, nil
	case "podman compose":
		return nil, errors.New("it only calls another tool: name that, such as podman-compose")
	}
	return nil, errors.New("that is none of the tools that are known")
}

func refuse(command, why string) error {
	return &CommandError{
		Command: command, Why: why,
		Hint: "use docker compose, docker-compose or podman-compose, by name or path, with or without sudo before it",
	}
}
