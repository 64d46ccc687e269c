package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/process"
	"github.com/tegwick/sand-boxer/test/lab"
)

const serving = `
echo "hello $1" >&2
echo '{"checks":[],"port": 4711, "nested":{"port":1}}' >out/new && mv out/new out/result.json
` + staying

func TestUp(t *testing.T) {
	b := newBench(t, "env >out/env; ls -l /proc/self/fd >out/fds; pwd >out/pwd; tr '\\0' '\\n' </proc/$$/environ >out/own\n"+serving)
	b.write("bin/check", "#!/bin/sh\necho \"$SANDBOXER_PORT $1 $SANDBOXER_ID $SANDBOXER_NONCE\"; exit 3\n")
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
	if started.HostStatus == nil || *started.HostStatus != 3 || string(started.HostCheck) != fmt.Sprintf("127.0.0.1:4711 it's %s %s\n", b.box.ID, b.box.Nonce) {
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
