package hostfile_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tegwick/sand-boxer/internal/hostfile"
)

// files is a tree of all that may be put.
func files() fstest.MapFS {
	return fstest.MapFS{
		"-rf":               {Data: []byte("r"), Mode: 0o600},
		"a b'\"\\$(x)`":     {Data: []byte("quotes"), Mode: 0o644},
		"line\nend\n":       {Data: []byte("\x00\n"), Mode: 0o755},
		"dir\n/-- /empty":   {Mode: fs.ModeDir | 0o700},
		"dir\n":             {Mode: fs.ModeDir | 0o750},
		"dir\n/-- ":         {Mode: fs.ModeDir | 0o777},
		"ro":                {Mode: fs.ModeDir | 0o500},
		"ro/sub":            {Mode: fs.ModeDir | 0o555},
		"ro/sub/f":          {Data: []byte("ro"), Mode: 0o444},
		"ro/void":           {Mode: 0o400},
		"\xc3\xa9":          {Data: []byte("é"), Mode: 0o666},
		".hidden":           {Data: []byte("h"), Mode: fs.ModeSetuid | 0o711},
		"long/" + longName:  {Data: []byte("l"), Mode: 0o640},
		"long":              {Mode: fs.ModeDir | 0o755},
		"proof":             {Data: []byte("not ours"), Mode: 0o644},
		"big":               {Data: bytes.Repeat([]byte("0123456789abcdef"), 20<<10), Mode: 0o644},
		"f000000001":        {Data: []byte("not ours"), Mode: 0o644},
		"ABCDEFGHIJKLMNOPQ": {Mode: fs.ModeDir | 0o755},
	}
}

var longName = strings.Repeat("é", 120)

// arrived is files as it is to be at a name.
func arrived(at string) map[string]string {
	want := map[string]string{at: "dr-xr-xr-x"} // as fstest has it
	for name, f := range files() {
		mode := f.Mode & (fs.ModeDir | fs.ModePerm)
		want[at+"/"+name] = fmt.Sprintf("%v %s", mode, f.Data)
		if f.Mode.IsDir() {
			want[at+"/"+name] = fmt.Sprint(mode)
		}
	}
	return want
}

func TestPut(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, files()))); !a.Done {
			t.Fatalf("got %+v, want it done", a)
		}
		m.holds("afterwards", arrived("new"))
		if a := m.run(hostfile.Put(m.dir+"/empty\n"), bytes.NewReader(stream(t, fstest.MapFS{}))); !a.Done {
			t.Fatalf("an empty tree: got %+v, want it done", a)
		}
		want := arrived("new")
		want["empty\n"] = "dr-xr-xr-x"
		m.holds("with an empty tree", want)
	})
}

// Names that fs.FS does not allow are put as they are, where a tree has some.
func TestPutRawNames(t *testing.T) {
	raw := rawFS{fstest.MapFS{"x": {Data: []byte("raw"), Mode: 0o600}, "d": {Mode: fs.ModeDir | 0o700}}}
	eachShell(t, func(t *testing.T, m *machine) {
		if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, raw))); !a.Done {
			t.Fatalf("got %+v, want it done", a)
		}
		m.holds("afterwards", map[string]string{"new": "dr-xr-xr-x", "new/\xff\xfex": "-rw------- raw", "new/\xff\xfed": "drwx------"})
	})
}

// A rawFS puts bytes that are no UTF-8 before each of its names.
type rawFS struct{ fstest.MapFS }

func (r rawFS) Open(name string) (fs.File, error) {
	return r.MapFS.Open(strings.TrimPrefix(name, "\xff\xfe"))
}

func (r rawFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := r.MapFS.ReadDir(strings.TrimPrefix(name, "\xff\xfe"))
	for i, e := range entries {
		entries[i] = rawEntry{e}
	}
	return entries, err
}

type rawEntry struct{ fs.DirEntry }

func (e rawEntry) Name() string { return "\xff\xfe" + e.DirEntry.Name() }

// Many names take several pieces of each list.
func TestPutMany(t *testing.T) {
	many, want := fstest.MapFS{}, map[string]string{"new": "dr-xr-xr-x"}
	for i := range 700 {
		name := fmt.Sprintf("%0200d", i)
		mode := fs.FileMode(0o600 + i%2*0o44)
		many[name] = &fstest.MapFile{Data: []byte(name[190:]), Mode: mode}
		want["new/"+name] = fmt.Sprintf("%v %s", mode, name[190:])
	}
	eachShell(t, func(t *testing.T, m *machine) {
		if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, many))); !a.Done {
			t.Fatalf("got %+v, want it done", a)
		}
		m.holds("afterwards", want)
	})
}

// No list is held back for long.
func TestTreePieces(t *testing.T) {
	many := fstest.MapFS{}
	for i := range 700 {
		many[fmt.Sprintf("%0200d", i)] = &fstest.MapFile{Mode: 0o600}
	}
	_, archive, _ := bytes.Cut(stream(t, many), []byte("\n"))
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if h.Size > 33<<10 {
			t.Errorf("%s: got %d bytes, want about 32 KiB", h.Name, h.Size)
		}
		if strings.HasPrefix(h.Name, nonce+"/") {
			pieces++
		}
	}
	if pieces < 8 {
		t.Errorf("got %d files of lists, want many", pieces)
	}
}

// Directories take the set-group-id bit from the one they are put in, as
// always.
func TestPutSetGroupID(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		if err := os.Chmod(m.dir, fs.ModeSetgid|0o755); err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{"d/f": {Data: []byte("x"), Mode: 0o600}}
		if a := m.run(hostfile.Put(m.dir+"/new"), bytes.NewReader(stream(t, tree))); !a.Done {
			t.Fatalf("got %+v, want it done", a)
		}
		m.holds("afterwards", map[string]string{"new": "dr-xr-xr-x", "new/d": "dr-xr-xr-x", "new/d/f": "-rw------- x"})
	})
}
