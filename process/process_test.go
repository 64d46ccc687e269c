package process_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A bench is a place for one sandbox. When its test ends it is taken down, and
// no process of it may be left.
type bench struct {
	t     *testing.T
	host  sandboxer.Host
	shell []string // runs the teardown
	spec  sandboxer.Spec
	box   sandboxer.Placement
}

// staying is the end of a program that stays until it is told to go.
const staying = "trap 'exit 0' TERM\nwhile :; do sleep 0.05; done\n"

func newBench(t *testing.T, program string) *bench {
	t.Helper()
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	id := "test-" + hex.EncodeToString(raw[:6])
	b := &bench{
		t: t, host: localhost.Host{}, shell: []string{"sh"},
		spec: sandboxer.Spec{Profile: "test", ReadyFile: "out/result.json", WaitTimeout: 20 * time.Second, Process: []string{"bin/program", "a b"}},
		box:  sandboxer.Placement{ID: sandboxer.ID(id), Nonce: hex.EncodeToString(raw), Dir: filepath.Join(t.TempDir(), id)},
	}
	b.write("bin/program", "#!/bin/sh\n"+program)
	b.write("out/.keep", "")
	b.write(".sandboxer/meta.json", "{}")
	t.Cleanup(func() {
		b.teardown(b.record(), 0)
		if left := b.carriers(); len(left) > 0 {
			t.Errorf("left behind: processes %q, want none", left)
		}
	})
	return b
}

func (b *bench) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.box.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.box.Dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *bench) up() (sandboxer.Started, error) { return b.upWith(b.t.Context()) }

func (b *bench) upWith(ctx context.Context) (sandboxer.Started, error) {
	return process.Provisioner{}.Up(ctx, b.host, b.spec, b.box)
}

func (b *bench) mustUp() (sandboxer.Started, sandboxer.Record) {
	b.t.Helper()
	started, err := b.up()
	if err != nil {
		b.t.Fatalf("up: %v (%+v)", err, err)
	}
	rec := b.record()
	for _, r := range started.Resources {
		rec.Resources = append(rec.Resources, sandboxer.RecordedRef{Kind: r.Kind, Ref: r.Ref})
	}
	return started, rec
}

func (b *bench) record() sandboxer.Record {
	return sandboxer.Record{SandboxID: b.box.ID, Nonce: b.box.Nonce, Engine: sandboxer.EngineProcess}
}

// teardown runs the script as the root package does, and returns its lines.
func (b *bench) teardown(rec sandboxer.Record, wantCode int) []string {
	b.t.Helper()
	args := append(b.shell, "-c", string(process.Provisioner{}.Teardown(rec)), "sandboxer-teardown")
	cmd := exec.Command(args[0], args[1:]...)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != wantCode {
		b.t.Errorf("teardown: got exit status %d, want %d: %s", code, wantCode, out)
	}
	return slices.Collect(strings.Lines(string(out)))
}

// carriers lists the processes that are the sandbox's.
func (b *bench) carriers() []string {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		b.t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(file string) bool {
		data, err := os.ReadFile(file)
		return err != nil || !strings.Contains(string(data), "SANDBOXER_NONCE="+b.box.Nonce)
	})
}

const serving = `
echo "hello $1" >&2
echo '{"checks":[],"port": 4711, "nested":{"port":1}}' >out/new && mv out/new out/result.json
` + staying

func TestUp(t *testing.T) {
	b := newBench(t, "env >out/env; ls -l /proc/self/fd >out/fds; pwd >out/pwd; tr '\\0' '\\n' </proc/$$/environ >out/own\n"+serving)
	b.write("bin/check", "#!/bin/sh\necho \"$SANDBOXER_PORT $1\"; exit 3\n")
	b.spec.HostCheck = []string{"bin/check", "it's"}
	t.Setenv("SECRET", "token")
	// What holds the lock, as the root package holds it.
	lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	b.host = wrapped{b.host, []string{"sh", "-c", `file=$1; shift; ( flock -n 9 || exit 7; "$@" ) 9>>"$file"`, "sh", lock.Name()}}
	started, rec := b.mustUp()
	if !strings.Contains(string(started.Result), `"port": 4711`) {
		t.Errorf("result: got %q, want the file", started.Result)
	}
	if started.HostStatus == nil || *started.HostStatus != 3 || string(started.HostCheck) != "127.0.0.1:4711 it's\n" {
		t.Errorf("check from the host: got %q (%v), want its output and 3", started.HostCheck, started.HostStatus)
	}
	if len(started.Ports) != 1 || started.Ports[0].HostPort != 4711 || started.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("ports: got %+v, want 127.0.0.1:4711", started.Ports)
	}
	if started.StartMS == nil || *started.StartMS > 10_000 {
		t.Errorf("start: got %v, want milliseconds", started.StartMS)
	}
	if len(rec.Resources) != 1 || strings.Replace(rec.Resources[0].Ref, ":", " ", 1)+"\n" != b.read(".sandboxer/process") {
		t.Errorf("resources: got %+v, want what %q says", rec.Resources, b.read(".sandboxer/process"))
	}
	env := b.read("out/env")
	for _, want := range []string{"SANDBOXER_ID=" + string(b.box.ID), "SANDBOXER_NONCE=" + b.box.Nonce, "SANDBOXER_ENGINE=process", "SANDBOXER_DIR=" + b.box.Dir} {
		if !strings.Contains(env, want+"\n") {
			t.Errorf("environment: got %q, want %s in it", env, want)
		}
	}
	if strings.Contains(env, "SECRET") {
		t.Errorf("environment: got %q, want nothing of ours", env)
	}
	// Descriptor 3 is that of ls; those above 9, which no POSIX shell can
	// close, came to this test from whoever started it.
	fds := b.read("out/fds")
	for fd := 4; fd < 10; fd++ {
		if strings.Contains(fds, fmt.Sprintf(" %d -> ", fd)) {
			t.Errorf("open files: got %s, want none but the standard ones", fds)
		}
	}
	if strings.Contains(fds, lock.Name()) {
		t.Errorf("open files: got %s, want no lock", fds)
	}
	if log := b.read(".sandboxer/log"); log != "hello a b\n" {
		t.Errorf("log: got %q, want what the program said", log)
	}
	if err := exec.Command("flock", "-n", lock.Name(), "true").Run(); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
	lines := b.teardown(rec, 0)
	if !slices.Contains(lines, "removed process "+rec.Resources[0].Ref+"\n") {
		t.Errorf("teardown: got %q, want %s removed", lines, rec.Resources[0].Ref)
	}
	if lines := b.teardown(rec, 0); len(lines) != 0 {
		t.Errorf("teardown, again: got %q, want nothing to do", lines)
	}
}

// wrapped runs what it is given by another command.
type wrapped struct {
	sandboxer.Host
	by []string
}

func (h wrapped) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = append(append([]string{}, h.by...), cmd.Args...)
	return h.Host.Run(ctx, cmd)
}

func TestUpFails(t *testing.T) {
	tests := []struct {
		name    string
		program string
		change  func(b *bench)
		phase   sandboxer.Phase
		err     string
		log     string
		hint    string
	}{
		{name: "ends at once", program: "echo sorry; exit 7", phase: "wait", err: "bin/program ended with exit status 7", log: "sorry"},
		{name: "ends too soon", program: "exit 0", phase: "wait", err: "bin/program has ended and there is no out/result.json"},
		{name: "is not there", phase: "start", err: "bin/other is not found", log: "not found",
			change: func(b *bench) { b.spec.Process = []string{"bin/other"} }},
		{name: "is no program", phase: "start", err: "cannot be run", hint: "--root",
			change: func(b *bench) {
				if err := os.Chmod(filepath.Join(b.box.Dir, "bin/program"), 0o644); err != nil {
					b.t.Fatal(err)
				}
			}},
		{name: "never ready", program: "echo waiting\n" + staying, phase: "wait", err: "not ready after 1s", log: "waiting",
			change: func(b *bench) { b.spec.WaitTimeout = time.Second }},
		{name: "no setsid", program: serving, phase: "start", err: "no setsid", hint: "util-linux",
			change: func(b *bench) { b.host = wrapped{b.host, []string{"env", "PATH=" + lab.PathWithout(b.t, "setsid")}} }},
		{name: "many lines", program: "seq 1000; exit 1", phase: "wait", err: "exit status 1", log: "981\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.program)
			if test.change != nil {
				test.change(b)
			}
			_, err := b.up()
			var failure *sandboxer.PhaseError
			if !errors.As(err, &failure) {
				t.Fatalf("got %v, want a PhaseError", err)
			}
			if failure.Phase != test.phase || !strings.Contains(failure.Err.Error(), test.err) {
				t.Errorf("got %s: %v, want %s: …%s…", failure.Phase, failure.Err, test.phase, test.err)
			}
			if log := strings.Join(failure.Log, "\n"); !strings.Contains(log, test.log) || len(failure.Log) > 20 {
				t.Errorf("log: got %q, want at most 20 lines with %q", log, test.log)
			}
			if test.hint == "" && failure.Hint != "" || !strings.Contains(failure.Hint, test.hint) {
				t.Errorf("hint: got %q, want %q in it", failure.Hint, test.hint)
			}
		})
	}
}

func TestUpNoexec(t *testing.T) {
	b := newBench(t, serving)
	b.mount("noexec")
	_, err := b.up()
	if hint := sandboxer.Hint(err); err == nil || !strings.Contains(err.Error(), "cannot be run in "+b.box.Dir) || !strings.Contains(hint, "--root") {
		t.Errorf("got %v (hint %q), want that it cannot be run, and where it could", err, hint)
	}
}

func TestUpDiskFull(t *testing.T) {
	b := newBench(t, serving)
	b.mount("size=64k")
	_ = os.WriteFile(filepath.Join(b.box.Dir, "filler"), make([]byte, 1<<20), 0o600) // as far as it goes
	_, err := b.up()
	if hint := sandboxer.Hint(err); err == nil || !strings.Contains(err.Error(), "cannot write in") || !strings.Contains(hint, "make room") {
		t.Errorf("got %v (hint %q), want that there is no room", err, hint)
	}
}

// mount puts the sandbox's directory on a file system of its own.
func (b *bench) mount(options string) {
	b.t.Helper()
	lab.Require(b.t, "root")
	program := b.read("bin/program")
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", b.box.Dir).CombinedOutput(); err != nil {
		b.t.Fatalf("mount: %v: %s", err, out)
	}
	b.t.Cleanup(func() {
		if out, err := exec.Command("umount", b.box.Dir).CombinedOutput(); err != nil {
			b.t.Errorf("umount: %v: %s", err, out)
		}
	})
	b.write("bin/program", program)
	b.write("out/.keep", "")
	b.write(".sandboxer/meta.json", "{}")
}

func TestUpWithoutReadyFile(t *testing.T) {
	for name, program := range map[string]string{"stays": staying, "is done": "exit 0"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, program)
			b.spec.ReadyFile = ""
			if started, _ := b.mustUp(); started.Result != nil || started.HostStatus != nil || started.Ports != nil {
				t.Errorf("got %+v, want no result, check or port", started)
			}
		})
	}
}

// The namespaces are those that the kernel permits, and what the result calls
// them is true.
func TestIsolation(t *testing.T) {
	lab.Require(t, "root")
	show := "readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/ipc /proc/self/ns/uts >out/ns; echo $$ >out/pid\n" + serving
	var own []string
	for _, ns := range []string{"user", "mnt", "pid", "ipc", "uts"} {
		link, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, link)
	}
	tests := []struct {
		name string
		by   []string
		want string
		new  []bool // user, mnt, pid, ipc, uts
	}{
		{"root", nil, "mount,pid,ipc,uts", []bool{false, true, true, true, true}},
		{"user", []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}, "user,mount,pid,ipc,uts", []bool{true, true, true, true, true}},
		{"no unshare", []string{"env", "PATH=" + lab.PathWithout(t, "unshare")}, "none", []bool{false, false, false, false, false}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, show)
			if test.by != nil {
				b.host = wrapped{b.host, test.by}
				b.shell = append(slices.Clone(test.by), "sh")
			}
			b.openTo(65534)
			started, rec := b.mustUp()
			if started.Isolation != test.want {
				t.Errorf("isolation: got %q, want %q", started.Isolation, test.want)
			}
			got := strings.Fields(b.read("out/ns"))
			for i := range own {
				if isNew := got[i] != own[i]; isNew != test.new[i] {
					t.Errorf("namespace %s: got %s, new %v, want %v", own[i], got[i], isNew, test.new[i])
				}
			}
			if pid := strings.TrimSpace(b.read("out/pid")); (pid == "1") != test.new[2] {
				t.Errorf("pid: got %s", pid)
			}
			if lines := b.teardown(rec, 0); len(lines) == 0 {
				t.Error("teardown: got nothing removed")
			}
		})
	}
}

// openTo gives the sandbox's directory to a user, who can also get there.
func (b *bench) openTo(uid int) {
	b.t.Helper()
	err := filepath.Walk(b.box.Dir, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Chown(path, uid, uid))
	})
	for dir := filepath.Dir(b.box.Dir); err == nil && dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// A create may be cut off anywhere; the teardown finds what it has started.
func TestCancel(t *testing.T) {
	for _, after := range []time.Duration{1, 5, 15, 30, 60, 300} {
		t.Run(fmt.Sprint(after*time.Millisecond), func(t *testing.T) {
			b := newBench(t, staying)
			ctx, cancel := context.WithTimeout(t.Context(), after*time.Millisecond)
			defer cancel()
			_, err := b.upWith(ctx)
			var failure *sandboxer.PhaseError
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &failure) {
				t.Fatalf("got %v, want a PhaseError of a deadline", err)
			}
		})
	}
}

// A program that will not go is killed, with all that it has started, however
// far that has run away.
func TestTeardownStubborn(t *testing.T) {
	for _, path := range []string{os.Getenv("PATH"), lab.PathWithout(t, "unshare")} {
		b := newBench(t, "trap '' TERM\n(setsid sleep 1000 &)\nnohup sleep 1001 &\necho {} >out/result.json\nwhile :; do sleep 0.05; done\n")
		b.host = wrapped{b.host, []string{"env", "PATH=" + path}}
		_, rec := b.mustUp()
		lines := b.teardown(rec, 0)
		if len(lines) < 4 {
			t.Errorf("got %q, want the supervisor, the program and both sleeps", lines)
		}
	}
}

// A number that is another's by now, or that does not carry the nonce, is no
// proof.
func TestTeardownForeign(t *testing.T) {
	b := newBench(t, serving)
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- other.Wait() }()
	t.Cleanup(func() {
		_ = other.Process.Kill()
		<-gone
	})
	pid := strconv.Itoa(other.Process.Pid)
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))[19]
	rec := b.record()
	with := func(ref string) sandboxer.Record {
		rec.Resources = []sandboxer.RecordedRef{{Kind: sandboxer.KindProcess, Ref: ref}}
		return rec
	}
	if lines := b.teardown(with(pid+":1"), 0); len(lines) != 0 {
		t.Errorf("another start: got %q, want it passed over", lines)
	}
	if lines := b.teardown(with(pid+":"+start), 1); len(lines) != 1 || !strings.HasPrefix(lines[0], "remains process "+pid+":"+start+" unproven") {
		t.Errorf("no nonce: got %q, want that it remains", lines)
	}
	if lines := b.teardown(with("1; kill "+pid), 0); len(lines) != 0 {
		t.Errorf("a malformed reference: got %q, want it passed over", lines)
	}
	select {
	case err := <-gone:
		t.Errorf("the other process has ended: %v", err)
	default:
	}
}

func TestTeardownBadRecord(t *testing.T) {
	out, err := exec.Command("sh", "-c", string(process.Provisioner{}.Teardown(sandboxer.Record{Nonce: "x'; reboot"}))).Output()
	if err == nil || !strings.HasPrefix(string(out), "remains record") {
		t.Errorf("got %q (%v), want that it remains", out, err)
	}
}

func TestShells(t *testing.T) {
	for _, shell := range []string{"bash --posix", "busybox sh", "mksh"} {
		words := strings.Fields(shell)
		t.Run(words[0], func(t *testing.T) {
			lab.Require(t, words[0])
			b := newBench(t, serving)
			b.host, b.shell = otherShell{b.host, words}, words
			if _, rec := b.mustUp(); len(b.teardown(rec, 0)) == 0 {
				t.Error("teardown: got nothing removed")
			}
		})
	}
}

// An otherShell runs scripts for sh by another shell that a host may have as
// sh.
type otherShell struct {
	sandboxer.Host
	shell []string
}

func (h otherShell) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = append(slices.Clone(h.shell), cmd.Args[1:]...)
	return h.Host.Run(ctx, cmd)
}

func TestRefuses(t *testing.T) {
	for name, spec := range map[string]sandboxer.Spec{
		"no program": {},
		"ready file": {Process: []string{"x"}, ReadyFile: "../x"},
	} {
		_, err := process.Provisioner{}.Up(t.Context(), nil, spec, sandboxer.Placement{})
		var failure *sandboxer.PhaseError
		if !errors.As(err, &failure) || failure.Phase != sandboxer.PhaseValidate {
			t.Errorf("%s: got %v, want a refusal in phase validate", name, err)
		}
	}
}

func TestShellcheck(t *testing.T) {
	lab.Require(t, "shellcheck")
	if out, err := exec.Command("shellcheck", "-s", "sh", "up.sh", "supervise.sh", "teardown.sh").CombinedOutput(); err != nil {
		t.Errorf("shellcheck: %v\n%s", err, out)
	}
}
