package compose_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
	"github.com/tegwick/sand-boxer/test/lab"
)

// trash makes a directory of the bench's user that only root can empty.
func (b *bench) trash(name string) string {
	b.t.Helper()
	dir := filepath.Join(lab.OpenDir(b.t), name)
	err := errors.Join(
		os.MkdirAll(dir+"/data/closed", 0o700), os.WriteFile(dir+"/data/closed/file", nil, 0o600),
		os.Chown(dir, b.user().UID, b.user().GID), os.Chown(dir+"/data/closed", 999, 999), os.Chmod(dir+"/data/closed", 0),
	)
	if err != nil {
		b.t.Fatal(err)
	}
	return dir
}

// upload is the image that holds the test program.
func (b *bench) upload() []byte {
	b.t.Helper()
	out, err := exec.Command("tar", "-C", b.box.Dir+"/image/root", "-czf", "-", "program").Output()
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// purge is the command that empties a directory, by the test program.
func (b *bench) purge(shell []string, verbs string, upload []byte, dir string) *exec.Cmd {
	script := b.with.(sandboxer.Purger).Purge(b.record(), append([]string{"/program"}, strings.Fields(verbs)...))
	argv := b.command(append(shell, "-c", string(script), "sandboxer-purge", dir)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdin = "/", bytes.NewReader(upload)
	return cmd
}

func TestPurge(t *testing.T) { onEach(t, testPurge, "docker-v2", "sudo") }

func testPurge(t *testing.T, e lab.Engine) {
	for _, shell := range []string{"dash", "bash --posix", "busybox sh", "mksh"} {
		words := strings.Fields(shell)
		if e.Name != "docker-v2" && words[0] != "dash" {
			continue
		}
		t.Run(words[0], func(t *testing.T) {
			lab.Require(t, words[0])
			b := newServing(t, e)
			dir := b.trash("of,odd=name:1@%+")
			if out, err := b.purge(words, "help", b.upload(), dir).CombinedOutput(); err != nil || len(out) > 0 {
				t.Fatalf("got %q, %v, want silent success", out, err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%s: got %v, %v, want it empty", dir, left, err)
			}
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			if stat := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o700 || int(stat.Uid) != b.user().UID {
				t.Errorf("%s: got mode %v of uid %d, want it as it was", dir, info.Mode(), stat.Uid)
			}
			if lines := b.teardown(b.record(), 0); len(lines) != 1 || !strings.HasPrefix(lines[0], "removed image localhost/sandboxer/"+string(b.box.ID)) {
				t.Errorf("teardown: got %q, want the image removed and nothing else", lines)
			}
		})
	}
}

// Its last line says why it failed, whoever it is that says so.
func TestPurgeFails(t *testing.T) { onEach(t, testPurgeFails, "docker-v2") }

func testPurgeFails(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	dir, upload := b.trash("one"), b.upload()
	link := lab.OpenDir(t) + "/link" // mounted is what it leads to
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, verbs, want string
		upload            []byte
		dir               string
	}{
		{"cut off", "help", "unexpected EOF", upload[:len(upload)-100], dir},
		{"no program", "help", "no such file", nil, dir},
		{"exits", "say=because exit=3", "because", upload, dir},
		{"no directory", "help", "No such file", upload, dir + "/none"},
		{"another directory", "help", "it is ", upload, link},
	} {
		out, err := b.purge([]string{"sh"}, tt.verbs, tt.upload, tt.dir).CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		var exit *exec.ExitError
		if last := lines[len(lines)-1]; !errors.As(err, &exit) || !strings.Contains(last, tt.want) || strings.Contains(last, "--help") {
			t.Errorf("%s: got %q, %v, want it to fail with %q", tt.name, out, err, tt.want)
		}
		if _, err := os.Stat(dir + "/data/closed/file"); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		b.teardown(b.record(), 0) // as it comes before each
	}
}

// What is cut off leaves a container and an image that the next teardown
// proves to be the sandbox's, and removes.
func TestPurgeKilled(t *testing.T) { onEach(t, testPurgeKilled, "docker-v2", "sudo") }

func testPurgeKilled(t *testing.T, e lab.Engine) {
	b := newServing(t, e)
	dir := b.trash("one")
	if err := syscall.Mkfifo(dir+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := b.purge([]string{"sh"}, "open=/trash/fifo", b.upload(), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(dir + "/fifo"); err != nil { // as soon as it runs
		t.Fatal(err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	lines := b.teardown(b.record(), 0)
	wantLine(t, lines, "removed container ", "")
	wantLine(t, lines, "removed image ", string(b.box.ID))
	if len(lines) != 2 {
		t.Errorf("got %q, want two lines", lines)
	}
}

// There is no script where it could do nothing, or for a record that proves
// nothing.
func TestPurgeNone(t *testing.T) {
	good := sandboxer.Record{SandboxID: "web-000000", Nonce: strings.Repeat("0", 32)}
	bad := good
	bad.Nonce = "$(reboot)"
	for _, tt := range []struct {
		name string
		with sandboxer.Purger
		rec  sandboxer.Record
		want bool
	}{
		{"docker", compose.Docker{}, good, true},
		{"docker-compose", compose.DockerCompose{Sudo: true}, good, true},
		{"root's podman", compose.Podman{Sudo: true}, good, true},
		{"a user's podman", compose.Podman{}, good, false},
		{"no nonce", compose.Docker{}, sandboxer.Record{SandboxID: "web-000000"}, false},
		{"bad nonce", compose.Docker{}, bad, false},
		{"no id", compose.Docker{}, sandboxer.Record{Nonce: good.Nonce}, false},
	} {
		if got := tt.with.Purge(tt.rec, []string{"/it's"}); (got != "") != tt.want {
			t.Errorf("%s: got script %q, want one: %v", tt.name, got, tt.want)
		}
	}
}
