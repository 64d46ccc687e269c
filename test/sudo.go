package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/tegwick/sand-boxer/test/lab"
)

// sudoRule lets lab-sudo use the engines, and nothing else, and lab-admin
// everything.
const sudoRule = "/etc/sudoers.d/sandboxer-lab"

// allowSudo writes sudoRule and sees that it is in force.
func allowSudo(ctx context.Context) error {
	user, err := lab.FindUser(userPrefix + "sudo")
	if err != nil {
		return err
	}
	var commands []string
	for _, name := range []string{"docker", "docker-compose", "podman", "podman-compose"} {
		if path, err := exec.LookPath(name); err == nil {
			commands = append(commands, path)
		}
	}
	text := fmt.Sprintf("%s ALL=(root) NOPASSWD: %s\n%sadmin ALL=(root) NOPASSWD: ALL\n", user.Name, strings.Join(commands, ", "), userPrefix)
	if err := os.WriteFile(sudoRule, []byte(text), 0o440); err != nil {
		return err
	}
	argv := user.Command("sudo", "-n", "-l")
	return run(ctx, argv[0], argv[1:]...)
}

// removeSudo undoes allowSudo.
func removeSudo() error {
	err := os.Remove(sudoRule)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
