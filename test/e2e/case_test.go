package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// young lets a test reap what it has just made, for good.
var young = sandboxer.StalePolicy{AllowYoung: true, IncludeUnclaimed: true, KeepTrash: -1}

// A yard is what one caller has on a host: a home, a root with sandboxes that
// are plain processes, and, outside of that, things that are no business of the
// caller's. The test itself is root and may spoil all of it.
type yard struct {
	t    *testing.T
	user *lab.User // whose it is
	host sandboxer.Host
	box  *sandboxer.Sandboxer

	base    string // of this yard alone
	home    string
	root    string
	outside string

	path   string   // what stands first in PATH on the host
	vars   []string // more environment of command
	prefix []string // before the command of command
	engine string   // of command; empty: it is left to find one
}

// callers runs a test for root on this machine, and for an ordinary user who
// comes over ssh.
func callers(t *testing.T, test func(y *yard)) {
	t.Helper()
	lab.Require(t, "root", "sshd", "ssh")
	t.Run("root", func(t *testing.T) { test(newYard(t, "root")) })
	t.Run("user", func(t *testing.T) { test(newYard(t, "sbxlab-dash")) })
}

func newYard(t *testing.T, name string) *yard {
	t.Helper()
	base, err := os.MkdirTemp("", "case")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tidy(t, base) })
	y := &yard{t: t, base: base, home: base + "/home", root: base + "/root", outside: base + "/outside", path: base + "/bin", engine: "process"}
	if y.user, err = lab.FindUser(name); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{y.home, y.outside, y.path} {
		err = errors.Join(err, os.Mkdir(dir, 0o755))
	}
	y.write(y.outside+"/precious", "do not touch\n")
	y.write(base+"/storage.conf", "graphroot = \""+base+"/nowhere\"\n")
	err = errors.Join(err, os.Chmod(base, 0o755), os.Chown(base, y.user.UID, y.user.GID), os.Chown(y.home, y.user.UID, y.user.GID))
	if err != nil {
		t.Fatal(err)
	}
	y.host = localhost.Host{}
	if name != "root" {
		alias := "lab-" + strings.TrimPrefix(name, "sbxlab-")
		over := sshhost.New(alias, sshhost.Config{ConfigFile: lab.Open(t).SSHConfig})
		t.Cleanup(func() { over.Close() })
		y.host = over
	}
	y.host = within{y.host, y.env()}
	y.box = &sandboxer.Sandboxer{Provisioners: []sandboxer.Provisioner{process.Provisioner{}}, Collector: probe.Collector{}, Root: y.root}
	return y
}

// tidy ends what still runs below base, and takes it away, with what is
// mounted there.
func tidy(t *testing.T, base string) {
	for _, pid := range runningIn(t, base) {
		_ = exec.Command("kill", "-KILL", pid).Run() // which may have ended by itself
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Error(err)
	}
	lines := slices.Collect(strings.Lines(string(mounts)))
	for _, line := range slices.Backward(lines) {
		if at := strings.Fields(line)[1]; strings.HasPrefix(at, base+"/") {
			if out, err := exec.Command("umount", "-l", at).CombinedOutput(); err != nil {
				t.Errorf("umount %s: %v: %s", at, err, out)
			}
		}
	}
	if out, err := exec.Command("rm", "-rf", base).CombinedOutput(); err != nil {
		t.Errorf("rm -rf %s: %v: %s", base, err, out)
	}
}

// runningIn lists the processes of sandboxes below base.
func runningIn(t *testing.T, base string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil && bytes.Contains(data, []byte("SANDBOXER_DIR="+base+"/")) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

// env is what a command on the host gets beside its own. With it no engine is
// asked: a podman that has never been used is not, nor is a docker that is one.
func (y *yard) env() []string {
	return []string{
		"HOME=" + y.home, "PATH=" + y.path + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"CONTAINERS_STORAGE_CONF=" + y.base + "/storage.conf", "DOCKER_HOST=unix:///run/podman/podman.sock",
	}
}

// A within host gives each command more environment.
type within struct {
	sandboxer.Host
	env []string
}

func (h within) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Env = append(slices.Clone(h.env), cmd.Env...)
	return h.Host.Run(ctx, cmd)
}

// A watched host calls before with the name of each script it is to run:
// probe, reserve, locked, store, destroy, reap.
type watched struct {
	sandboxer.Host
	before func(script string)
}

func (h watched) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	name := ""
	if len(cmd.Args) > 3 {
		name = strings.TrimPrefix(cmd.Args[3], "sandboxer-")
	}
	h.before(name)
	return h.Host.Run(ctx, cmd)
}

// justBefore returns the yard's host, on which do happens after everything has
// been looked at, and before the script acts.
func (y *yard) justBefore(script string, do func()) sandboxer.Host {
	return watched{y.host, func(name string) {
		if name == script {
			do()
		}
	}}
}

// sh returns a spec that runs a shell script until it makes the file
// "ready", or ends.
func sh(script string) sandboxer.Spec {
	files := fstest.MapFS{
		"bin":         {Mode: fs.ModeDir | 0o755},
		"data":        {Mode: fs.ModeDir | 0o755},
		"bin/program": {Data: []byte("#!/bin/sh\n" + script + "\n"), Mode: 0o755},
		"data/file":   {Data: []byte("data\n"), Mode: 0o644},
	}
	return sandboxer.Spec{
		Profile: "case", Process: []string{"bin/program"}, ReadyFile: "ready", WaitTimeout: 30 * time.Second,
		Files: func(context.Context, sandboxer.Platform) (fs.FS, error) { return files, nil },
	}
}

// staying is a program that runs until it is told to end.
const staying = "trap 'kill $!; exit 0' TERM\nsleep 3600 &\n: >ready\nwait"

func (y *yard) create(spec sandboxer.Spec) sandboxer.ID {
	y.t.Helper()
	status, err := y.box.Create(y.t.Context(), y.host, spec)
	if err != nil {
		y.t.Fatalf("create: %v", err)
	}
	return status.SandboxID
}

// dead returns a sandbox that has expired.
func (y *yard) dead() sandboxer.ID {
	y.t.Helper()
	spec := sh(": >ready")
	spec.TTL = time.Nanosecond
	return y.create(spec)
}

// live returns a sandbox that is in use.
func (y *yard) live() sandboxer.ID {
	y.t.Helper()
	return y.create(sh(staying))
}

// more returns sandboxes that are like one that was created, but for what tells
// them apart. It takes no time to make them, and nothing runs in them.
func (y *yard) more(like sandboxer.ID, n int) []sandboxer.ID {
	y.t.Helper()
	record, err := os.ReadFile(y.registry(like))
	if err != nil {
		y.t.Fatal(err)
	}
	ids := make([]sandboxer.ID, n)
	for i := range ids {
		id := sandboxer.ID(fmt.Sprintf("more-%06d", i))
		ids[i] = id
		err := errors.Join(os.Mkdir(y.dir(id), 0o700), os.Mkdir(y.dir(id)+"/.sandboxer", 0o700),
			os.WriteFile(y.meta(id), record, 0o600), os.WriteFile(y.registry(id), record, 0o600))
		if err != nil {
			y.t.Fatal(err)
		}
		inode := y.inode(y.dir(id))
		birth := onhost.ParseBirth(strings.TrimSpace(y.as(y.user, "stat", "-c", "%.9W", y.dir(id))))
		y.edit(func(r *sandboxer.Record) {
			r.SandboxID, r.Nonce, r.Inode, r.Birth, r.Resources = id, fmt.Sprintf("%032x", i), inode, birth, nil
		}, y.meta(id), y.registry(id))
		for _, path := range []string{y.dir(id), y.dir(id) + "/.sandboxer", y.meta(id), y.registry(id)} {
			if err := os.Chown(path, y.user.UID, y.user.GID); err != nil {
				y.t.Fatal(err)
			}
		}
	}
	return ids
}

func (y *yard) inode(path string) int64 {
	y.t.Helper()
	stat := new(syscall.Stat_t)
	if err := syscall.Stat(path, stat); err != nil {
		y.t.Fatal(err)
	}
	return int64(stat.Ino)
}

func (y *yard) dir(id sandboxer.ID) string { return y.root + "/" + string(id) }

func (y *yard) meta(id sandboxer.ID) string { return y.dir(id) + "/.sandboxer/meta.json" }

func (y *yard) registry(id sandboxer.ID) string {
	return y.home + "/.local/state/sandboxer/registry/" + string(id) + ".json"
}

// write makes or fills a file of root's.
func (y *yard) write(path, content string) {
	y.t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		y.t.Fatal(err)
	}
}

// mkdir makes a directory of the caller's.
func (y *yard) mkdir(path string) {
	y.t.Helper()
	y.as(y.user, "mkdir", "-p", path)
}

// as runs a command in a user's name.
func (y *yard) as(u *lab.User, argv ...string) string {
	y.t.Helper()
	argv = u.Command(argv...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		y.t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return string(out)
}

// do runs a command as root.
func (y *yard) do(argv ...string) {
	y.t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		y.t.Fatalf("%q: %v: %s", argv, err, out)
	}
}

// fileSystem makes a directory of the caller's with a file system of its own,
// in memory.
func (y *yard) fileSystem(dir, options string) {
	y.t.Helper()
	y.do("mkdir", "-p", dir)
	y.do("mount", "-t", "tmpfs", "-o", fmt.Sprintf("uid=%d,gid=%d,%s", y.user.UID, y.user.GID, options), "tmpfs", dir)
}

// edit changes the records at these paths as whoever can write there would.
func (y *yard) edit(change func(*sandboxer.Record), paths ...string) {
	y.t.Helper()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			y.t.Fatal(err)
		}
		var rec sandboxer.Record
		if err := json.Unmarshal(data, &rec); err != nil {
			y.t.Fatal(err)
		}
		change(&rec)
		if data, err = json.Marshal(rec); err != nil {
			y.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil { // in place: owner and mode stay
			y.t.Fatal(err)
		}
	}
}
