package canary

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

const stranger = 999 // a user of a container

// emptied empties dir, with few files open at once.
func emptied(t *testing.T, dir string) error {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	return empty(top)
}

// inDir returns the names in a directory.
func inDir(t *testing.T, dir string) []string {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Whatever lies there goes, and what it leads to stays as it was.
func TestEmpty(t *testing.T) {
	lab.Require(t, "root")
	outside, dir := t.TempDir(), t.TempDir()
	file := outside + "/file"
	must(t, os.WriteFile(file, []byte("kept"), 0o640), os.Chown(file, stranger, stranger))
	before, err := os.Stat(file)
	must(t, err)

	closed := dir + "/data/closed"
	must(t,
		os.MkdirAll(closed+"/deeper/still", 0o700),
		os.WriteFile(closed+"/deeper/file", nil, 0o600),
		os.Link(file, closed+"/hardlink"),
		os.Link(file, dir+"/hardlink"),
		os.Symlink(outside, closed+"/symlink"),
		os.Symlink("deeper", closed+"/within"),
		os.Symlink("/nowhere", dir+"/dangling"),
		syscall.Mkfifo(closed+"/fifo", 0o600),
		os.WriteFile(closed+"/\n\x1b[2Jend", nil, 0o600),
		os.Mkdir(closed+"/...", 0o700),
		os.Mkdir(dir+"/sticky", os.ModeSticky|0o777),
		os.WriteFile(dir+"/sticky/file", nil, 0o600),
		os.Chown(dir+"/sticky/file", stranger, stranger),
		os.Chown(closed+"/deeper", stranger, stranger), os.Chmod(closed+"/deeper", 0),
		os.Chown(closed, stranger, stranger), os.Chmod(closed, 0),
	)
	socket, err := net.Listen("unix", dir+"/data/socket")
	must(t, err)
	socket.(*net.UnixListener).SetUnlinkOnClose(false)
	socket.Close()
	must(t, os.Mkdir(dir+"/many", 0o700))
	for i := range 3000 { // more than are listed at once
		must(t, os.WriteFile(fmt.Sprintf("%s/many/%d", dir, i), nil, 0o600))
	}

	if err := emptied(t, dir); err != nil {
		t.Errorf("got %v, want success", err)
	}
	if left := inDir(t, dir); len(left) > 0 {
		t.Errorf("got %q left, want nothing", left)
	}
	after, err := os.Stat(file)
	must(t, err)
	got, want := after.Sys().(*syscall.Stat_t), before.Sys().(*syscall.Stat_t)
	if text, err := os.ReadFile(file); err != nil || string(text) != "kept" || got.Mode != want.Mode || got.Uid != want.Uid || got.Gid != want.Gid || got.Nlink != 1 {
		t.Errorf("the file that had other names: got %q, mode %o, owner %d:%d, %d links (%v), want \"kept\", mode %o, owner %d:%d, one link",
			text, got.Mode, got.Uid, got.Gid, got.Nlink, err, want.Mode, want.Uid, want.Gid)
	}
}

// A tree deeper than paths are long, and than files may be open.
func TestEmptyDeep(t *testing.T) {
	dir := t.TempDir()
	at, err := os.OpenRoot(dir)
	must(t, err)
	for range 2500 {
		must(t, at.Mkdir("d", 0o700))
		next, err := at.OpenRoot("d")
		must(t, err, at.Close())
		at = next
	}
	must(t, at.Close())
	if err := emptied(t, dir); err != nil {
		t.Errorf("got %v, want success", err)
	}
	if left := inDir(t, dir); len(left) > 0 {
		t.Errorf("got %q left, want nothing", left)
	}
}

// What is mounted stays, with what it is mounted on, and is told of once; all
// else goes.
func TestEmptyCrossesNoMount(t *testing.T) {
	lab.Require(t, "root")
	outside, dir := t.TempDir(), t.TempDir()
	within := dir + "/data/mounted"
	must(t, os.WriteFile(outside+"/file", nil, 0o600), os.MkdirAll(within, 0o700), os.MkdirAll(dir+"/data/z/z", 0o700), os.MkdirAll(dir+"/y/y", 0o700))
	must(t, syscall.Mount(outside, within, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { must(t, syscall.Unmount(within, 0)) })
	err := emptied(t, dir)
	if err == nil || !strings.Contains(err.Error(), `1 not removed, such as "mounted": `) {
		t.Errorf("got %v, want just what is mounted in it", err)
	}
	if got := inDir(t, outside); len(got) != 1 {
		t.Errorf("got %q behind the mount, want its file", got)
	}
	if left := inDir(t, dir); len(left) != 1 || left[0] != "data" {
		t.Errorf("got %q left, want data", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if err := onlyMount(string(mounts), dir); err == nil || !strings.Contains(err.Error(), within) {
		t.Errorf("got %v, want an error that names %s", err, within)
	}
}

func TestOnlyMount(t *testing.T) {
	const at = "183 166 254:0 /tmp/sandboxer/.trash/x /trash rw,relatime - ext4 /dev/vda rw\n"
	for _, tt := range []struct{ name, mounts, want string }{
		{"it", "1 0 0:1 / / rw - overlay o rw\n" + at, ""},
		{"none", "1 0 0:1 / / rw - overlay o rw\n2 0 0:1 / /trash2 rw - overlay o rw\n", "nothing is mounted at /trash"},
		{"one below", at + "184 183 0:9 / /trash/a\\040b rw - tmpfs t rw\n", `something is mounted at "/trash/a b"`},
		{"one beside", at + "184 183 0:9 / /trash2/a rw - tmpfs t rw\n", ""},
		{"garbage", "183 166\n", "nothing is mounted at /trash"},
	} {
		got := ""
		if err := onlyMount(tt.mounts, trashMount); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got error %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestIsDir(t *testing.T) {
	dir, err := os.OpenRoot(t.TempDir())
	must(t, err)
	defer dir.Close()
	var stat syscall.Stat_t
	must(t, syscall.Stat(dir.Name(), &stat))
	device, inode := fmt.Sprint(stat.Dev), fmt.Sprint(stat.Ino)
	for _, tt := range []struct {
		device, inode string
		ok            bool
	}{{device, inode, true}, {device, "1", false}, {"1", inode, false}, {"", "", false}} {
		if err := isDir(dir, tt.device, tt.inode); (err == nil) != tt.ok {
			t.Errorf("device %q, inode %q: got %v, want it to hold: %v", tt.device, tt.inode, err, tt.ok)
		}
	}
}

// By hand, on a host, it does nothing.
func TestPurgeByHand(t *testing.T) {
	out, err := asCanary(t, nil, "purge", "1", "2").CombinedOutput()
	if err == nil || string(out) != "sandboxer: purge: nothing is mounted at /trash\n" {
		t.Errorf("got %q, %v, want it to refuse", out, err)
	}
}

func TestHelper(t *testing.T) {
	helper := Helper(File(write(t, tinyProgram())))
	tree, err := helper.Files(t.Context(), amd64)
	must(t, err)
	info, err := fs.Stat(tree, strings.TrimPrefix(helper.Command[0], "/"))
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("the program: got %v, %v, want mode 0755", info, err)
	}
	if _, err := helper.Files(t.Context(), sandboxer.Platform{OS: "plan9", Arch: "amd64"}); sandboxer.Hint(err) == "" {
		t.Errorf("plan9: got %v, want an error with a hint", err)
	}
}
