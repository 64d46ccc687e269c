package model

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
)

// A machine is this one, with a home, a PATH and a clock of its own, and no
// container engine. Its clock stands still but for what the test does to it.
type machine struct {
	dir string   // all of it is in there
	env []string // further environment
	cut *cut     // of the operation under way; nil: commands run to their end
}

// A cut ends an operation before its time.
type cut struct {
	tool   int    // at which of the tools that its scripts call, from 1; or
	answer int    // whose command's answer, of those that change something, is the last to be lost
	signal string // to the whole process group, at a tool
	late   bool   // when the tool is done, and not before it begins
	dark   bool   // from then on the host cannot be reached

	done bool
}

// tools are what scripts on a host may call.
var tools = []string{
	"base64", "cat", "chmod", "cmp", "cp", "cut", "date", "dd", "du", "env", "find", "flock", "grep", "gzip", "head", "id", "kill",
	"ln", "ls", "mkdir", "mktemp", "mv", "nice", "nohup", "ps", "readlink", "rm", "rmdir", "sed", "setsid", "sha256sum", "sh", "sleep",
	"sort", "stat", "sync", "tail", "tar", "timeout", "touch", "tr", "true", "uname", "unshare", "wc", "xargs",
}

// dateScript is date(1) at the time that a file says.
const dateScript = `#!/bin/sh
read -r now <%[1]s/clock
exec %[2]s -d "@$now" "$@"
`

// shimScript stands before a tool while an operation is to be cut off: it counts
// down and, at naught, ends the whole process group, itself with it.
const shimScript = `#!/bin/sh
read -r left signal late <%[1]s/cut
left=$((left - 1))
echo "$left $signal $late" >%[1]s/cut
[ "$left$late" = 0false ] && kill -s "$signal" 0
[ "$left$late" = 0true ] || exec "%[1]s/bin/${0##*/}" "$@"
"%[1]s/bin/${0##*/}" "$@"
kill -s "$signal" 0
`

func newMachine(t testing.TB) *machine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{dir: dir, env: []string{"DOCKER_HOST=unix://" + dir + "/none.sock"}}
	for _, d := range []string{m.home(), dir + "/bin", dir + "/shim"} {
		must(t, os.Mkdir(d, 0o700))
	}
	must(t, os.WriteFile(dir+"/shim/any", fmt.Appendf(nil, shimScript, dir), 0o755))
	m.link(t, tools...)
	return m
}

// link puts tools of this machine into the PATH of its commands, those that it
// has.
func (m *machine) link(t testing.TB, names ...string) {
	t.Helper()
	dir := m.dir
	for _, name := range names {
		path, err := exec.LookPath(name)
		switch {
		case err != nil: // then the scripts do without
		case name == "date":
			must(t, os.WriteFile(dir+"/bin/date", fmt.Appendf(nil, dateScript, dir, path), 0o755))
		case name == "sh": // or a shim would run itself
			must(t, errors.Join(os.Symlink(path, dir+"/bin/sh"), os.Symlink(path, dir+"/shim/sh")))
			continue
		default:
			must(t, os.Symlink(path, dir+"/bin/"+name))
		}
		must(t, os.Symlink("any", dir+"/shim/"+name))
	}
}

func (m *machine) home() string  { return m.dir + "/home" }
func (m *machine) root() string  { return m.dir + "/root" }
func (m *machine) state() string { return m.home() + "/.local/state/sandboxer" }

// setClock sets the time that date(1) tells there.
func (m *machine) setClock(now time.Time) error {
	return os.WriteFile(m.dir+"/clock", fmt.Appendf(nil, "%d.%09d\n", now.Unix(), now.Nanosecond()), 0o600)
}

var _ sandboxer.Host = (*machine)(nil)

func (m *machine) Name() string { return "machine" }

// Run runs one command, or the part of it that is left of it by the cut.
func (m *machine) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	c := m.cut
	if c != nil && c.done && c.dark {
		return sandboxer.Result{}, &sandboxer.HostError{Host: m.Name(), Op: "dial", Err: errors.New("no route")}
	}
	path := m.dir + "/bin"
	armed := c != nil && !c.done && !looks(cmd)
	if armed && c.tool > 0 {
		path = m.dir + "/shim"
		if err := os.WriteFile(m.dir+"/cut", fmt.Appendf(nil, "%d %s %v\n", c.tool, c.signal, c.late), 0o600); err != nil {
			return sandboxer.Result{}, &sandboxer.HostError{Host: m.Name(), Op: "start", Err: err}
		}
	}
	cmd.Env = slices.Concat([]string{"HOME=" + m.home(), "PATH=" + path}, m.env, cmd.Env)
	res, err := localhost.Host{Dir: m.home()}.Run(ctx, cmd)
	if err != nil || !armed {
		return res, err
	}
	return m.countDown(res)
}

// countDown takes from the cut what the last command has used up of it.
func (m *machine) countDown(res sandboxer.Result) (sandboxer.Result, error) {
	c := m.cut
	if c.tool > 0 {
		text, err := os.ReadFile(m.dir + "/cut")
		if err == nil {
			left, _, _ := strings.Cut(string(text), " ")
			c.tool, err = strconv.Atoi(left)
		}
		if err != nil {
			return res, &sandboxer.HostError{Host: m.Name(), Op: "run", Started: true, Err: err}
		}
		c.done = c.tool <= 0
		return res, nil
	}
	c.answer--
	if c.done = c.answer <= 0; c.done {
		return sandboxer.Result{}, &sandboxer.HostError{Host: m.Name(), Op: "run", Started: true, Err: errors.New("link lost")}
	}
	return res, nil
}

// looks reports whether cmd changes nothing: the probe.
func looks(cmd sandboxer.Cmd) bool {
	for _, a := range cmd.Args {
		if a == "sandboxer-probe" {
			return true
		}
	}
	return false
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
