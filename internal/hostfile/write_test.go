package hostfile_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer/internal/hostfile"
	"github.com/tegwick/sand-boxer/test/lab"
)

func TestWrite(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.make(map[string]string{"old": "old", "link": "-> old", "dangling": "-> nowhere"})
		binary := "\x00\xff\n\n" + strings.Repeat("x", 100<<10) + "\x00\n"
		for name, content := range map[string]string{"new": "new\n", "link": "l", "dangling": "", "-rf\n'\"\\$(x)\xff\n": binary} {
			if a := m.write(m.dir+"/"+name, content, 0o640); !a.Done {
				t.Errorf("%q: got %+v, want it done", name, a)
			}
		}
		if a := m.write(m.dir+"/old", "over", 0o500); !a.Done {
			t.Errorf("over an old one: got %+v, want it done", a)
		}
		m.holds("at the end", map[string]string{
			"old": "-r-x------ over", "new": "-rw-r----- new\n", "link": "-rw-r----- l", "dangling": "-rw-r----- ",
			"-rf\n'\"\\$(x)\xff\n": "-rw-r----- " + binary,
		})
	})
}

func TestWriteFails(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		before := map[string]string{"f": "-rw-r--r-- f", "d": "drwxr-xr-x", "d/x": "-rw-r--r-- x", "link": "-> d"}
		m.make(map[string]string{"f": "f", "d/x": "x", "link": "-> d"})
		for _, tt := range []struct {
			path, code string
			cause      error
		}{
			{"/d", hostfile.Directory, nil},
			{"/link", hostfile.Directory, nil},
			{"/none/f", hostfile.Parent, fs.ErrNotExist},
			{"/f/f", hostfile.Parent, nil},
			{"/d/f", hostfile.Failed, fs.ErrPermission}, // root's
		} {
			if tt.cause == fs.ErrPermission && os.Geteuid() != 0 {
				continue
			}
			a := m.write(m.dir+tt.path, "new", 0o644)
			if cause := a.Cause(); a.Code != tt.code || cause != tt.cause || a.Left {
				t.Errorf("%s: got %+v and the cause %v, want %s, %v", tt.path, a, cause, tt.code, tt.cause)
			}
		}
		m.holds("afterwards", before)
	})
}

// Wherever the input ends, and whatever of its beginning was lost, the old file
// stays.
func TestWriteCut(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.make(map[string]string{"f": "old"})
		input, size := hostfile.Input(nonce, []byte("new"), 0o600)
		all, err := io.ReadAll(input)
		if err != nil || int64(len(all)) != size {
			t.Fatalf("got %d bytes, %v, want %d", len(all), err, size)
		}
		for n := range all {
			for _, part := range [][]byte{all[:n], all[n+1:]} {
				if a := m.run(hostfile.Write(m.dir+"/f"), bytes.NewReader(part)); a.Code != hostfile.Altered {
					t.Errorf("%q: got %+v, want it altered", part, a)
				}
			}
		}
		m.holds("afterwards", map[string]string{"f": "-rw-r--r-- old"})
	})
}

// A signal while the content arrives leaves the old file, and nothing else.
func TestWriteSignal(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.make(map[string]string{"f": "old"})
		cmd := m.command(hostfile.Write(m.dir+"/f"), nil)
		var out bytes.Buffer
		cmd.Stdout = &out
		w, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		input, size := hostfile.Input(nonce, make([]byte, 1<<20), 0o600)
		// More than a pipe holds: when it has gone, the file is being written.
		if _, err := io.CopyN(w, input, size-100); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		w.Close()
		_ = cmd.Wait() // its status is that of a failure, or of the signal
		if a, err := hostfile.ParseAnswer(out.Bytes()); err != nil || a.Code == "" || a.Left {
			t.Errorf("got %+v, %v, want it failed", a, err)
		}
		m.holds("afterwards", map[string]string{"f": "-rw-r--r-- old"})
	})
}

// Any program that can digest will do, and none is an error.
func TestDigesters(t *testing.T) {
	lab.Require(t, "dash", "openssl", "shasum")
	tools := []string{"cat", "chmod", "mv", "rm", "wc"}
	for _, tt := range []struct{ digester, code string }{
		{"sha256sum", ""}, {"openssl", ""}, {"shasum", ""}, {"cat", "no_sha256sum"},
	} {
		m := newMachine(t, "dash")
		m.path = only(t, "", append(tools[1:], tt.digester)...)
		if tt.digester != "cat" {
			m.path += ":" + only(t, "", tools[0])
		}
		if tt.digester == "shasum" {
			m.path += ":" + only(t, "", "perl")
		}
		if a := m.write(m.dir+"/f", "new", 0o600); a.Code != tt.code || a.Done != (tt.code == "") {
			t.Errorf("%s: got %+v, want code %q", tt.digester, a, tt.code)
		}
		if tt.code != "" {
			m.holds(tt.digester, map[string]string{})
			continue
		}
		m.holds(tt.digester, map[string]string{"f": "-rw------- new"})
		input, _ := hostfile.Input(nonce, []byte("new"), 0o600)
		all, _ := io.ReadAll(input)
		all[len(all)-1]++
		if a := m.run(hostfile.Write(m.dir+"/f"), bytes.NewReader(all)); a.Code != hostfile.Altered {
			t.Errorf("%s, another letter: got %+v, want it altered", tt.digester, a)
		}
	}
}

func TestCheckPath(t *testing.T) {
	for path, ok := range map[string]bool{
		"/a": true, "/a/-rf": true, "/a/b\n": true, "//a": true, "/a/..b": true,
		"": false, "a": false, "/": false, "/a/": false, "/a/.": false, "/a/..": false, "./a": false, "/a\x00": false,
	} {
		if err := hostfile.CheckPath(path); (err == nil) != ok {
			t.Errorf("%q: got %v, want it to pass: %v", path, err, ok)
		}
	}
}

// What somebody put where the new file is made is not written to.
func TestWritePlanted(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.make(map[string]string{"f": "old", "other": "other", ".sandboxer-" + nonce: "-> other"})
		if a := m.write(m.dir+"/f", "new", 0o600); a.Code != hostfile.Failed {
			t.Errorf("got %+v, want it failed", a)
		}
		m.holds("afterwards", map[string]string{"f": "-rw-r--r-- old", "other": "-rw-r--r-- other"})
	})
}
