// Package localhost runs commands on this machine.
//
// It keeps the same promises as a host reached by ssh, and so behaves
// differently from os/exec in some places: a missing program is a command that
// ended with 127, output is bounded and always drained, something left behind
// in the background does not hold a call, and a context that ends takes the
// command's whole process group with it.
package localhost

import (
	"context"
	"os"
	"os/user"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// Name is what a Host of this package is called.
const Name = "local"

// A Host is this machine. The zero value is ready for use, and a Host may be
// copied. It has nothing to close.
//
// Commands inherit the environment of this process, with PATH completed by
// the system's directories and LC_ALL=C; see Cmd.Env.
type Host struct {
	// Dir is the directory commands start in. Empty is the user's home
	// directory, as it is on a host reached by ssh.
	Dir string
}

var _ sandboxer.Host = (*Host)(nil)

// Name returns "local".
func (h Host) Name() string { return Name }

// Run runs one command; see sandboxer.Host.
//
// A Read of cmd.Stdin that still blocks when the command has ended is
// abandoned, and what it returns later is lost. A Write to cmd.Stdout or
// cmd.Stderr that blocks delays Run until ctx ends.
func (h Host) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if err := hostcmd.Check(cmd); err != nil {
		return sandboxer.Result{ExitCode: -1}, notStarted(err)
	}
	if err := hostcmd.Ended(ctx); err != nil {
		return sandboxer.Result{ExitCode: -1}, notStarted(err)
	}
	dir := h.Dir
	if dir == "" {
		dir = homeDir()
	}
	p, refused, err := start(cmd, dir, environ(cmd.Env, dir))
	switch {
	case refused != nil:
		return refused.result(cmd)
	case err != nil:
		return sandboxer.Result{ExitCode: -1}, notStarted(err)
	}
	return p.wait(ctx)
}

func notStarted(err error) error {
	return &sandboxer.HostError{Host: Name, Op: "start", Err: err}
}

// homeDir returns where a login would begin: sshd falls back to / as well.
func homeDir() string {
	for _, dir := range []string{os.Getenv("HOME"), passwdHome()} {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir
		}
	}
	return "/"
}

func passwdHome() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// environ returns the environment of a command: each name once, the last
// entry of it.
func environ(extra []string, dir string) []string {
	base := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "CDPATH=") })
	if os.Getenv("HOME") == "" { // as under a service manager
		base = append(base, "HOME="+passwdHome())
	}
	base = append(base, hostcmd.Locale, "PATH="+hostcmd.CompletePath(os.Getenv("PATH")), "PWD="+dir)
	all := append(base, extra...)
	seen := make(map[string]bool, len(all))
	var env []string
	for _, e := range slices.Backward(all) {
		name, _, _ := strings.Cut(e, "=")
		if !seen[name] {
			seen[name] = true
			env = append(env, e)
		}
	}
	slices.Reverse(env)
	return env
}

// lookup returns the last entry of env named name, without the name.
func lookup(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
