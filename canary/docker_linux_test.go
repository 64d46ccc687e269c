package canary

import (
	"archive/tar"
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// here is the platform the tests run on.
var here = sandboxer.Platform{OS: "linux", Arch: runtime.GOARCH}

// build builds a program of testdata and returns its path.
func build(t *testing.T, name string, env ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "./testdata/"+name)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: got %v, want success: %s", name, err, out)
	}
	return path
}

// A box is a canary brought up with docker alone.
type box struct {
	t   *testing.T
	dir string
	id  string
	uid int
	env []string
}

// newBox writes the canary's files for a user of the host.
func newBox(t *testing.T, uid int, buildkit string) box {
	t.Helper()
	id := "canary-test-" + strings.ToLower(rand.Text()[:12])
	b := box{t: t, dir: filepath.Join(t.TempDir(), id), id: id, uid: uid, env: []string{
		"SANDBOXER_ID=" + id, "SANDBOXER_NONCE=" + testNonce, "SANDBOXER_IMAGE=localhost/sandboxer/" + id,
		fmt.Sprintf("SANDBOXER_UID=%d", uid), fmt.Sprintf("SANDBOXER_GID=%d", uid), "DOCKER_BUILDKIT=" + buildkit,
	}}
	fsys, err := Spec(File(build(t, "selfmain", "CGO_ENABLED=0"))).Files(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(b.dir, name)
		if d.IsDir() {
			err = os.Mkdir(path, 0o700)
		} else {
			data, rerr := fs.ReadFile(fsys, name)
			err = errors.Join(rerr, os.WriteFile(path, data, 0o600))
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		return errors.Join(err, os.Chown(path, uid, uid), os.Chmod(path, info.Mode()))
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// docker runs a docker command that is to succeed, and returns its output.
func (b box) docker(args ...string) string {
	b.t.Helper()
	out, err := b.try(args...)
	if err != nil {
		b.t.Fatalf("docker %q: got %v, want success: %s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func (b box) try(args ...string) (string, error) {
	cmd := exec.Command("docker", args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), b.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b box) compose(args ...string) string {
	b.t.Helper()
	return b.docker(append([]string{"compose", "-p", b.id, "-f", "compose.yaml"}, args...)...)
}

// importImage makes the image as a provisioner does.
func (b box) importImage() {
	b.t.Helper()
	cmd := exec.Command("sh", "-c", `tar -C image/root -cf - . | docker import - "$SANDBOXER_IMAGE"`)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), b.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("import: got %v, want success: %s", err, out)
	}
}

// ready waits for the result of a container, by following its log.
func (b box) ready(container string) document {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), "docker", "logs", "-f", container)
	log, w, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		b.t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		b.t.Log(lines.Text())
		if strings.HasPrefix(lines.Text(), "ready: ") {
			return readResult(b.t, b.dir)
		}
	}
	b.t.Fatalf("container %s: got the end of its log, want \"ready: …\"", container)
	return document{}
}

func check(doc document, name string) sandboxer.CanaryCheck {
	i := slices.IndexFunc(doc.Checks, func(c sandboxer.CanaryCheck) bool { return c.Name == name })
	if i < 0 {
		return sandboxer.CanaryCheck{Status: "none"}
	}
	return doc.Checks[i]
}

// TestCompose takes the canary up and down with docker compose, as its user
// would by hand.
func TestCompose(t *testing.T) {
	lab.Require(t, "root", "dockerd", "docker-cli", "compose-v2")
	byHand := func(b box) { b.compose("build") }
	for _, c := range []struct {
		what, buildkit string
		uid            int
		image          func(b box)
	}{
		{"imported, a user", "0", 12345, box.importImage},
		{"classic builder, root", "0", 0, byHand},
		{"BuildKit, a user", "1", 12345, byHand},
	} {
		t.Run(c.what, func(t *testing.T) {
			lab.EngineLock(t)
			b := newBox(t, c.uid, c.buildkit)
			t.Cleanup(func() { b.compose("down", "-v", "--rmi", "all", "-t", "1") })
			begin := time.Now()
			c.image(b)
			made := time.Now()
			b.compose("up", "-d", "--no-build")
			t.Logf("image in %v, up in %v", made.Sub(begin), time.Since(made))
			container := b.compose("ps", "-q", "canary")
			doc := b.ready(container)

			if doc.Status != sandboxer.Pass && doc.Status != sandboxer.Warn || string(doc.SandboxID) != b.id || doc.PID != 1 || doc.Port != containerPort {
				t.Errorf("result: got %s, sandbox %q, pid %d, port %d", doc.Status, doc.SandboxID, doc.PID, doc.Port)
			}
			for _, name := range []string{sandboxer.CheckMemoryLimit, sandboxer.CheckCPUSpeed, sandboxer.CheckIsolation} {
				if got := check(doc, name); got.Status != sandboxer.Pass {
					t.Errorf("%s: got %s: %s, want pass", name, got.Status, got.Message)
				}
			}
			if got := check(doc, sandboxer.CheckWriteFsync); got.Value == nil {
				t.Errorf("%s: got %s: %s, want a value", got.Name, got.Status, got.Message)
			}
			b.dial(b.compose("port", "canary", "8080"))
			b.holdsOnlyTheProgram(container)

			b.docker("stop", "-t", "20", container)
			if got := b.docker("inspect", "-f", "{{.State.ExitCode}}", container); got != "0" {
				t.Errorf("after SIGTERM: got exit status %s, want 0", got)
			}
		})
	}
}

// A directory that went away must not come back as an empty one of root's.
func TestComposeMakesNoDirectory(t *testing.T) {
	lab.Require(t, "root", "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	b := newBox(t, 12345, "0")
	t.Cleanup(func() { b.compose("down", "-v", "--rmi", "all", "-t", "1") })
	b.importImage()
	out := filepath.Join(b.dir, outDir)
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	said, err := b.try("compose", "-p", b.id, "-f", "compose.yaml", "up", "-d", "--no-build")
	if err == nil || !strings.Contains(said, out) {
		t.Errorf("up without ./out: got %v, %s, want an error that names it", err, said)
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("./out: got %v, want it not there", err)
	}
}

// dial makes the check that a provisioner makes on the host.
func (b box) dial(addr string) {
	b.t.Helper()
	cmd := exec.Command(filepath.Join(b.dir, programFile), mainArg, "dial")
	cmd.Dir = recordIn(b.t, b.dir, b.id, testNonce)
	cmd.Env = []string{"SANDBOXER_PORT=" + addr}
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), `"status":"pass"`) {
		b.t.Errorf("dial %s: got %s, %v, want pass", addr, out, err)
	}
}

// holdsOnlyTheProgram looks at the files of a container's image. What docker
// itself puts into every container is empty.
func (b box) holdsOnlyTheProgram(container string) {
	b.t.Helper()
	cmd := exec.Command("docker", "export", container)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			b.t.Fatal(err)
		}
		if h.Size > 0 || strings.HasPrefix(h.Name, "data") {
			got = append(got, h.FileInfo().Mode().String()+" "+h.Name)
		}
	}
	if err := cmd.Wait(); err != nil {
		b.t.Fatal(err)
	}
	want := []string{"dtrwxrwxrwx data/", "-rw-r--r-- data/.keep", "-rwxr-xr-x sandboxer"}
	if !slices.Equal(got, want) {
		b.t.Errorf("image: got %q, want %q", got, want)
	}
}

// TestFindings starts the canary in containers that are not as they should
// be: each must be found out.
func TestFindings(t *testing.T) {
	lab.Require(t, "root", "dockerd", "docker-cli", "compose-v2")
	lab.EngineLock(t)
	b := newBox(t, 0, "0")
	image := "localhost/sandboxer/" + b.id
	t.Cleanup(func() { b.try("rmi", image) })
	b.compose("build")

	base := []string{"run", "-d", "--network", "none", "-e", "SANDBOXER_ID", "-e", "SANDBOXER_NONCE", "-v", filepath.Join(b.dir, outDir) + ":/out"}
	dropped := []string{"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only"}
	for _, c := range []struct {
		what  string
		args  []string
		check string
		want  sandboxer.Verdict
		says  string
	}{
		{"no memory limit", nil, sandboxer.CheckMemoryLimit, sandboxer.Skip, "limits_unsupported: "},
		{"another memory limit", []string{"-m", "512m"}, sandboxer.CheckMemoryLimit, sandboxer.Skip, "allows 536870912 bytes"},
		{"a limit, and swap", []string{"-m", "32m"}, sandboxer.CheckMemoryLimit, sandboxer.Pass, "past 33554432 bytes"},
		{"the host's processes", slices.Concat(dropped, []string{"--pid", "host"}), sandboxer.CheckIsolation, sandboxer.Fail, "processes visible (fail)"},
		{"capabilities", nil, sandboxer.CheckIsolation, sandboxer.Fail, "effective capabilities 0xa80425fb (fail)"},
		{"an engine's socket", slices.Concat(dropped, []string{"-v", "/var/run/docker.sock:/var/run/docker.sock"}), sandboxer.CheckIsolation, sandboxer.Fail, "docker.sock (fail)"},
		{"the host's files", slices.Concat(dropped, []string{"-v", "/bin:/bin:ro"}), sandboxer.CheckIsolation, sandboxer.Fail, "/bin/sh (fail)"},
		{"a writable root", dropped[:4], sandboxer.CheckIsolation, sandboxer.Warn, "read-only root off (warn)"},
		{"a volume without a way in", []string{"--tmpfs", "/data:ro"}, sandboxer.CheckWriteFsync, sandboxer.Fail, "read-only file system"},
		{"a full volume", []string{"--tmpfs", "/data:size=8k"}, sandboxer.CheckWriteFsync, sandboxer.Fail, "no space left"},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := b
			b.t = t
			os.Remove(filepath.Join(b.dir, ResultFile))
			container := b.docker(slices.Concat(base, c.args, []string{image})...)
			t.Cleanup(func() { b.docker("rm", "-f", "-v", container) })
			got := check(b.ready(container), c.check)
			if got.Status != c.want || !strings.Contains(got.Message, c.says) {
				t.Errorf("%s: got %s: %s, want %s with %q", c.check, got.Status, got.Message, c.want, c.says)
			}
		})
	}
}
