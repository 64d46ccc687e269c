package memfs_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tegwick/sand-boxer/internal/memfs"
)

func TestFS(t *testing.T) {
	fsys, err := memfs.New(map[string]memfs.File{
		"compose.yaml":    {Mode: 0o644, Data: []byte("services: {}\n")},
		"image/root/prog": {Mode: 0o755, Data: []byte("\x7fELF")},
		"image/root/data": {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		"out":             {Mode: fs.ModeDir | 0o700},
		"empty":           {Mode: 0o600},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "compose.yaml", "image/root/prog", "image/root/data", "out", "empty"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		".":               "drwxr-xr-x",
		"image":           "drwxr-xr-x",
		"image/root/prog": "-rwxr-xr-x",
		"image/root/data": "dtrwxrwxrwx",
		"out":             "drwx------",
		"empty":           "-rw-------",
	} {
		info, err := fs.Stat(fsys, name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().String(); got != want {
			t.Errorf("mode of %q: got %s, want %s", name, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for what, files := range map[string]map[string]memfs.File{
		"absolute path": {"/etc/passwd": {}},
		"way out":       {"../x": {}},
		"symlink":       {"x": {Mode: fs.ModeSymlink | 0o777}},
		"file as dir":   {"x": {}, "x/y": {}},
		"dir with data": {"x": {Mode: fs.ModeDir, Data: []byte("y")}},
	} {
		if _, err := memfs.New(files); err == nil {
			t.Errorf("New with %s: got no error, want one", what)
		} else if !strings.Contains(err.Error(), "add ") {
			t.Errorf("New with %s: got error %q, want one that names the path", what, err)
		}
	}
}

func TestReadFileIsTheCallers(t *testing.T) {
	fsys, err := memfs.New(map[string]memfs.File{"x": {Mode: 0o644, Data: []byte("abc")}})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := fs.ReadFile(fsys, "x")
	first[0] = 'X'
	second, err := fs.ReadFile(fsys, "x")
	if err != nil || string(second) != "abc" {
		t.Errorf("got %q, %v, want %q", second, err, "abc")
	}
}
