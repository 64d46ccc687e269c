package hostfile_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/tegwick/sand-boxer/internal/hostfile"
	"github.com/tegwick/sand-boxer/test/lab"
)

func TestPutFails(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.make(map[string]string{"f": "f", "d/x": "x", "link": "-> d", "dangling": "-> nowhere"})
		before := map[string]string{"f": "-rw-r--r-- f", "d": "drwxr-xr-x", "d/x": "-rw-r--r-- x", "link": "-> d", "dangling": "-> nowhere"}
		for _, tt := range []struct {
			path, code string
			cause      error
		}{
			{"/f", hostfile.Exists, nil},
			{"/d", hostfile.Exists, nil},
			{"/link", hostfile.Exists, nil},
			{"/dangling", hostfile.Exists, nil},
			{"/none/d", hostfile.Parent, fs.ErrNotExist},
			{"/d/new", hostfile.Failed, fs.ErrPermission}, // root's
		} {
			if tt.cause == fs.ErrPermission && os.Geteuid() != 0 {
				continue
			}
			var input []byte // what can be told at once waits for none
			if tt.code == hostfile.Failed {
				input = stream(t, files())
			}
			a := m.run(hostfile.Put(m.dir+tt.path), bytes.NewReader(input))
			if cause := a.Cause(); a.Code != tt.code || cause != tt.cause || a.Left {
				t.Errorf("%s: got %+v and the cause %v, want %s, %v", tt.path, a, cause, tt.code, tt.cause)
			}
		}
		m.holds("afterwards", before)
	})
}

// Wherever the stream ends, and whatever of its beginning was lost, there is
// nothing.
func TestPutCut(t *testing.T) {
	input := stream(t, fstest.MapFS{"ro/f": {Data: []byte("x"), Mode: 0o444}, "g": {Data: []byte("yy"), Mode: 0o644}})
	eachShell(t, func(t *testing.T, m *machine) {
		cuts := []int{0, 1, 20, 34, 35, 36, 50, len(input) - 9, len(input) - 8, len(input) - 4, len(input) - 1}
		for n := 100; n < len(input)-9; n += 97 {
			cuts = append(cuts, n)
		}
		for _, n := range cuts {
			for _, part := range [][]byte{input[:n], input[n+1:]} {
				a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(part))
				if a.Code != hostfile.Altered || a.Left {
					t.Errorf("%d of %d bytes: got %+v, want it altered", len(part), len(input), a)
				}
			}
		}
		m.holds("afterwards", map[string]string{})
	})
}

// meanwhile puts a tree, and calls change while its files arrive.
func (m *machine) meanwhile(change func(cmd *exec.Cmd)) hostfile.Answer {
	m.t.Helper()
	random := make([]byte, 1<<20)
	for i := range random { // compresses to nothing less than a pipe holds
		random[i] = byte(i * i * i >> 7)
	}
	input := stream(m.t, fstest.MapFS{"a/big": {Data: random, Mode: 0o444}, "z": {Mode: 0o600}})
	cmd := m.command(hostfile.Put(m.dir+"/new"), nil)
	var out bytes.Buffer
	cmd.Stdout = &out
	w, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if len(input) < 300<<10 {
		m.t.Fatalf("got %d bytes, want more than pipes hold", len(input))
	}
	half := 200 << 10
	if _, err := w.Write(input[:half]); err != nil {
		m.t.Fatal(err)
	}
	change(cmd)
	w.Write(input[half:]) // or nobody reads any more
	w.Close()
	_ = cmd.Wait() // what it says counts
	a, err := hostfile.ParseAnswer(out.Bytes())
	if err != nil {
		m.t.Fatalf("%v: %q", err, out.Bytes())
	}
	return a
}

func TestPutSignal(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.meanwhile(func(cmd *exec.Cmd) {
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		})
		if a.Code == "" || a.Left {
			t.Errorf("got %+v, want it failed", a)
		}
		m.holds("afterwards", map[string]string{})
	})
}

// What takes the place meanwhile keeps it, also from a mv that does not know
// -T.
func TestPutTaken(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		for _, plain := range []bool{false, true} {
			if plain {
				m.stub("mv", `case $1 in -nT) exit 1 ;; esac; exec /bin/mv "$@"`)
			}
			a := m.meanwhile(func(*exec.Cmd) { m.make(map[string]string{"new/x": "x"}) })
			if a.Code != hostfile.Exists || a.Left {
				t.Errorf("plain mv %v: got %+v, want that it exists", plain, a)
			}
			m.holds("afterwards", map[string]string{"new": "drwxr-xr-x", "new/x": "-rw-r--r-- x"})
			if err := os.RemoveAll(m.dir + "/new"); err != nil {
				t.Fatal(err)
			}
			if !plain {
				continue
			}
			if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, files()))); !a.Done {
				t.Errorf("plain mv: got %+v, want it done", a)
			}
			m.holds("by a plain mv", arrived("new"))
		}
	})
}

// What is not as it was sent in any respect is found, whoever made it so.
func TestPutProof(t *testing.T) {
	lab.Require(t, "dash")
	tree := fstest.MapFS{
		"a": {Data: []byte("one"), Mode: 0o644}, "b": {Data: []byte("two"), Mode: 0o644}, "c": {Mode: 0o600}, "d": {Mode: fs.ModeDir | 0o755},
		"e": {Data: []byte("three"), Mode: 0o644}, "f": {Data: []byte("four"), Mode: 0o600},
	}
	for _, tt := range []struct{ name, alter string }{
		{"nothing", `:`},
		{"a content", `printf onE >a`},
		{"where two contents part", `printf onet >a; printf wo >b`},
		{"two names", `mv a x; mv b a; mv x b`},
		{"an empty file", `rm c`},
		{"a directory", `rmdir d`},
		{"a file for a directory", `rmdir d; : >d`},
		{"a directory for a file", `rm c; mkdir c`},
		{"one more", `: >x`},
		{"a list of names", `tr a b <"$n"/f000000001 >l; mv l "$n"/f000000001`},
		{"the proof", `rm "$n"/proof`},
	} {
		m := newMachine(t, "dash")
		m.stub("tar", fmt.Sprintf("/bin/tar \"$@\" && cd \"$4\" && n=%s && %s", nonce, tt.alter))
		a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, tree)))
		if tt.name == "nothing" {
			if !a.Done {
				t.Errorf("%s altered: got %+v, want it done", tt.name, a)
			}
			continue
		}
		if a.Code != hostfile.Altered || a.Left {
			t.Errorf("%s altered: got %+v, want that told", tt.name, a)
		}
		m.holds(tt.name, map[string]string{})
	}
}

// A chmod that does nothing is found as well.
func TestPutProofOfModes(t *testing.T) {
	lab.Require(t, "dash")
	m := newMachine(t, "dash")
	m.stub("chmod", ":")
	a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, fstest.MapFS{"a": {Mode: 0o644}})))
	if a.Code != hostfile.Altered {
		t.Errorf("got %+v, want it altered", a)
	}
}

// A directory that is there at the last moment gets nothing into it.
func TestTakenLast(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.stub("mv", `[ -d `+m.dir+`/x ] || mkdir -m 500 `+m.dir+`/x; exec /bin/mv "$@"`)
		if a := m.run(hostfile.Put(m.dir+"/x"), bytes.NewReader(stream(t, files()))); a.Code != hostfile.Exists || a.Left {
			t.Errorf("a tree: got %+v, want that it exists", a)
		}
		m.holds("a tree", map[string]string{"x": "dr-x------"})
		if err := os.Remove(m.dir + "/x"); err != nil {
			t.Fatal(err)
		}
		m.stub("mv", `mkdir -m 700 `+m.dir+`/x; exec /bin/mv "$@"`)
		if a := m.write(m.dir+"/x", "new", 0o600); a.Code != hostfile.Directory || a.Left {
			t.Errorf("a file: got %+v, want that it is a directory", a)
		}
		m.holds("a file", map[string]string{"x": "drwx------"})
	})
}

// What is missing on the host is named before anything is made.
func TestPutMissing(t *testing.T) {
	lab.Require(t, "dash")
	m := newMachine(t, "dash")
	m.path = only(t, "", "tar", "gzip", "stat", "find", "rm")
	if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(nil)); a.Code != "no_xargs" || !strings.Contains(a.Said, "xargs") {
		t.Errorf("got %+v, want no_xargs", a)
	}
	m.holds("afterwards", map[string]string{})
}
