package process_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		b.t.Errorf("teardown: got %v, want exit status %d: %s", cmd.ProcessState, wantCode, out)
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

// wrapped runs what it is given by another command.
type wrapped struct {
	sandboxer.Host
	by []string
}

func (h wrapped) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	cmd.Args = append(append([]string{}, h.by...), cmd.Args...)
	return h.Host.Run(ctx, cmd)
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
