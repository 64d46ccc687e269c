package sandboxer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A putter is one of the two ways to put something at a path.
type putter struct {
	name string
	put  func(ctx context.Context, host sandboxer.Host, path string, size int) error
}

// putters put as much as size, which no compression makes smaller.
var putters = []putter{
	{"WriteFile", func(ctx context.Context, host sandboxer.Host, path string, size int) error {
		return sandboxer.WriteFile(ctx, host, path, noise(size), 0o600)
	}},
	{"PutTree", func(ctx context.Context, host sandboxer.Host, path string, size int) error {
		return sandboxer.PutTree(ctx, host, path, fstest.MapFS{
			"a/first": {Data: []byte("first"), Mode: 0o644}, "a/noise": {Data: noise(size), Mode: 0o644}, "ro/last": {Data: []byte("last"), Mode: 0o444},
		})
	}},
}

func noise(size int) []byte {
	data := make([]byte, size)
	for i, x := 0, uint32(1); i < size; i++ {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		data[i] = byte(x)
	}
	return data
}

// putDir returns a directory that can be removed when the test is over, with the
// read-only ones in it.
func putDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", dir).Run() })
	return dir
}

// fails returns the error of a put that is to fail.
func fails(t *testing.T, err error, is error) *sandboxer.FileError {
	t.Helper()
	var failure *sandboxer.FileError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a FileError", err)
	}
	if is != nil && !errors.Is(err, is) || failure.Unknown || failure.Left != "" {
		t.Errorf("got %v, want one that is %v, known, and leaves nothing", err, is)
	}
	return failure
}

// names returns what is in a directory, one line each, and the content of files.
func names(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			fmt.Fprintf(&b, "%s/\n", rel)
			return nil
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %.20s\n", rel, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func same(t *testing.T, when, dir, want string) {
	t.Helper()
	if got := names(t, dir); got != want {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

func TestWriteFile(t *testing.T) {
	dir := putDir(t)
	for _, content := range []string{"one", "", "\x00\xff\n"} {
		for _, perm := range []fs.FileMode{0o600, 0o755, 0o400} {
			if err := sandboxer.WriteFile(t.Context(), localhost.Host{}, dir+"/f", []byte(content), perm); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(dir + "/f")
			info, serr := os.Stat(dir + "/f")
			if err != nil || serr != nil || string(data) != content || info.Mode() != perm {
				t.Errorf("got %q, %v, %v, want %q with mode %v", data, info.Mode(), err, content, perm)
			}
		}
	}
	same(t, "at the end", dir, "f \x00\xff\n\n")
}

func TestPutTree(t *testing.T) {
	from, dir := putDir(t), t.TempDir()
	if err := errors.Join(
		os.MkdirAll(from+"/a/empty", 0o700), os.WriteFile(from+"/a/-rf\n", []byte("x"), 0o640), os.Chmod(from, 0o750),
	); err != nil {
		t.Fatal(err)
	}
	if err := sandboxer.PutTree(t.Context(), localhost.Host{}, dir+"/new", os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	same(t, "put", dir+"/new", names(t, from))
	for path, want := range map[string]fs.FileMode{"": fs.ModeDir | 0o750, "/a/empty": fs.ModeDir | 0o700, "/a/-rf\n": 0o640} {
		if info, err := os.Stat(dir + "/new" + path); err != nil || info.Mode() != want {
			t.Errorf("%q: got %v, %v, want mode %v", path, info, err, want)
		}
	}
	err := sandboxer.PutTree(t.Context(), localhost.Host{}, dir+"/new", fstest.MapFS{})
	fails(t, err, fs.ErrExist)
	same(t, "put again", dir+"/new", names(t, from))
}

// What is wrong with the arguments is said before any host is asked.
func TestFilesRefused(t *testing.T) {
	never := hostFunc(func(context.Context, sandboxer.Cmd) (sandboxer.Result, error) {
		t.Error("got the host asked, want it not to be")
		return sandboxer.Result{}, errors.New("asked")
	})
	for _, path := range []string{"", "f", "~/f", "/", "/d/", "/d/..", "/a\x00b"} {
		for _, p := range putters {
			fails(t, p.put(t.Context(), never, path, 1), nil)
		}
	}
	fails(t, sandboxer.WriteFile(t.Context(), never, "/f", nil, fs.ModeSetuid|0o755), nil)
	from := t.TempDir()
	if err := errors.Join(os.Mkdir(from+"/sub", 0o700), os.Symlink("/etc", from+"/sub/link")); err != nil {
		t.Fatal(err)
	}
	for name, tree := range map[string]fs.FS{
		"a link":                         os.DirFS(from),
		"a device":                       fstest.MapFS{"d": {Mode: fs.ModeDevice | 0o600}},
		"a pipe":                         fstest.MapFS{"p": {Mode: fs.ModeNamedPipe | 0o600}},
		"a file that cannot be read":     fstest.MapFS{"f": {Mode: 0o200}},
		"a directory that is not to use": fstest.MapFS{"d": {Mode: fs.ModeDir | 0o600}},
		"a tree that is not there":       os.DirFS(from + "/none"),
	} {
		if failure := fails(t, sandboxer.PutTree(t.Context(), never, "/d", tree), nil); failure.Said != "" {
			t.Errorf("%s: got %v, want nothing of a host", name, failure)
		}
	}
}

type hostFunc func(context.Context, sandboxer.Cmd) (sandboxer.Result, error)

func (f hostFunc) Name() string { return "fn" }

func (f hostFunc) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	return f(ctx, cmd)
}

// A file of somebody else is replaced by one of the user on the host.
func TestWriteFileOfAnother(t *testing.T) {
	lab.Require(t, "root")
	file := t.TempDir() + "/f"
	if err := errors.Join(os.WriteFile(file, nil, 0o666), os.Chown(file, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if err := sandboxer.WriteFile(t.Context(), localhost.Host{}, file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("got %+v, %v, want it to be root's", info, err)
	}
}

// Of several at once one wins whole, and of trees the others are told so.
func TestFilesAtOnce(t *testing.T) {
	for _, p := range putters {
		dir := putDir(t)
		results := make([]error, 6)
		var all sync.WaitGroup
		for i := range results {
			all.Go(func() { results[i] = p.put(t.Context(), localhost.Host{}, dir+"/x", 50<<10+i) })
		}
		all.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
				continue
			}
			fails(t, err, fs.ErrExist)
		}
		if want := map[string]int{"WriteFile": len(results), "PutTree": 1}[p.name]; won != want {
			t.Errorf("%s: got %d that succeeded, want %d", p.name, won, want)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: got %v, %v, want one entry", p.name, entries, err)
		}
	}
}

// The memory a tree takes does not grow with its files.
func TestPutTreeMemory(t *testing.T) {
	host := hostFunc(func(_ context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		_, err := io.Copy(io.Discard, cmd.Stdin)
		return sandboxer.Result{Stdout: []byte("done\n")}, err
	})
	allocated := func(size int64) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := sandboxer.PutTree(t.Context(), host, "/x", hugeFS(size)); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	small, large := allocated(1<<20), allocated(256<<20)
	if large > small+1<<20 {
		t.Errorf("got %d bytes allocated for 1 MiB, %d for 256 MiB, want no more for the larger one", small, large)
	}
}

// A hugeFS has one file of that size.
type hugeFS int64

func (size hugeFS) Open(name string) (fs.File, error) {
	f, err := fstest.MapFS{"huge": {Mode: 0o600}}.Open(name)
	if name == "huge" {
		f = hugeFile{f, io.LimitReader(readerFunc(func(p []byte) (int, error) { return len(p), nil }), int64(size)), int64(size)}
	}
	return f, err
}

type hugeFile struct {
	fs.File
	content io.Reader
	size    int64
}

func (h hugeFile) Read(p []byte) (int, error) { return h.content.Read(p) }

func (h hugeFile) Stat() (fs.FileInfo, error) {
	info, err := h.File.Stat()
	return hugeInfo{info, h.size}, err
}

type hugeInfo struct {
	fs.FileInfo
	size int64
}

func (h hugeInfo) Size() int64 { return h.size }
