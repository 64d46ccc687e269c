package onhost_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A machine is a home and a root of their own, on which scripts run with one
// shell of those a host may have.
type machine struct {
	t          *testing.T
	shell      string
	home, root string
	op         onhost.Op
	uid        int // of the user; 0: the test's own
}

// eachShell runs f on a new machine for every shell that is installed.
func eachShell(t *testing.T, f func(t *testing.T, m *machine)) {
	t.Helper()
	for _, shell := range []string{"dash", "bash", "busybox", "mksh"} {
		t.Run(shell, func(t *testing.T) {
			lab.Require(t, shell)
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Fatal(err)
			}
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			m := &machine{t: t, shell: path, home: filepath.Join(dir, "home"), root: filepath.Join(dir, "root")}
			if err := os.Mkdir(m.home, 0o700); err != nil {
				t.Fatal(err)
			}
			m.op = onhost.Op{Root: m.root, ID: "0123456789abcdef"}
			f(t, m)
		})
	}
}

func (m *machine) command(c onhost.Command) *exec.Cmd {
	args := c.Args[1:]
	if filepath.Base(m.shell) == "busybox" {
		args = append([]string{"sh"}, args...)
	}
	cmd := exec.Command(m.shell, args...)
	cmd.Env = []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = c.Stdin
	if m.uid != 0 {
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(m.uid), Gid: uint32(m.uid)}}
	}
	return cmd
}

func (m *machine) run(c onhost.Command) (onhost.Answer, int) {
	m.t.Helper()
	cmd := m.command(c)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	a, err := onhost.ParseAnswer(out)
	if err != nil {
		m.t.Fatalf("%v in %q (stderr %q)", err, out, stderr.String())
	}
	if stderr.Len() > 0 {
		m.t.Logf("stderr: %s", stderr.String())
	}
	return a, cmd.ProcessState.ExitCode()
}

func (m *machine) registry(id string) string {
	return filepath.Join(m.home, ".local/state/sandboxer/registry", id+".json")
}

func (m *machine) dir(id string) string { return filepath.Join(m.root, id) }

// reserve makes a sandbox that is to be there.
func (m *machine) reserve(id, record string) onhost.Answer {
	m.t.Helper()
	a, code := m.run(m.op.Reserve(id, []byte(record), "mark", archive(m.t, "mark")))
	if code != 0 || !a.Done {
		m.t.Fatalf("reserve %s: got %+v and exit %d, want it done", id, a, code)
	}
	return a
}

// archive is an upload of one file, which ends with marker.
func archive(t *testing.T, marker string) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	for _, e := range []struct {
		name, body string
		mode       int64
	}{{"data/", "", 0o1777}, {"data/file", "hello", 0o755}, {onhost.Marker, marker, 0o600}} {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.body)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, e.body)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return &buf
}

func (m *machine) item(a onhost.Answer, id, record, teardown string) onhost.Item {
	return onhost.Item{
		ID: id, Metadata: []byte(record), Registry: []byte(record), Next: []byte(`{"next":1}`), Tombstone: []byte(`{"tomb":1}`),
		Device: a.Device, Inode: a.Inode, Birth: a.Birth, Audit: []byte(`{"act":"destroy"`), Teardown: teardown,
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestReserve(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve("canary-000000", `{"it's":"a record"}`)
		if a.Dir != m.dir("canary-000000") || a.Inode == 0 {
			t.Errorf("got directory %q inode %d, want %q and its inode", a.Dir, a.Inode, m.dir("canary-000000"))
		}
		for _, path := range []string{m.registry("canary-000000"), a.Dir + "/.sandboxer/meta.json"} {
			if got, err := os.ReadFile(path); err != nil || string(got) != `{"it's":"a record"}` {
				t.Errorf("%s: got %q, %v, want the record", path, got, err)
			}
		}
		for path, want := range map[string]os.FileMode{
			m.root: 0o700, a.Dir: 0o700, a.Dir + "/data": 0o777 | os.ModeSticky, a.Dir + "/data/file": 0o755,
		} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode() & (os.ModePerm | os.ModeSticky); got != want {
				t.Errorf("mode of %s: got %v, want %v", path, got, want)
			}
		}
		if again, code := m.run(m.op.Reserve("canary-000000", []byte("x"), "mark", archive(t, "mark"))); again.Refused == nil || again.Refused.Code != "id_taken" || code != 4 {
			t.Errorf("the same id again: got %+v and exit %d, want it refused with id_taken", again, code)
		}
	})
}

// Files have the modes they were sent with also where an ordinary user has
// busybox's tar.
func TestReserveKeepsModes(t *testing.T) {
	lab.Require(t, "root", "busybox")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	base, err := os.MkdirTemp("", "onhost") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	m := &machine{t: t, shell: "/bin/sh", home: base + "/home", root: base + "/root", op: onhost.Op{Root: base + "/root", ID: "0123456789abcdef"}}
	err = errors.Join(os.Chmod(base, 0o755), os.Mkdir(m.home, 0o700), os.Mkdir(m.root, 0o700), os.Chown(m.home, nobody, nobody),
		os.Chown(m.root, nobody, nobody), os.Symlink(busybox, base+"/tar"), os.Symlink(busybox, base+"/gzip"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := m.command(m.op.Reserve("canary-000000", []byte("{}"), "mark", archive(t, "mark")))
	cmd.Env, cmd.Dir = []string{"HOME=" + m.home, "PATH=" + base + ":" + os.Getenv("PATH")}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("got %v, want success: %s", err, out)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "/.sandboxer/meta.json": 0o600, "/data": 0o777, "/data/file": 0o755} {
		info, err := os.Stat(m.dir("canary-000000") + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q: got %v, want %v", path, got, want)
		}
	}
}

// An upload that does not arrive whole leaves nothing behind.
func TestReserveUndoes(t *testing.T) {
	whole := archive(t, "mark").Bytes()
	for name, upload := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-30], "garbage": []byte("MOTD: welcome"), "other marker": archive(t, "other").Bytes(),
	} {
		t.Run(name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				a, code := m.run(m.op.Reserve("canary-000000", []byte("{}"), "mark", bytes.NewReader(upload)))
				if code == 0 || a.Done || len(a.Errors) == 0 {
					t.Errorf("got %+v and exit %d, want an error", a, code)
				}
				for _, path := range []string{m.dir("canary-000000"), m.registry("canary-000000")} {
					if exists(path) {
						t.Errorf("%s is left behind", path)
					}
				}
			})
		})
	}
}

func TestRootIsChecked(t *testing.T) {
	tests := []struct {
		name   string
		make   func(m *machine) error
		code   string // empty: mended
		asRoot bool
	}{
		{"symlink", func(m *machine) error { return os.Symlink(m.home, m.root) }, "root_symlink", false},
		{"file", func(m *machine) error { return os.WriteFile(m.root, nil, 0o600) }, "root_not_a_directory", false},
		{"group may write", func(m *machine) error { return mkdirMode(m.root, 0o775) }, "", false},
		{"all may write", func(m *machine) error { return mkdirMode(m.root, 0o707) }, "", false},
		{"another user's", func(m *machine) error { os.Mkdir(m.root, 0o700); return os.Chown(m.root, 12345, -1) }, "root_foreign", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				if tt.asRoot {
					lab.Require(t, "root")
				}
				if err := tt.make(m); err != nil {
					t.Fatal(err)
				}
				a, _ := m.run(m.op.Reserve("canary-000000", []byte("{}"), "mark", archive(t, "mark")))
				if tt.code == "" {
					info, err := os.Stat(m.root)
					if err != nil || !a.Done || len(a.Mended) != 1 || info.Mode().Perm()&0o022 != 0 {
						t.Errorf("got %+v, mode %v, want it mended and done", a, info.Mode())
					}
					return
				}
				if a.Refused == nil || a.Refused.Code != tt.code {
					t.Errorf("got %+v, want it refused with %s", a, tt.code)
				}
				if exists(m.dir("canary-000000")) {
					t.Error("a directory was made all the same")
				}
			})
		})
	}
}

// A root shared by several users stays so, whoever of them uses it.
func TestSharedRoot(t *testing.T) {
	lab.Require(t, "root")
	eachShell(t, func(t *testing.T, m *machine) {
		if err := mkdirMode(m.root, 0o777|os.ModeSticky); err != nil {
			t.Fatal(err)
		}
		if a := m.reserve("canary-000000", "rec"); len(a.Mended) > 0 {
			t.Errorf("got mended %q, want nothing to be mended", a.Mended)
		}
		if info, err := os.Stat(m.root); err != nil || info.Mode().Perm() != 0o777 {
			t.Errorf("got %v, %v, want mode 1777 as it was", info.Mode(), err)
		}
	})
}

func mkdirMode(path string, mode os.FileMode) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func TestLocked(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		m.reserve("canary-000000", "one")
		run := func(was, record string, args ...string) (string, string, int) {
			cmd := m.command(onhost.Command{Args: m.op.Locked("canary-000000", []byte(was), []byte(record), args)})
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, _ := cmd.Output()
			return string(out), m.op.LockedFailure(cmd.ProcessState.ExitCode(), stderr.Bytes()), cmd.ProcessState.ExitCode()
		}
		if out, why, code := run("one", "two", "sh", "-c", "echo hi; exit 75"); out != "hi\n" || why != "" || code != 75 {
			t.Errorf("got %q, %q, %d, want the command's own output and status", out, why, code)
		}
		for _, path := range []string{m.registry("canary-000000"), m.dir("canary-000000") + "/.sandboxer/meta.json"} {
			if got, _ := os.ReadFile(path); string(got) != "two" {
				t.Errorf("%s: got %q, want it renewed", path, got)
			}
		}
		if out, why, _ := run("one", "three", "echo", "ran"); out != "" || why != "changed" {
			t.Errorf("with an old record: got %q and %q, want it not to run, changed", out, why)
		}
		// The lock is held while the command runs.
		lock := filepath.Join(m.home, ".local/state/sandboxer/locks/canary-000000")
		if out, _, _ := run("two", "two", "sh", "-c", "flock -n "+lock+" true || echo held"); out != "held\n" {
			t.Errorf("inside the command: got %q, want the lock held", out)
		}
		// A child that outlives the command must not hold the lock.
		if _, why, _ := run("two", "two", "sh", "-c", "sleep 60 >/dev/null 2>&1 </dev/null & echo $!"); why != "" {
			t.Errorf("got %q, want it to run", why)
		}
		if _, why, _ := run("two", "two", "true"); why != "" {
			t.Errorf("after a child was left running: got %q, want the lock free", why)
		}
		held := holdLock(t, filepath.Join(m.home, ".local/state/sandboxer/locks/canary-000000"))
		defer held.Close()
		if out, why, _ := run("two", "two", "echo", "ran"); out != "" || why != "locked" {
			t.Errorf("while locked: got %q and %q, want it not to run, locked", out, why)
		}
	})
}

func holdLock(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDestroy(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve("canary-000000", "rec")
		half := m.registry("canary-000000") + ".4567cdef.tmp" // a writer was killed
		if err := os.WriteFile(half, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, "canary-000000", "rec", "echo removed container abc")}))
		it := got.Item("canary-000000")
		if it.Result != onhost.Destroyed || len(it.Removed) != 1 {
			t.Fatalf("got %+v, want it destroyed", got)
		}
		for _, path := range []string{m.dir("canary-000000"), m.registry("canary-000000"), half, m.root + "/.trash"} {
			if exists(path) {
				t.Errorf("%s is left behind", path)
			}
		}
		state := filepath.Join(m.home, ".local/state/sandboxer")
		if tomb, _ := os.ReadFile(state + "/registry/destroyed/canary-000000.json"); string(tomb) != `{"tomb":1}` {
			t.Errorf("got last record %q, want the tombstone", tomb)
		}
		audit, _ := os.ReadFile(state + "/audit.jsonl")
		if !strings.HasPrefix(string(audit), `{"act":"destroy","at":"2`) || !strings.HasSuffix(string(audit), `"result":"removed"}`+"\n") {
			t.Errorf("got audit line %q", audit)
		}
		again, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, "canary-000000", "rec", "echo never")}))
		if r := again.Item("canary-000000").Result; r != onhost.Gone {
			t.Errorf("again: got %q, want gone", r)
		}
	})
}

// Whatever is not as it was seen is left alone, or left to the next run.
func TestDestroyRefuses(t *testing.T) {
	const id = "canary-000000"
	tests := []struct {
		name     string
		change   func(m *machine) error
		teardown string
		result   string
		code     string
		kept     bool // the directory is where it was
	}{
		{"locked", nil, "", onhost.Locked, "locked", true},
		{"metadata changed", func(m *machine) error { return os.WriteFile(m.dir(id)+"/.sandboxer/meta.json", []byte("other"), 0o600) }, "", onhost.Changed, "record_changed", true},
		{"registry changed", func(m *machine) error { return os.WriteFile(m.registry(id), []byte("other"), 0o600) }, "", onhost.Changed, "record_changed", true},
		{"registry gone", func(m *machine) error { return os.Remove(m.registry(id)) }, "", onhost.Changed, "record_changed", true},
		{"metadata a fifo", func(m *machine) error {
			os.Remove(m.dir(id) + "/.sandboxer/meta.json")
			return syscall.Mkfifo(m.dir(id)+"/.sandboxer/meta.json", 0o600)
		}, "", onhost.Changed, "record_changed", true},
		{"another directory", func(m *machine) error {
			os.Rename(m.dir(id), m.root+"/elsewhere")
			return os.Mkdir(m.dir(id), 0o700)
		}, "", onhost.Changed, "dir_changed", true},
		{"a symlink", func(m *machine) error {
			os.Rename(m.dir(id), m.root+"/elsewhere")
			return os.Symlink(m.root+"/elsewhere", m.dir(id))
		}, "", onhost.Refused, "not_dir", true},
		{"remains", nil, "echo remains network n outsider; exit 1", onhost.Failed, "remains", true},
		{"engine silent", nil, "exit 2", onhost.Unknown, "engine_unknown", true},
		{"teardown broken", nil, "syntax error (", onhost.Unknown, "engine_unknown", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				a := m.reserve(id, "rec")
				if tt.change != nil {
					if err := tt.change(m); err != nil {
						t.Fatal(err)
					}
				}
				if tt.name == "locked" {
					defer holdLock(t, filepath.Join(m.home, ".local/state/sandboxer/locks", id)).Close()
				}
				got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, id, "rec", tt.teardown)}))
				if it := got.Item(id); it.Result != tt.result || it.Code != tt.code {
					t.Errorf("got %+v, want %s %s", it, tt.result, tt.code)
				}
				if exists(m.dir(id)) != tt.kept {
					t.Errorf("directory exists: %v, want %v", exists(m.dir(id)), tt.kept)
				}
			})
		})
	}
}

// A directory that was made at another time is another one, though it was given
// the same number; nobody is kept from anything by tools that cannot tell.
func TestDestroyKnowsBirth(t *testing.T) {
	const id = "canary-000000"
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve(id, "rec")
		if m.shell != "busybox" && a.Birth == 0 {
			t.Errorf("got no birth of %s, want when it was made", a.Dir)
		}
		item := m.item(a, id, "rec", "true")
		item.Birth = 1795467180_123456789
		got, _ := m.run(m.op.Destroy([]onhost.Item{item}))
		want := onhost.Changed
		if a.Birth == 0 {
			want = onhost.Destroyed
		}
		if it := got.Item(id); it.Result != want {
			t.Errorf("made at another time: got %+v, want %s", it, want)
		}
	})
}

func TestCheckRoot(t *testing.T) {
	for _, ok := range []string{"/tmp/sandboxer", "~/.sandboxer", "/srv/a/b-c_d"} {
		if err := onhost.CheckRoot(ok); err != nil {
			t.Errorf("%q: got %v, want it accepted", ok, err)
		}
	}
	for _, bad := range []string{"", "/", "~", "~/", "/tmp", "/tmp/", "tmp/x", "/tmp/../etc", "/tmp/./x", "/tmp//x", "/tmp/a b", "/tmp/a\nb", "/tmp/$HOME", "~root/x", "/tmp/x'y", `/tmp/a\b`} {
		if onhost.CheckRoot(bad) == nil {
			t.Errorf("%q: accepted, want it refused", bad)
		}
	}
}

// A bind mount below a directory has the same device as the directory: only
// mountinfo shows it, and removing through it would remove what is elsewhere.
func TestDestroyKeepsOffMounts(t *testing.T) {
	lab.Require(t, "root")
	eachShell(t, func(t *testing.T, m *machine) {
		const id = "canary-000000"
		a := m.reserve(id, "rec")
		outside := filepath.Join(m.home, "precious")
		if err := os.WriteFile(outside, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		below := m.dir(id) + "/data"
		if err := syscall.Mount(m.home, below, "", syscall.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Unmount(below, syscall.MNT_DETACH) })
		got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, id, "rec", "")}))
		if it := got.Item(id); it.Result != onhost.Refused || it.Code != "mount_present" {
			t.Errorf("got %+v, want it refused with mount_present", it)
		}
		if !exists(outside) || !exists(m.dir(id)) {
			t.Error("something was removed")
		}
	})
}

// Each sandbox of a batch stands for itself.
func TestDestroyBatch(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve("canary-000000", "a")
		b := m.reserve("canary-111111", "b")
		got, _ := m.run(m.op.Destroy([]onhost.Item{
			m.item(a, "canary-000000", "a", "cat; exit 1"),
			m.item(b, "canary-111111", "b", "true"),
		}))
		if r := got.Item("canary-000000").Result; r != onhost.Failed {
			t.Errorf("first: got %q, want failed", r)
		}
		if r := got.Item("canary-111111").Result; r != onhost.Destroyed {
			t.Errorf("second: got %q, want destroyed", r)
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("mended /x\ndir 1 2 3.000000004 /tmp/sandboxer/a b\nreserved\n"))
	f.Add([]byte("removed container a\nend canary-000000 destroyed ok\n"))
	f.Add([]byte("end\ndir\nrefused\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		a, err := onhost.ParseAnswer(out)
		if err == nil && len(a.Items) > strings.Count(string(out), "end ") {
			t.Errorf("%q: got %d items, more than there are lines", out, len(a.Items))
		}
	})
}

// A record that ends in a line end, as an editor leaves one, is that record.
func TestDestroyComparesWholeRecords(t *testing.T) {
	const id = "canary-000000"
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve(id, "rec")
		meta := m.dir(id) + "/.sandboxer/meta.json"
		if err := os.WriteFile(meta, []byte("rec\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		item := m.item(a, id, "rec", "true")
		got, _ := m.run(m.op.Destroy([]onhost.Item{item}))
		if it := got.Item(id); it.Result != onhost.Changed {
			t.Errorf("seen without its line ends: got %+v, want it changed", it)
		}
		item.Metadata = []byte("rec\n\n")
		got, _ = m.run(m.op.Destroy([]onhost.Item{item}))
		if it := got.Item(id); it.Result != onhost.Destroyed {
			t.Errorf("seen as it is: got %+v, want it destroyed", it)
		}
	})
}

// A script of which the end did not arrive does nothing: cut in the right
// place, its teardown would say that nothing remains.
func TestDestroyCutOff(t *testing.T) {
	const id = "canary-000000"
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve(id, "rec")
		c := m.op.Destroy([]onhost.Item{m.item(a, id, "rec", "echo 'it is' 'in use'; exit 1")})
		script, err := io.ReadAll(c.Stdin)
		if err != nil {
			t.Fatal(err)
		}
		for n := bytes.LastIndex(script, []byte("destroy_one")); n < len(script)-2; n++ {
			c.Stdin = bytes.NewReader(script[:n])
			m.command(c).Run() // whatever it makes of that
			if record, err := os.ReadFile(m.registry(id)); string(record) != "rec" || !exists(m.dir(id)) {
				t.Fatalf("cut off after %q: got record %q, %v, want nothing touched", script[n-20:n], record, err)
			}
		}
	})
}

// A sandbox that fills the disk can be destroyed: that is what frees it.
func TestDestroyOnFullDisk(t *testing.T) {
	lab.Require(t, "root")
	const id = "canary-000000"
	eachShell(t, func(t *testing.T, m *machine) {
		disk := filepath.Dir(m.home)
		if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m,mode=700"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
		if err := os.Mkdir(m.home, 0o700); err != nil {
			t.Fatal(err)
		}
		a := m.reserve(id, "rec")
		if err := os.WriteFile(m.dir(id)+"/data/fill", make([]byte, 2<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: got %v, want ENOSPC", err)
		}
		got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, id, "rec", "true")}))
		if it := got.Item(id); it.Result != onhost.Destroyed {
			t.Errorf("got %+v, want it destroyed", it)
		}
		if exists(m.dir(id)) || exists(m.registry(id)) {
			t.Error("something of it is left behind")
		}
	})
}

// After a boot that wiped the root, what is left of a sandbox can still go.
func TestDestroyWithoutRoot(t *testing.T) {
	const id = "canary-000000"
	eachShell(t, func(t *testing.T, m *machine) {
		a := m.reserve(id, "rec")
		if err := os.RemoveAll(m.root); err != nil {
			t.Fatal(err)
		}
		item := m.item(a, id, "", "true")
		item.Registry, item.Inode = []byte("rec"), 0
		got, _ := m.run(m.op.Destroy([]onhost.Item{item}))
		if it := got.Item(id); it.Result != onhost.Destroyed || exists(m.root) {
			t.Errorf("got %+v, root made: %v, want it destroyed and no root", it, exists(m.root))
		}
	})
}

// What others planted in a shared root is no trash.
func TestDestroyTrustsNoTrash(t *testing.T) {
	lab.Require(t, "root")
	const id = "canary-000000"
	foreign := func(path string) error {
		if err := mkdirMode(path, 0o777); err != nil {
			return err
		}
		return os.Chown(path, 12345, -1)
	}
	dangling := func(path string) error { return os.Symlink("nowhere", path) }
	for name, tt := range map[string]struct {
		first, second, third func(string) error
		result               string
	}{
		"foreign":          {foreign, nil, nil, onhost.Destroyed},
		"dangling":         {dangling, nil, nil, onhost.Destroyed},
		"both foreign":     {foreign, foreign, nil, onhost.Destroyed},
		"foreign dangling": {foreign, dangling, nil, onhost.Destroyed},
		"all foreign":      {foreign, foreign, foreign, onhost.Failed}, // which takes the name of the operation
	} {
		t.Run(name, func(t *testing.T) {
			eachShell(t, func(t *testing.T, m *machine) {
				a := m.reserve(id, "rec")
				for i, plant := range []func(string) error{tt.first, tt.second, tt.third} {
					if plant == nil {
						continue
					}
					if err := plant(m.root + []string{"/.trash", "/.trash-0", "/.trash-0." + m.op.ID}[i]); err != nil {
						t.Fatal(err)
					}
				}
				got, _ := m.run(m.op.Destroy([]onhost.Item{m.item(a, id, "rec", "true")}))
				if it := got.Item(id); it.Result != tt.result || exists(m.dir(id)) != (tt.result == onhost.Failed) {
					t.Errorf("got %+v, directory in place: %v, want %s", it, exists(m.dir(id)), tt.result)
				}
			})
		})
	}
}

// Of creates side by side that want a new root, or even the same id, one
// gets it, and the others take nothing away from it.
func TestReserveSideBySide(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		for round := range 5 {
			m.root = fmt.Sprintf("%s-%d", m.root, round)
			m.op.Root = m.root
			id := fmt.Sprintf("canary-00000%d", round)
			var all []*exec.Cmd
			for n := range 6 {
				one := id
				if n > 2 {
					one = fmt.Sprintf("canary-%d%d%d%d%d%d", n, n, n, n, n, round)
				}
				cmd := m.command(m.op.Reserve(one, []byte("rec"), "mark", archive(t, "mark")))
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				all = append(all, cmd)
			}
			done := 0
			for n, cmd := range all {
				err := cmd.Wait()
				if n > 2 && err != nil {
					t.Errorf("an id of its own: got %v, want it reserved", err)
				}
				if n <= 2 && err == nil {
					done++
				}
			}
			if record, _ := os.ReadFile(m.registry(id)); done != 1 || string(record) != "rec" || !exists(m.dir(id)+"/data/file") {
				t.Errorf("the same id: got %d reserved, record %q, want one and its files", done, record)
			}
		}
	})
}

func TestAudit(t *testing.T) {
	eachShell(t, func(t *testing.T, m *machine) {
		if a, code := m.run(m.op.Audit([]byte(`{"act":"destroy"`), "foreign")); code != 0 || !a.Done {
			t.Fatalf("got %+v and exit %d, want it done", a, code)
		}
		line, err := os.ReadFile(filepath.Join(m.home, ".local/state/sandboxer/audit.jsonl"))
		if err != nil || !strings.HasSuffix(string(line), `"result":"foreign"}`+"\n") {
			t.Errorf("got %q, %v, want a line that ends with the reason", line, err)
		}
	})
}
