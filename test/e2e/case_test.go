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

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
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

// env is what a command on the host gets beside its own. Nobody asks a podman
// that has never been used.
func (y *yard) env() []string {
	return []string{
		"HOME=" + y.home, "PATH=" + y.path + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"CONTAINERS_STORAGE_CONF=" + y.base + "/storage.conf",
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
		stat := new(syscall.Stat_t)
		if err := syscall.Stat(y.dir(id), stat); err != nil {
			y.t.Fatal(err)
		}
		y.edit(func(r *sandboxer.Record) {
			r.SandboxID, r.Nonce, r.Inode, r.Resources = id, fmt.Sprintf("%032x", i), int64(stat.Ino), nil
		}, y.meta(id), y.registry(id))
		for _, path := range []string{y.dir(id), y.dir(id) + "/.sandboxer", y.meta(id), y.registry(id)} {
			if err := os.Chown(path, y.user.UID, y.user.GID); err != nil {
				y.t.Fatal(err)
			}
		}
	}
	return ids
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

// look is one look at the yard, judged by the policy.
func (y *yard) look(policy sandboxer.StalePolicy) (sandboxer.Observation, sandboxer.StaleReport, sandboxer.ReapPlan) {
	y.t.Helper()
	obs, err := y.box.Inspect(y.t.Context(), y.host)
	if err != nil {
		y.t.Fatal(err)
	}
	report := sandboxer.FindStale(obs, policy)
	return obs, report, sandboxer.PlanReap(obs, report)
}

// plan is what a reap that is as bold as can be would remove.
func (y *yard) plan() sandboxer.ReapPlan {
	y.t.Helper()
	_, _, plan := y.look(young)
	return plan
}

// reap carries out a plan, and holds the result against its schema.
func (y *yard) reap(host sandboxer.Host, plan sandboxer.ReapPlan) (sandboxer.ReapResult, error) {
	y.t.Helper()
	result, err := y.box.Reap(y.t.Context(), host, plan)
	if doc, docErr := y.box.NewReapResultDocument(host, sandboxer.Observation{}, result); docErr != nil {
		y.t.Error(docErr)
	} else {
		valid(y.t, doc)
	}
	return result, err
}

// reapAll removes all that may go, and fails if anything of it stays.
func (y *yard) reapAll() sandboxer.ReapResult {
	y.t.Helper()
	result, err := y.reap(y.host, y.plan())
	if err != nil {
		y.t.Errorf("reap: got %v, want nil\n%s", err, rows(result))
	}
	return result
}

// row returns "RESULT CODE" of one item, or "no row".
func row[T ~string](result sandboxer.ReapResult, ref T) string {
	for _, i := range result.Items {
		if i.Ref == string(ref) {
			if i.Code == nil {
				return string(i.Result)
			}
			return string(i.Result) + " " + *i.Code
		}
	}
	return "no row"
}

func rows(result sandboxer.ReapResult) string {
	text, _ := json.MarshalIndent(result.Items, "", "  ")
	return string(text)
}

// outcome fails unless an item's row is as wanted.
func (y *yard) outcome(result sandboxer.ReapResult, ref sandboxer.ID, want string) {
	y.t.Helper()
	if got := row(result, ref); got != want {
		y.t.Errorf("%s: got %q, want %q\n%s", ref, got, want, rows(result))
	}
}

// stale fails unless what is listed for ref is of that class and blocked by
// that code. An empty class is for what is not listed, an empty code for what
// may go.
func (y *yard) stale(report sandboxer.StaleReport, ref sandboxer.ID, class sandboxer.StaleClass, code string) {
	y.t.Helper()
	at := slices.IndexFunc(report.StaleCandidates, func(s sandboxer.StaleSandbox) bool { return s.Ref == string(ref) })
	if at < 0 {
		if class != "" {
			y.t.Errorf("%s: got it not listed, want %s", ref, class)
		}
		return
	}
	got := report.StaleCandidates[at]
	if got.Class != class || code == "" && len(got.BlockedBy) > 0 || code != "" && !slices.Contains(got.BlockedBy, code) {
		y.t.Errorf("%s: got %s blocked by %q, want %s and %q", ref, got.Class, got.BlockedBy, class, code)
	}
}

// refused fails unless err is a guard's refusal for that reason.
func (y *yard) refused(doing string, err error, code string) {
	y.t.Helper()
	var refused *sandboxer.RefusedError
	if !errors.As(err, &refused) || !refused.Has(code) {
		y.t.Errorf("%s: got %v, want it refused: %s", doing, err, code)
	}
}

// gone fails unless nothing is left of these sandboxes but their last records.
func (y *yard) gone(ids ...sandboxer.ID) {
	y.t.Helper()
	for _, id := range ids {
		left, err := filepath.Glob(y.root + "/.trash*/" + string(id) + ".*")
		if err != nil {
			y.t.Fatal(err)
		}
		for _, path := range append(left, y.dir(id), y.registry(id)) {
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				y.t.Errorf("%s: got %s still there (%v), want it gone", id, path, err)
			}
		}
	}
}

// there fails unless the directories of these sandboxes, or others of the root,
// are there.
func (y *yard) there(ids ...sandboxer.ID) {
	y.t.Helper()
	for _, id := range ids {
		if _, err := os.Lstat(y.dir(id)); err != nil {
			y.t.Errorf("%s: got %v, want its directory left alone", id, err)
		}
	}
}

// removals counts the lines about a removal of ref in the audit log.
func (y *yard) removals(ref sandboxer.ID) int {
	y.t.Helper()
	log, err := os.ReadFile(y.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		y.t.Fatal(err)
	}
	n := 0
	for line := range bytes.Lines(log) {
		var said struct{ SandboxID, Path, Result string }
		keys := map[string]string{}
		if err := json.Unmarshal(line, &keys); err != nil {
			y.t.Errorf("audit log: got %s: %v", line, err)
		}
		said.SandboxID, said.Path, said.Result = keys["sandbox_id"], keys["path"], keys["result"]
		if (said.SandboxID == string(ref) || said.Path == y.dir(ref)) && said.Result == "removed" {
			n++
		}
	}
	return n
}

// keeps notes what is at and below these paths, to the byte, the owner, the
// mode and the time, and returns what fails if that has changed.
func (y *yard) keeps(paths ...string) func() {
	y.t.Helper()
	before := y.everything(paths...)
	return func() {
		y.t.Helper()
		if diff := cmp.Diff(before, y.everything(paths...)); diff != "" {
			y.t.Errorf("%q: want it untouched: -before +now\n%s", paths, diff)
		}
	}
}

// everything is all that can be seen of what is at and below these paths.
func (y *yard) everything(paths ...string) []string {
	y.t.Helper()
	argv := append([]string{"find"}, paths...)
	argv = append(argv, "-xdev", "-printf", "%p %y %m %U:%G %s %i %n %T@ %C@ %l\n", "-type", "f", "-exec", "sha256sum", "{}", ";")
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		y.t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return slices.Sorted(strings.Lines(string(out)))
}

// command runs sandboxer on this machine as the yard's user, and returns the
// document it printed and its exit code.
func (y *yard) command(args ...string) (document string, code int) {
	y.t.Helper()
	path, err := program()
	if err != nil {
		y.t.Fatal(err)
	}
	argv := append(append([]string{"env"}, y.env()...), y.vars...)
	argv = append(argv, path, "--root", y.root, "-o", "json", "-q")
	if y.engine != "" {
		argv = append(argv, "--engine", y.engine)
	}
	argv = append(slices.Clone(y.prefix), y.user.Command(append(argv, args...)...)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = "/", &stderr
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		y.t.Fatal(err)
	}
	said := stderr.String()
	y.t.Logf("sandboxer %q: exit code %d\n%s", args, cmd.ProcessState.ExitCode(), said[max(0, len(said)-500):])
	return string(out), cmd.ProcessState.ExitCode()
}

// exits runs sandboxer and fails unless it ends with that code.
func (y *yard) exits(want int, args ...string) string {
	y.t.Helper()
	out, code := y.command(args...)
	if code != want {
		y.t.Errorf("sandboxer %q: got exit code %d, want %d\n%s", args, code, want, out)
	}
	return out
}

// misused runs sandboxer and fails unless it says that it was misused.
func (y *yard) misused(args ...string) {
	y.t.Helper()
	out := y.exits(2, args...)
	if doc, err := read[sandboxer.ErrorDocument](out); err != nil || doc.Error.Code != "usage" {
		y.t.Errorf("sandboxer %q: got %s, want an error document of a misuse", args, out)
	}
}

// says runs sandboxer and fails unless it ends with that code, and with a
// refusal for that reason.
func (y *yard) says(want int, reason string, args ...string) {
	y.t.Helper()
	out := y.exits(want, args...)
	doc, err := read[sandboxer.ErrorDocument](out)
	if err != nil || !slices.ContainsFunc(doc.Error.Reasons, func(r sandboxer.Reason) bool { return r.Code == reason }) {
		y.t.Errorf("sandboxer %q: got %s, want the reason %s", args, out, reason)
	}
}

// shift sets the host's clock, as far as scripts ask date for it, and the
// controller's with it.
func (y *yard) shift(by time.Duration) {
	y.t.Helper()
	y.shiftHost(by)
	y.box.Now = func() time.Time { return time.Now().Add(by) }
}

// shiftHost sets the host's clock alone.
func (y *yard) shiftHost(by time.Duration) {
	y.t.Helper()
	y.write(y.path+"/date", fmt.Sprintf("#!/bin/sh\nexec /bin/date -d '%+d seconds' \"$@\"\n", int(by.Seconds())))
	y.do("chmod", "755", y.path+"/date")
}
