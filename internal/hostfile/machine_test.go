package hostfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer/internal/hostfile"
	"github.com/tegwick/sand-boxer/test/lab"
)

const nonce = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// A machine is a directory in which scripts run with one shell of those a host
// may have.
type machine struct {
	t     *testing.T
	shell []string
	path  string // PATH
	dir   string
}

// eachShell runs f on a new machine for every shell that is installed, and for
// busybox with no tools but its own.
func eachShell(t *testing.T, f func(t *testing.T, m *machine)) {
	t.Helper()
	for _, name := range []string{"dash", "bash", "mksh", "busybox"} {
		t.Run(name, func(t *testing.T) {
			lab.Require(t, name)
			m := newMachine(t, name)
			if name == "busybox" {
				m.shell, m.path = []string{m.shell[0], "sh"}, onlyBusybox(t, m.shell[0])
			}
			f(t, m)
		})
	}
}

func newMachine(t *testing.T, shell string) *machine {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, shell: []string{path}, path: os.Getenv("PATH"), dir: tempDir(t)}
	if os.Geteuid() == 0 {
		if err := os.Chown(m.dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// tempDir returns a directory that others can enter.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", dir).Run() }) // what is read-only can be removed then
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// nobody is who runs the scripts where the test is root: root may do too much.
const nobody = 65534

func onlyBusybox(t *testing.T, busybox string) string {
	t.Helper()
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	return only(t, busybox, strings.Fields(string(list))...)
}

// only returns a PATH with links to program under these names, or to the
// programs of these names where program is empty.
func only(t *testing.T, program string, names ...string) string {
	t.Helper()
	bin := tempDir(t)
	for _, name := range names {
		target := program
		if target == "" {
			var err error
			if target, err = exec.LookPath(name); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func (m *machine) command(args []string, input io.Reader) *exec.Cmd {
	args = append(m.shell[1:], args[1:]...)
	cmd := exec.Command(m.shell[0], args...)
	cmd.Env = []string{"PATH=" + m.path}
	cmd.Stdin = input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

func (m *machine) run(args []string, input io.Reader) hostfile.Answer {
	m.t.Helper()
	cmd := m.command(args, input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	a, err := hostfile.ParseAnswer(out)
	if err != nil {
		m.t.Fatalf("%v: %q (stderr %q)", err, out, stderr.String())
	}
	if stderr.Len() > 0 {
		m.t.Errorf("got stderr %q, want none", stderr.String())
	}
	return a
}

// write runs a write of content.
func (m *machine) write(path, content string, perm fs.FileMode) hostfile.Answer {
	m.t.Helper()
	input, _ := hostfile.Input(nonce, []byte(content), perm)
	return m.run(hostfile.Write(path), input)
}

// stream returns what a Tree of files writes.
func stream(t *testing.T, files fs.FS) []byte {
	t.Helper()
	tree, err := hostfile.NewTree(files, nonce)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := tree.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// make is what a test finds on the machine when it begins.
func (m *machine) make(files map[string]string) {
	m.t.Helper()
	for name, content := range files {
		name = filepath.Join(m.dir, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if target, link := strings.CutPrefix(content, "-> "); err == nil && link {
			err = os.Symlink(target, name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(content), 0o644)
		}
		if err == nil && os.Geteuid() == 0 {
			err = os.Lchown(name, nobody, nobody)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// holds checks that there is this below the machine's directory, and nothing else.
func (m *machine) holds(when string, want map[string]string) {
	m.t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == m.dir {
			return err
		}
		name, _ := filepath.Rel(m.dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch d.Type() {
		case fs.ModeDir:
			got[name] = fmt.Sprint(info.Mode() &^ fs.ModeSetgid) // some chmod keep it
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			got[name] = "-> " + target
			return err
		default:
			data, err := os.ReadFile(path)
			got[name] = fmt.Sprintf("%v %s", info.Mode(), data)
			return err
		}
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s, -want +got:\n%s", when, diff)
	}
}

// stub puts a script before the tool of that name.
func (m *machine) stub(tool, script string) {
	m.t.Helper()
	bin := tempDir(m.t)
	if err := os.WriteFile(bin+"/"+tool, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	m.path = bin + ":" + m.path
}
