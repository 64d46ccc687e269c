package sandboxer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A tree that cannot be read to its end is not put.
func TestPutTreeUnread(t *testing.T) {
	dir, boom := putDir(t), errors.New("boom")
	for name, reader := range map[string]io.Reader{
		"fails":   io.MultiReader(bytes.NewReader(noise(100<<10)), readerFunc(func([]byte) (int, error) { return 0, boom })),
		"shrinks": bytes.NewReader(noise(100 << 10)),
		"grows":   bytes.NewReader(noise(300 << 10)),
	} {
		tree := readerFS{fstest.MapFS{"a": {Mode: 0o600}, "big": {Data: make([]byte, 200<<10), Mode: 0o600}}, reader}
		failure := fails(t, sandboxer.PutTree(t.Context(), localhost.Host{}, dir+"/new", tree), nil)
		var he *sandboxer.HostError
		if errors.As(failure, &he) || errors.Is(failure, boom) != (name == "fails") || !strings.Contains(failure.Error(), "boom") && !strings.Contains(failure.Error(), `"big": changed`) {
			t.Errorf("%s: got %v, want the cause, and no host in it", name, failure)
		}
		same(t, name, dir, "")
	}
}

// A readerFS gives its file big the content of a reader, whatever its size.
type readerFS struct {
	fstest.MapFS
	big io.Reader
}

func (r readerFS) Open(name string) (fs.File, error) {
	f, err := r.MapFS.Open(name)
	if name == "big" {
		f = readerFile{f, r.big}
	}
	return f, err
}

type readerFile struct {
	fs.File
	io.Reader
}

func (r readerFile) Read(p []byte) (int, error) { return r.Reader.Read(p) }

// A host on which a step fails keeps what it had, and its words come back.
func TestFilesHostFails(t *testing.T) {
	lab.Require(t, "root")
	for _, p := range putters {
		t.Run(p.name, func(t *testing.T) {
			dir := mounted(t, "size=1m")
			old := dir + "/old"
			if err := os.WriteFile(old, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			target := old
			if p.name == "PutTree" {
				target = dir + "/new"
			}
			failure := fails(t, p.put(t.Context(), localhost.Host{}, target, 2<<20), sandboxer.ErrNoSpace)
			if !strings.Contains(failure.Said, "No space left on device") {
				t.Errorf("a full disk: got the words %q, want the host's", failure.Said)
			}
			same(t, "a full disk", dir, "old old\n")
			if err := p.put(t.Context(), localhost.Host{}, target, 100<<10); err != nil {
				t.Errorf("what has room: got %v, want it done", err)
			}
			before := names(t, dir)
			if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
			failure = fails(t, p.put(t.Context(), localhost.Host{}, dir+"/other", 1), nil)
			if !strings.Contains(failure.Error(), "Read-only file system") {
				t.Errorf("read-only: got %v, want the host's words", failure)
			}
			same(t, "read-only", dir, before)
			fails(t, p.put(t.Context(), localhost.Host{}, dir+"/none/x", 1), fs.ErrNotExist)
		})
	}
}

// mounted returns a directory that is a small file system of its own.
func mounted(t *testing.T, options string) string {
	t.Helper()
	dir := putDir(t)
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A host whose shell is no more when it was to answer leaves it open what it
// did.
func TestFilesUnknown(t *testing.T) {
	for _, p := range putters {
		deaf := hostFunc(func(_ context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
			_, err := io.Copy(io.Discard, cmd.Stdin)
			return sandboxer.Result{ExitCode: -1, Signal: "KILL"}, err
		})
		var failure *sandboxer.FileError
		if err := p.put(t.Context(), deaf, "/x", 1); !errors.As(err, &failure) || !failure.Unknown || !strings.Contains(err.Error(), "SIGKILL") {
			t.Errorf("%s: got %v, want it unknown, with the reason", p.name, err)
		}
	}
}

// A client that is killed while it sends leaves nothing behind.
func TestFilesClientKilled(t *testing.T) {
	const dirVar = "SANDBOXER_TEST_KILLED_IN"
	if dir := os.Getenv(dirVar); dir != "" {
		killed := readerFunc(func([]byte) (int, error) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} })
		tree := readerFS{fstest.MapFS{"a": {Mode: 0o600}, "big": {Data: make([]byte, 1<<20), Mode: 0o600}}, io.MultiReader(bytes.NewReader(noise(700<<10)), killed)}
		t.Fatal(sandboxer.PutTree(t.Context(), localhost.Host{}, dir+"/new", tree))
	}
	dir := putDir(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestFilesClientKilled$")
	cmd.Env = append(os.Environ(), dirVar+"="+dir)
	// The script on the host has the other end, too.
	alive, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	cmd.ExtraFiles = []*os.File{end}
	out, err := cmd.CombinedOutput()
	end.Close()
	if cmd.ProcessState == nil || cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("got %v (%s), want it killed", err, out)
	}
	if _, err := io.Copy(io.Discard, alive); err != nil {
		t.Fatal(err)
	}
	same(t, "afterwards", dir, "")
}

// A cancelled put leaves nothing.
func TestFilesCancelled(t *testing.T) {
	dir := putDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan struct{})
	host := hostFunc(func(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
		defer close(ran)
		return localhost.Host{}.Run(ctx, cmd)
	})
	rest := readerFunc(func([]byte) (int, error) { cancel(); <-ran; return 0, io.EOF })
	tree := readerFS{fstest.MapFS{"big": {Data: make([]byte, 1<<20), Mode: 0o600}}, io.MultiReader(bytes.NewReader(noise(700<<10)), rest)}
	failure := fails(t, sandboxer.PutTree(ctx, host, dir+"/new", tree), context.Canceled)
	var he *sandboxer.HostError
	if !errors.As(failure, &he) || !he.Killed {
		t.Errorf("got %v, want it killed", failure)
	}
	same(t, "afterwards", dir, "")
	fails(t, sandboxer.WriteFile(ctx, localhost.Host{}, dir+"/f", nil, 0o600), context.Canceled)
	same(t, "cancelled before", dir, "")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What a script answers becomes what callers branch on.
func TestFilesAnswers(t *testing.T) {
	for _, tt := range []struct {
		out, message string
		is           error // nil: none of those
	}{
		{"failed exists\n/x exists\n", "file already exists: /x exists", fs.ErrExist},
		{"failed directory\n/x is a directory\n", "there is a directory: /x is a directory", nil},
		{"failed altered\n1 of 2 bytes arrived\n", "it did not arrive unaltered: 1 of 2 bytes arrived", sandboxer.ErrAltered},
		{"failed altered\ntar: a: Cannot write: Disk quota exceeded\ntar: Exiting\n", "no space left on the host: tar: Exiting", sandboxer.ErrNoSpace},
		{"failed write\ncat: write error: Disk quota exceeded\n", "no space left on the host: cat: write error: Disk quota exceeded", sandboxer.ErrNoSpace},
		{"failed write\nmv: x: Operation not permitted\n", "permission denied: mv: x: Operation not permitted", fs.ErrPermission},
		{"failed write\nmkdir: x: Read-only file system\n", "the host could not do it: mkdir: x: Read-only file system", nil},
		{"failed parent\nls: /: No such file or directory\n", "file does not exist: ls: /: No such file or directory", fs.ErrNotExist},
		{"failed ended\na signal ended it\n", "it was ended: a signal ended it", nil},
		{"failed no_xargs\nthe host has no xargs in PATH\n", "refused: the host has no xargs in PATH", nil},
	} {
		for _, p := range putters {
			host := hostFunc(func(context.Context, sandboxer.Cmd) (sandboxer.Result, error) {
				return sandboxer.Result{ExitCode: 1, Stdout: []byte(tt.out)}, nil
			})
			failure := fails(t, p.put(t.Context(), host, "/x", 1), tt.is)
			for _, is := range []error{fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, sandboxer.ErrAltered, sandboxer.ErrNoSpace} {
				if errors.Is(failure, is) != (is == tt.is) {
					t.Errorf("%q: got %v, want it to be %v only", tt.out, failure, tt.is)
				}
			}
			if !strings.HasSuffix(failure.Error(), ": "+tt.message) {
				t.Errorf("%q: got %v, want it to end in %q", tt.out, failure, tt.message)
			}
			var refused *sandboxer.RefusedError
			if missing := strings.Contains(tt.out, "no_xargs"); errors.As(failure, &refused) != missing || (sandboxer.Hint(failure) != "") != missing {
				t.Errorf("%q: got %#v, want it refused, with a hint: %v", tt.out, failure.Err, missing)
			}
		}
	}
}

// What could not be removed is named.
func TestFilesLeft(t *testing.T) {
	for _, p := range putters {
		host := hostFunc(func(context.Context, sandboxer.Cmd) (sandboxer.Result, error) {
			return sandboxer.Result{ExitCode: 1, Stdout: []byte("left\nfailed write\nwords\n")}, nil
		})
		var failure *sandboxer.FileError
		if err := p.put(t.Context(), host, "/d/x", 1); !errors.As(err, &failure) || !strings.HasPrefix(failure.Left, "/d/.sandboxer-") || failure.Unknown {
			t.Errorf("%s: got %v, want what is left", p.name, err)
		}
	}
}
