package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// A site is an engine with a compose tool, for one user, and the way there.
type site struct {
	name    string
	engine  string
	tool    string // as SANDBOXER_COMPOSE_CMD has it; empty: left to be found
	account string // alias of the lab
	remote  bool   // over ssh, or on this machine as that user
	parts   []string
}

// sites are the engines that must be served, each over ssh and here.
func sites() []site {
	var all []site
	for _, remote := range []bool{true, false} {
		way := "local"
		if remote {
			way = "ssh"
		}
		for _, s := range []site{
			{name: "docker-v2", engine: "docker", account: "lab-docker", parts: []string{"dockerd", "docker-cli", "compose-v2"}},
			{name: "docker-v1", engine: "docker", tool: "docker-compose", account: "lab-docker", parts: []string{"dockerd", "docker-cli", "compose-v1"}},
			{name: "podman", engine: "podman", tool: "podman-compose", account: "lab-root", parts: []string{"podman", "podman-compose"}},
			{name: "podman-rootless", engine: "podman", tool: "podman-compose", account: "lab-podman", parts: []string{"rootless", "podman-compose"}},
		} {
			s.name, s.remote = s.name+"/"+way, remote
			all = append(all, s)
		}
	}
	return all
}

// A console is a user at a shell who works on a site.
type console struct {
	t    *testing.T
	site site
	user *lab.User // on the site
	home string    // of the user at the shell
	argv []string  // before every command
	root string    // where sandboxes live
}

// open returns a console whose user has an empty home, and the command and ssh
// in PATH. The site's own objects are this test's alone until it ends.
func (s site) open(t *testing.T) *console {
	t.Helper()
	lab.Require(t, append([]string{"root", "sshd", "ssh"}, s.parts...)...)
	lab.EngineLock(t)
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, site: s, root: "/tmp/sandboxer"}
	name := "root"
	if s.account != "lab-root" {
		name = "sbx" + s.account
	}
	if c.user, err = lab.FindUser(name); err != nil {
		t.Fatal(err)
	}
	actor := c.user
	if s.remote {
		if actor, err = lab.FindUser("root"); err != nil {
			t.Fatal(err)
		}
	}
	own, err := os.MkdirTemp("", "e2e-home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(own) })
	c.home = own
	bin := filepath.Join(own, "bin")
	if err := errors.Join(os.Mkdir(bin, 0o755), os.Symlink(path, bin+"/sandboxer"), os.Chmod(own, 0o755)); err != nil {
		t.Fatal(err)
	}
	c.argv = append(actor.Command("env"), "PATH="+bin+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
	if s.remote {
		c.argv = append(c.argv, "HOME="+c.home, "SANDBOXER_SSH_CONFIG="+c.sshConfig(bin))
	} else if s.account == "lab-root" {
		c.argv = append(c.argv, "HOME="+c.home)
	} else {
		c.home = c.user.Home // rootless podman's storage is there
	}
	return c
}

// sshConfig gives the account the alias that the documents use, to ssh and to
// sandboxer alike.
func (c *console) sshConfig(bin string) string {
	c.t.Helper()
	l := lab.Open(c.t)
	config := filepath.Join(c.home, "ssh_config")
	var text strings.Builder
	text.WriteString("Host coulombcore\n")
	for line := range strings.Lines(output(c.t, "ssh", "-F", l.SSHConfig, "-G", c.site.account)) {
		key, _, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"hostname", "port", "user", "identityfile", "identitiesonly", "identityagent", "userknownhostsfile", "hostkeyalias"}, key) {
			text.WriteString("  " + line)
		}
	}
	text.WriteString("  StrictHostKeyChecking yes\n")
	wrapper := "#!/bin/sh\nexec /usr/bin/ssh -F " + config + " \"$@\"\n"
	if err := errors.Join(os.WriteFile(config, []byte(text.String()), 0o644), os.WriteFile(bin+"/ssh", []byte(wrapper), 0o755)); err != nil {
		c.t.Fatal(err)
	}
	return config
}

// command returns a command line for this user's shell.
func (c *console) command(line string) *exec.Cmd {
	argv := append(slices.Clone(c.argv), "sh", "-c", line)
	return exec.Command(argv[0], argv[1:]...)
}

// run runs a command line in this user's shell.
func (c *console) run(line string) (stdout, stderr string, code int) {
	c.t.Helper()
	cmd := c.command(line)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for what has to succeed.
func (c *console) must(line string) string {
	c.t.Helper()
	out, errs, code := c.run(line)
	if code != 0 {
		c.t.Fatalf("%s: got exit code %d, want 0\n%s%s", line, code, out, errs)
	}
	return out
}

// sandboxer is the command line for a verb on the site, for tests that are not
// about how a user names it.
func (c *console) sandboxer(args string) string {
	line := "sandboxer --root " + c.root
	if c.site.remote {
		line += " --host coulombcore"
	}
	if c.site.tool != "" {
		line += " --compose-cmd '" + c.site.tool + "'"
	} else {
		line += " --engine " + c.site.engine
	}
	return line + " " + args
}

// onSite runs a command as the site's user, without ssh.
func (c *console) onSite(command string) string {
	c.t.Helper()
	home := c.user.Home
	if !c.site.remote {
		home = c.home
	}
	argv := c.user.Command("env", "HOME="+home, "sh", "-c", command)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("on the site: %s: %v\n%s", command, err, out)
	}
	return string(out)
}

// objects lists everything that the site's engine holds.
func (c *console) objects() string {
	c.t.Helper()
	if c.site.engine == "docker" {
		return c.onSite("(docker ps -aq --no-trunc; docker network ls -q --no-trunc; docker volume ls -q; docker images -aq --no-trunc) | sort")
	}
	return c.onSite("(podman ps -aq --no-trunc; podman pod ps -q --no-trunc; podman network ls -q; podman volume ls -q; podman images -aq --no-trunc) | sort")
}

// ownRoot gives the test a root of its own, which is removed at its end.
func (c *console) ownRoot() {
	c.root = fmt.Sprintf("/tmp/sandboxer-e2e-%d-%d", os.Getpid(), time.Now().UnixNano())
	c.t.Cleanup(func() { os.RemoveAll(c.root) })
}

// unfinished lists what records and directories of sandboxes are there.
func (c *console) unfinished() string {
	c.t.Helper()
	return c.onSite("cd; ls -d .local/state/sandboxer/registry/*.json .local/state/sandboxer/locks/?* " + c.root + "/* " + c.root + "/.[!.]* 2>/dev/null; true")
}
