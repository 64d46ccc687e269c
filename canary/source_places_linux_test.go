package canary

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer"
)

var arm64 = sandboxer.Platform{OS: "linux", Arch: "arm64"}

// tinyARM64 is the tiny program for another machine, and further changed.
func tinyARM64(at int, with ...byte) []byte {
	data := changed(0x12, byte(elf.EM_AARCH64))
	copy(data[at:], with)
	return data
}

// TestUnfit puts what is no canary for a host of arm64 wherever one is looked
// for. Each time the error says what is wrong with which file.
func TestUnfit(t *testing.T) {
	const segment = 64
	file := func(data []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, data, 0o755) }
	}
	for _, c := range []struct {
		what string
		put  func(path string) error
		want string
	}{
		{"another architecture's", file(tinyProgram()), "built for amd64, want arm64"},
		{"a Mac's", file([]byte("\xcf\xfa\xed\xfe")), "built for macOS, want linux"},
		{"a dynamic one", file(tinyARM64(segment, byte(elf.PT_INTERP))), "linked dynamically, want static (CGO_ENABLED=0)"},
		{"no canary", file(bytes.ReplaceAll(tinyARM64(0), []byte("sandboxer canary"), []byte("something else.."))), "not a canary"},
		{"half a program", file(tinyARM64(0)[:130]), "a damaged ELF program"},
		{"an empty file", file(nil), "not an ELF program"},
		{"a directory", func(path string) error { return os.Mkdir(path, 0o755) }, "a directory, want a program"},
		{"a link to nothing", func(path string) error { return os.Symlink("gone", path) }, `a link to "gone", where nothing is`},
		{"a link to itself", func(path string) error { return os.Symlink(filepath.Base(path), path) }, "too many levels of symbolic links"},
		{"a named pipe", func(path string) error { return syscall.Mkfifo(path, 0o755) }, "not a regular file"},
		{"an unreadable file", func(path string) error { return os.WriteFile(path, tinyARM64(0), 0o311) }, "permission denied"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir, none := t.TempDir(), t.TempDir()
			path := filepath.Join(dir, "sandboxer-linux-arm64")
			if err := c.put(path); err != nil {
				t.Fatal(err)
			}
			asNobody(t, func() {
				_, err := File(path)(t.Context(), arm64)
				checkNoProgram(t, err, path, c.want)
				t.Setenv("PATH", none)
				_, err = finder{dirs: []string{dir}}.find(t.Context(), arm64)
				checkNoProgram(t, err, path, c.want)
				t.Setenv("PATH", dir)
				_, err = finder{dirs: []string{none}}.find(t.Context(), arm64)
				checkNoProgram(t, err, "sandboxer-linux-arm64") // of some, such as a directory, PATH says nothing
			})
		})
	}
}

// asNobody runs f without root's right to read everything. Only one thread
// changes: fsuid is a property of threads (setfsuid(2)).
func asNobody(t *testing.T, f func()) {
	t.Helper()
	const nobody = 65534
	if os.Geteuid() != 0 {
		f()
		return
	}
	for up := t.TempDir(); up != os.TempDir() && up != "/"; up = filepath.Dir(up) {
		if err := os.Chmod(up, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		syscall.Setfsuid(nobody)
		f()
	}()
	<-done
}

// TestLinks finds a program by links, to it and to what lies beside it.
func TestLinks(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cellar, bin, releases := t.TempDir(), t.TempDir(), t.TempDir()
	exe, called := filepath.Join(cellar, "sandboxer"), filepath.Join(bin, "sandboxer")
	program := filepath.Join(releases, "0.1")
	for _, err := range []error{
		os.WriteFile(exe, nil, 0o755), os.WriteFile(program, tinyARM64(0), 0o644),
		os.Symlink(exe, called), os.Symlink(program, filepath.Join(cellar, "sandboxer-linux-arm64")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := finder{dirs: directories(called)}.find(t.Context(), arm64)
	if want := filepath.Join(cellar, "sandboxer-linux-arm64"); err != nil || got.Origin != want {
		t.Errorf("got %q, %v, want %q", got.Origin, err, want)
	}
	if got := directories(exe); len(got) != 1 || got[0] != cellar {
		t.Errorf("directories of %q: got %q, want %q", exe, got, cellar)
	}
}

// TestTruncated cuts a real program where a download may have ended.
func TestTruncated(t *testing.T) {
	whole, err := os.ReadFile(build(t, "selfmain", "CGO_ENABLED=0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []int{100, 5000, len(whole) / 4, len(whole) / 2} {
		_, err := File(write(t, whole[:part]))(t.Context(), here)
		if err == nil || !strings.Contains(err.Error(), "truncated: ") && !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%d of %d bytes: got %v, want it to say truncated or damaged", part, len(whole), err)
		}
	}
}
