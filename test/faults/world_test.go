package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/faults/steps"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A world is a home and a root on a host, with a sandbox and other things in
// it that are no business of what is tried there.
type world struct {
	t   *testing.T
	Dir string
	// Path are the commands of the host, but for engines that it has not.
	Path string

	kind kind
	near sandboxer.Host // the connection for looking at it

	bystander sandboxer.ID
	running   []string              // the bystander's processes
	seen      sandboxer.Observation // then
	still     state
}

// A kind is what worlds may differ in. That of the zero value is this user's on
// this machine, and has no engine but processes.
type kind struct {
	user  *lab.User  // whose it is; nil: this process's own
	alias string     // over ssh, then
	with  *container // its engine
}

// newWorlds returns n of a kind.
func newWorlds(t *testing.T, k kind, n int) chan *world {
	t.Helper()
	sh, err := watcher()
	if err != nil {
		t.Fatal(err)
	}
	commands := lab.OpenDir(t)
	absent := slices.DeleteFunc([]string{"docker", "dockerd", "podman"}, func(name string) bool {
		return k.with != nil && strings.HasPrefix(name, k.with.Program)
	})
	if err := collect(commands, absent...); err != nil {
		t.Fatal(err)
	}
	worlds := make(chan *world, n)
	for range n {
		w := &world{t: t, Dir: lab.OpenDir(t), Path: commands, kind: k}
		err := errors.Join(
			os.MkdirAll(w.Dir+"/bin", 0o755), os.MkdirAll(w.home()+"/other", 0o755),
			os.Link(sh, w.Dir+"/bin/sh"),
			os.WriteFile(w.home()+"/other/file", []byte("not sandboxer's"), 0o644),
		)
		if err != nil {
			t.Fatal(err)
		}
		host, closing := w.reach()
		t.Cleanup(closing)
		w.near = host
		w.inhabit()
		worlds <- w
	}
	return worlds
}

// atOnce is how many tests run side by side.
func atOnce() int {
	n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String())
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// collect links every command of the system into dir, but those named.
func collect(dir string, without ...string) error {
	for _, from := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"} {
		entries, err := os.ReadDir(from)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if slices.Contains(without, e.Name()) {
				continue
			}
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	return nil
}

func (w *world) with(t *testing.T) *world {
	other := *w
	other.t = t
	return &other
}

func (w *world) home() string   { return w.Dir + "/home" }
func (w *world) root() string   { return w.home() + "/root" }
func (w *world) run() steps.Dir { return steps.Dir(w.Dir + "/run") }

func (w *world) box() *sandboxer.Sandboxer {
	box := &sandboxer.Sandboxer{
		Provisioners: []sandboxer.Provisioner{process.Provisioner{}}, Collector: probe.Collector{}, Root: w.root(),
	}
	if w.kind.with != nil {
		box.Provisioners = []sandboxer.Provisioner{w.kind.with.provisioner}
	}
	return box
}

// reach returns the host on which the world is, and what ends the connection.
func (w *world) reach() (host sandboxer.Host, end func()) {
	switch {
	case w.kind.alias != "":
		far := sshhost.New(w.kind.alias, sshhost.Config{ConfigFile: lab.Open(w.t).SSHConfig})
		return far, func() { far.Close() }
	case w.kind.user != nil:
		return userHost{localhost.Host{Dir: "/"}, w.kind.user}, func() {}
	}
	return localhost.Host{Dir: "/"}, func() {}
}

// A stage is a host in a world.
type stage struct {
	sandboxer.Host
	env []string
}

func (s stage) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Env = append(slices.Clone(s.env), cmd.Env...)
	return s.Host.Run(ctx, cmd)
}

// host is the world's host as it is.
func (w *world) host() sandboxer.Host {
	return stage{w.near, w.env(w.Path)}
}

// watched is a host in the world with the sh that sees what scripts do.
func (w *world) watched(host sandboxer.Host) sandboxer.Host {
	return stage{host, append(w.env(w.Dir+"/bin:"+w.Path), steps.DirVar+"="+string(w.run()))}
}

func (w *world) env(path string) []string {
	env := []string{"HOME=" + w.home(), "PATH=" + path}
	if w.kind.with != nil && w.kind.user != nil { // an engine of the user's own is at home
		env = append(env, "XDG_DATA_HOME="+w.kind.user.Home+"/.local/share", "XDG_CONFIG_HOME="+w.kind.user.Home+"/.config")
	}
	return env
}

// own gives all of it to its user.
func (w *world) own() {
	w.t.Helper()
	if w.kind.user == nil {
		return
	}
	err := filepath.Walk(w.home(), func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Lchown(path, w.kind.user.UID, w.kind.user.GID))
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// expect makes ready for one operation.
func (w *world) expect(p steps.Plan) {
	w.t.Helper()
	p.World, p.Engines = w.home(), []string{"docker", "podman"}
	if err := errors.Join(os.RemoveAll(string(w.run())), w.run().Prepare(p)); err != nil {
		w.t.Fatal(err)
	}
}

// settle returns when what was left running has ended.
func (w *world) settle() {
	w.t.Helper()
	f, err := w.run().Busy(true)
	if err != nil {
		w.t.Fatal(err)
	}
	f.Close()
}

// inhabit makes what must never be touched.
func (w *world) inhabit() {
	w.t.Helper()
	w.own()
	status, err := w.box().Create(w.t.Context(), w.host(), w.spec(living))
	if err != nil {
		w.t.Fatalf("bystander: %v", err)
	}
	w.bystander = status.SandboxID
	w.t.Cleanup(func() {
		if _, err := w.box().Destroy(context.WithoutCancel(w.t.Context()), w.host(), w.bystander); err != nil {
			w.t.Errorf("bystander: %v", err)
		}
	})
	err = errors.Join(
		os.MkdirAll(w.root()+"/Not a sandbox", 0o755),
		os.WriteFile(w.root()+"/Not a sandbox/file", []byte("theirs"), 0o644),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	w.own()
	w.stray("first-to-go")
	w.must(reap, target{}) // whose own lock stays
	w.stray(stranger)
	obs, err := w.box().Inspect(w.t.Context(), w.host())
	if err != nil {
		w.t.Fatal(err)
	}
	w.seen = obs
	w.running = w.processes()
	w.still = w.look()
	if with := w.kind.with; with != nil {
		with.before = with.Objects(w.t)
	}
}

// processes returns those of sandboxes of this world: "PID START ID".
func (w *world) processes() []string {
	var all []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(env), "SANDBOXER_DIR="+w.root()+"/") {
			continue
		}
		stat, err := os.ReadFile(filepath.Dir(file) + "/stat")
		if err != nil {
			continue
		}
		rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(rest) < 20 || rest[0] == "Z" || rest[0] == "X" {
			continue
		}
		for _, e := range strings.Split(string(env), "\x00") {
			if id, ok := strings.CutPrefix(e, "SANDBOXER_ID="); ok {
				all = append(all, fmt.Sprintf("%s %s %s", filepath.Base(filepath.Dir(file)), rest[19], id))
			}
		}
	}
	slices.Sort(all)
	return all
}

// A state is all that lies in a world's home, by path.
type state map[string]string

// look returns the state, without the last records and the log of removals,
// which grow.
func (w *world) look() state {
	w.t.Helper()
	s := state{}
	err := filepath.Walk(w.home(), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, w.home())
		if name == auditLog || filepath.Dir(name) == lastRecords && filepath.Ext(name) == ".json" {
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		s[name] = fmt.Sprintf("%v inode %d", info.Mode(), st.Ino)
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			s[name] += fmt.Sprintf(" %q", data)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

const (
	auditLog    = "/.local/state/sandboxer/audit.jsonl"
	lastRecords = "/.local/state/sandboxer/registry/destroyed"
)

// untouched expects that all of before is still there, as it was.
func (s state) untouched(t *testing.T, before state) {
	t.Helper()
	for name, was := range before {
		if is := s[name]; is != was {
			t.Errorf("%s: got %.200s, want it untouched: %.200s", name, is, was)
		}
	}
}

// nothingElse expects that nothing has come.
func (s state) nothingElse(t *testing.T, before state) {
	t.Helper()
	for name, is := range s {
		if before[name] == "" {
			t.Errorf("got %s left: %.200s", name, is)
		}
	}
}
