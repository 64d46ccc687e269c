package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/internal/openssh"
)

const userPrefix = "sbxlab-"

// account is a user the lab makes; its name is userPrefix and the alias without
// "lab-".
type account struct {
	alias, shell string
	groups       []string
	podman       bool              // it has one of its own
	files        map[string]string // in its home
}

func (a account) name() string { return userPrefix + strings.TrimPrefix(a.alias, "lab-") }

func accounts() []account {
	podmanFiles := map[string]string{
		".config/containers/containers.conf": podmanConfig,
		".config/containers/storage.conf":    storageConfig,
	}
	noise := "echo noise on stdout\necho noise on stderr >&2\n"
	return []account{
		{alias: "lab-bash", shell: "bash"},
		{alias: "lab-dash", shell: "dash"},
		{alias: "lab-zsh", shell: "zsh"},
		{alias: "lab-fish", shell: "fish"},
		{alias: "lab-tcsh", shell: "tcsh"},
		{alias: "lab-mksh", shell: "mksh"},
		{alias: "lab-docker", shell: "bash", groups: []string{"docker"}},
		{alias: "lab-plain", shell: "bash"},
		{alias: "lab-podman", shell: "bash", podman: true, files: podmanFiles},
		{alias: "lab-podfish", shell: "fish", podman: true, files: podmanFiles},
		{alias: "lab-sudo", shell: "bash"},
		{alias: "lab-admin", shell: "bash"},
		{alias: "lab-noisy", shell: "bash", files: map[string]string{".bashrc": noise}},
		{alias: "lab-nologin", shell: "nologin"},
	}
}

// addUsers makes the accounts whose shell is there, with their homes below dir,
// and returns every alias that is about an account. They have no password.
func addUsers(ctx context.Context, dir string) ([]openssh.Login, error) {
	logins := []openssh.Login{{Alias: "lab-root", User: "root"}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, a := range accounts() {
		shell, err := exec.LookPath(a.shell)
		if err != nil {
			continue // the tests of this shell ask for it, too
		}
		a.shell = shell
		if err := addUser(ctx, a, filepath.Join(dir, a.name())); err != nil {
			return nil, err
		}
		logins = append(logins, openssh.Login{Alias: a.alias, User: a.name()})
	}
	return logins, nil
}

func addUser(ctx context.Context, a account, home string) error {
	args := []string{"-p", "*", "-U", "-M", "-d", home, "-s", a.shell}
	if len(a.groups) > 0 {
		args = append(args, "-G", strings.Join(a.groups, ","))
	}
	if err := run(ctx, "useradd", append(args, a.name())...); err != nil {
		return err
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for file, text := range a.files {
		path := filepath.Join(home, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return run(ctx, "chown", "-R", a.name()+":", home)
}

// removeUsers removes every account with the lab's prefix and kills what runs
// under it. Their homes are the caller's to remove.
func removeUsers(ctx context.Context) error {
	uids, err := labUsers()
	if err != nil {
		return err
	}
	for uid, name := range uids {
		for _, p := range daemon.Processes() {
			if p.UID != uid {
				continue
			}
			// What runs in its containers may have another user.
			for _, child := range append(daemon.Descendants(p.PID), p) {
				child.Kill()
			}
		}
		if err := removeRootless(uid); err != nil {
			return err
		}
		// -f: a process just killed may not be gone yet.
		if err := run(ctx, "userdel", "-f", name); err != nil {
			return err
		}
	}
	return nil
}

// labUsers reads the lab's accounts from passwd(5), as in
// `sbxlab-bash:x:1000:1000::/tmp/sbx-lab/home/sbxlab-bash:/bin/bash`.
func labUsers() (map[uint32]string, error) {
	data, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return nil, err
	}
	return parseUsers(string(data))
}

func parseUsers(passwd string) (map[uint32]string, error) {
	users := make(map[uint32]string)
	for line := range strings.Lines(passwd) {
		fields := strings.Split(line, ":")
		if !strings.HasPrefix(line, userPrefix) || len(fields) < 3 {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil || uid == 0 {
			return nil, fmt.Errorf("bad line in /etc/passwd: %q", line)
		}
		users[uint32(uid)] = fields[0]
	}
	return users, nil
}
