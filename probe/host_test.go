package probe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

// A machine is this one, with a home, a root and a PATH of its own. Commands
// run with the shell named, so that the script can be put to each of them.
type machine struct {
	t     testing.TB
	home  string
	root  string
	bin   string   // the only directory in PATH
	shell []string // what stands for sh
	env   []string // further environment
	runs  int
	bytes []byte // the last answer
	said  string // what the last command wrote to standard error
}

// tools is all that the script may need of a host, engines aside.
var tools = []string{"sh", "date", "id", "grep", "stat", "find", "tar", "gzip", "head", "uname", "timeout", "sed", "cat", "dd"}

// newMachine returns a machine with no engine.
func newMachine(t testing.TB) *machine {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, home: dir + "/home", root: dir + "/root", bin: dir + "/bin", shell: []string{"sh"}}
	for _, d := range []string{m.home, m.bin} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	m.link(tools...)
	m.env = []string{"DOCKER_HOST=unix://" + dir + "/docker.sock"}
	return m
}

// link puts commands of this machine into PATH.
func (m *machine) link(names ...string) {
	m.t.Helper()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil && !errors.Is(err, os.ErrExist) {
			m.t.Fatal(err)
		}
	}
}

// script puts a shell script into PATH.
func (m *machine) script(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.bin, name)
	m.write(path+".new", "#!/bin/sh\n"+text, 0o755)
	must(m.t, os.Rename(path+".new", path)) // what is there may be a link to this machine's own
}

func (m *machine) write(path, content string, mode os.FileMode) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) Name() string { return "machine" }

func (m *machine) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	m.runs++
	if cmd.Args[0] != "sh" {
		return sandboxer.Result{}, errors.New("want the script run with sh, not " + cmd.Args[0])
	}
	args := slices.Concat(m.shell, cmd.Args[1:])
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env = slices.Concat([]string{"PATH=" + m.bin, "HOME=" + m.home}, m.env, cmd.Env)
	c.Dir = "/"
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	m.bytes, m.said = stdout.Bytes(), stderr.String()
	for data := m.bytes; len(data) > 0; { // in pieces, as from a network
		n := min(len(data), 1000)
		if _, err := cmd.Stdout.Write(data[:n]); err != nil {
			return sandboxer.Result{}, err
		}
		data = data[n:]
	}
	if _, err := cmd.Stderr.Write(stderr.Bytes()); err != nil {
		return sandboxer.Result{}, err
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return sandboxer.Result{ExitCode: -1}, &sandboxer.HostError{Host: "machine", Op: "start", Err: err}
	}
	return sandboxer.Result{ExitCode: c.ProcessState.ExitCode()}, nil
}

// collect looks at the machine, which must succeed.
func (m *machine) collect(opts sandboxer.CollectOptions) sandboxer.Observation {
	m.t.Helper()
	if opts.Root == "" {
		opts.Root = m.root
	}
	obs, err := probe.Collector{}.Collect(m.t.Context(), m, opts)
	if err != nil {
		m.t.Fatal(err)
	}
	return obs
}

// record returns a good record of a sandbox of this machine and user.
func (m *machine) record(id string) sandboxer.Record {
	obs := m.collect(sandboxer.CollectOptions{Root: m.home + "/nothing"})
	created := time.Date(2025, 11, 23, 20, 0, 0, 0, time.UTC)
	return sandboxer.Record{
		Schema: sandboxer.RecordSchema, SandboxID: sandboxer.ID(id), Nonce: strings.Repeat("0123456789abcdef", 2),
		Profile: "profile.test", Owner: sandboxer.Owner{User: "me", UID: int64(os.Getuid()), Controller: "me@laptop"},
		MachineID: *obs.Snapshot.Identity.MachineID, BootID: *obs.Snapshot.Identity.BootID, Root: m.root,
		Engine: sandboxer.EngineDocker, CreatedAt: created, UpdatedAt: created.Add(time.Minute), State: sandboxer.StateReady,
	}
}

// put stores a record in the sandbox's directory, in the registry, or in both.
func (m *machine) put(rec sandboxer.Record, where string) {
	m.t.Helper()
	data, err := json.Marshal(rec)
	if err != nil {
		m.t.Fatal(err)
	}
	id := string(rec.SandboxID)
	if where != "registry" {
		m.write(m.root+"/"+id+"/.sandboxer/meta.json", string(data), 0o600)
		if err := os.Chmod(m.root, 0o700); err != nil {
			m.t.Fatal(err)
		}
	}
	if where != "directory" {
		m.write(m.home+"/.local/state/sandboxer/registry/"+id+".json", string(data), 0o600)
	}
}

// sh runs a command as the machine would.
func (m *machine) sh(t testing.TB, script string, args ...string) {
	t.Helper()
	c := exec.Command(m.shell[0], append([]string{"-c", script, "sh"}, args...)...)
	c.Env = []string{"PATH=" + m.bin, "HOME=" + m.home}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, out)
	}
}

func fsWalk(dir string, visit func(path string, info os.FileInfo)) error {
	return filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			visit(path, info)
		}
		return err
	})
}

func find(t testing.TB, obs sandboxer.Observation, id string) sandboxer.Sandbox {
	t.Helper()
	s := obs.Inventory.Find(sandboxer.ID(id))
	if s == nil {
		t.Fatalf("got no sandbox %q, want one; directories: %+v", id, obs.Inventory.Directories)
	}
	return *s
}
