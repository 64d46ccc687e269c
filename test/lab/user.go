package lab

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// User is an account of this machine, as whom a command can be run without ssh.
// That needs root, except for the user who runs the test.
type User struct {
	Name       string
	UID, GID   int
	Home       string
	RuntimeDir string // /run/user/UID, which only some users have
}

// FindUser returns the account of that name.
func FindUser(name string) (*User, error) {
	entry, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, uidErr := strconv.Atoi(entry.Uid)
	gid, gidErr := strconv.Atoi(entry.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, fmt.Errorf("ids of %q: %w", name, err)
	}
	return &User{
		Name: name, UID: uid, GID: gid, Home: entry.HomeDir,
		RuntimeDir: filepath.Join("/run/user", entry.Uid),
	}, nil
}

// Env returns what a login sets for this user, and XDG_RUNTIME_DIR if that
// directory is there.
func (u *User) Env() []string {
	env := []string{
		"HOME=" + u.Home, "USER=" + u.Name, "LOGNAME=" + u.Name,
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	if _, err := os.Stat(u.RuntimeDir); err == nil {
		env = append(env, "XDG_RUNTIME_DIR="+u.RuntimeDir)
	}
	return env
}

// Command returns argv as a command that this user runs, with the environment
// of Env and in the home: the present directory may be closed to the user.
func (u *User) Command(argv ...string) []string {
	command := append([]string{"env", "-i", "--chdir", u.Home}, u.Env()...)
	if os.Geteuid() != u.UID {
		ids := []string{"--reuid", strconv.Itoa(u.UID), "--regid", strconv.Itoa(u.GID), "--init-groups"}
		command = append(append([]string{"setpriv"}, ids...), command...)
	}
	return append(command, argv...)
}
