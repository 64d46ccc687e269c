// Package hostcmd holds the rules for commands that every Host of this module
// keeps, so that a command means the same wherever it runs.
package hostcmd

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// The environment. A command gets what the user's login gives, or what this
// process has on the local machine; PATH is completed, since a login by ssh
// often lacks the sbin directories; the locale is fixed, since output is
// parsed; and CDPATH, with which a script's cd may go elsewhere, is taken out.
// Cmd.Env comes last and wins.
const (
	Locale     = "LC_ALL=C"
	SystemPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"
)

// Exit codes of a program that could not be started, as a POSIX shell has
// them. The host was reached and had its say, so this is a Result.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// How long output is waited for once a command has ended and something it left
// behind still holds its output open.
const (
	OutputQuiet = 2 * time.Second  // with nothing arriving
	OutputTotal = 20 * time.Second // of waiting in all, for what keeps talking
)

// StdinLinger is how long a Read of Cmd.Stdin that is under way when the
// command ends is waited for. One that blocks for longer is abandoned: what it
// returns is lost.
const StdinLinger = 50 * time.Millisecond

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// shellOwned are variables that one shell or another refuses to have set.
var shellOwned = []string{"BASHOPTS", "BASH_VERSINFO", "EUID", "GROUPS", "PPID", "SHELLOPTS", "UID"}

// Check reports what is wrong with a command before any host sees it.
func Check(cmd sandboxer.Cmd) error {
	if len(cmd.Args) == 0 || cmd.Args[0] == "" {
		return errors.New("no program named: Args is empty")
	}
	if strings.HasPrefix(cmd.Args[0], "-") {
		return fmt.Errorf("program name %q begins with -", cmd.Args[0])
	}
	for _, a := range cmd.Args {
		if strings.ContainsRune(a, 0) {
			return fmt.Errorf("argument %q holds a NUL", a)
		}
	}
	for _, e := range cmd.Env {
		name, _, ok := strings.Cut(e, "=")
		switch {
		case !ok || !envName.MatchString(name):
			// The value may be a secret that lost its name.
			return errors.New("an entry of Env is not of the form KEY=value")
		case strings.ContainsRune(e, 0):
			return fmt.Errorf("environment variable %q holds a NUL", name)
		case slices.Contains(shellOwned, name):
			return fmt.Errorf("environment variable %q belongs to the shell", name)
		}
	}
	return nil
}

// Grace returns how long cmd has between SIGTERM and SIGKILL.
func Grace(cmd sandboxer.Cmd) time.Duration {
	if cmd.Grace == 0 {
		return sandboxer.DefaultGrace
	}
	return max(cmd.Grace, 0)
}

// CompletePath returns a PATH that ends with the system's directories.
func CompletePath(path string) string {
	if path == "" {
		return SystemPath
	}
	return path + ":" + SystemPath
}

// Ended returns why ctx has ended: an error that is ctx.Err(), and the cause
// too where somebody gave one.
func Ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); err != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
