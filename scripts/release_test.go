// Package scripts_test runs the scripts that build a release.
package scripts_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// run runs a command that is to succeed, and returns its output.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %q: got %v, want success:\n%s", name, args, err, out)
	}
	return out
}

func try(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"SANDBOXER_OUTPUT=text", "GOFLAGS=-tags=other", "GOARM64=v9.0") // none of which may matter
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// checkout commits the working tree, as it is, to a repository of its own, as
// version v1.2.3.
func checkout(t *testing.T) string {
	t.Helper()
	lab.Require(t, "bash", "git")
	dir := filepath.Join(t.TempDir(), "a")
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // somebody is at work
			return nil
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "dist" || strings.HasPrefix(name, "dist.")):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, name), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			return err
		}
		info, err := d.Info()
		return errors.Join(err, os.WriteFile(filepath.Join(dir, name), data, info.Mode().Perm()))
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "init", "-q")
	run(t, dir, "git", "add", "-A")
	run(t, dir, "git", "commit", "-q", "-m", "all of it")
	run(t, dir, "git", "tag", "v1.2.3")
	return dir
}

func TestRelease(t *testing.T) {
	a := checkout(t)
	b := filepath.Join(t.TempDir(), "elsewhere")
	run(t, a, "git", "clone", "-q", a, b)
	platforms := []string{"linux/amd64", "linux/arm64"}

	run(t, a, "scripts/release", platforms...)
	dist := filepath.Join(a, "dist")
	checkSums(t, dist)
	for platform, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		checkProgram(t, filepath.Join(dist, "sandboxer-linux-"+platform), machine)
	}
	if out := run(t, a, filepath.Join(dist, "sandboxer-linux-"+runtime.GOARCH), "version", "-o", "text"); !strings.HasPrefix(out, "sandboxer v1.2.3 (commit ") {
		t.Errorf("version: got %q, want v1.2.3", out)
	}
	checkArchive(t, filepath.Join(dist, "sandboxer_1.2.3_linux_amd64.tar.gz"), "sandboxer-linux-arm64")
	checkArchive(t, filepath.Join(dist, "sandboxer_1.2.3_linux_arm64.tar.gz"), "sandboxer-linux-amd64")

	// Elsewhere, later, by somebody with another umask.
	run(t, b, "sh", "-c", `umask 077 && exec scripts/release "$@"`, "sh", "linux/amd64", "linux/arm64")
	if first, second := sums(t, dist), sums(t, filepath.Join(b, "dist")); first != second {
		t.Errorf("built twice: got\n%s\nand\n%s\nwant the same", first, second)
	}
	if out := run(t, a, "git", "status", "--porcelain"); out != "" {
		t.Errorf("git status: got %s, want nothing new", out)
	}

	t.Run("a failed build changes nothing", func(t *testing.T) {
		before := sums(t, dist)
		broken := filepath.Join(a, "cmd", "sandboxer", "broken_arm64.go")
		if err := os.WriteFile(broken, []byte("package main\n\nvar broken int = \"\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := try(t, a, "scripts/release", platforms...); err == nil || !strings.Contains(out, "broken_arm64.go") {
			t.Errorf("changes: got %v, %s, want it refused", err, out)
		}
		if out, err := try(t, a, "scripts/release", "-d", "linux/arm64"); err == nil {
			t.Errorf("broken: got %s, want it to fail", out)
		}
		if after := sums(t, dist); after != before {
			t.Errorf("after it: got\n%s\nwant\n%s", after, before)
		}
		if left, err := filepath.Glob(dist + ".*"); err != nil || len(left) > 0 {
			t.Errorf("after it: got %q, %v, want nothing left", left, err)
		}
	})
}

func TestReleaseRefuses(t *testing.T) {
	dir := checkout(t)
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "letter"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", precious}, "is no release: it stays as it is"},
		{[]string{"windows/amd64"}, "platform windows/amd64: want such as linux/arm64"},
		{[]string{"linux/../x"}, "want such as linux/arm64"},
		{[]string{"-x"}, "hint: scripts/release -h"},
	} {
		if out, err := try(t, dir, "scripts/release", c.args...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%q: got %v, %s, want it refused: %q", c.args, err, out, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(precious, "letter")); err != nil {
		t.Errorf("another's directory: got %v, want it as it was", err)
	}
	if out := run(t, dir, "scripts/release", "-h"); !strings.HasPrefix(out, "usage: scripts/release ") {
		t.Errorf("-h: got %q, want the usage", out)
	}
}

func sums(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// checkSums wants the sum of every file in dir, and no other.
func checkSums(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, e := range entries {
		if e.Name() == "SHA256SUMS" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		want.WriteString(hex.EncodeToString(sum[:]) + "  " + e.Name() + "\n")
		t.Logf("%9d %s", len(data), e.Name())
	}
	if got := sums(t, dir); got != want.String() || len(entries) != 5 {
		t.Errorf("SHA256SUMS of %d files: got\n%s\nwant\n%s", len(entries)-1, got, want.String())
	}
}

// checkProgram wants a static program, without symbols, for machine.
func checkProgram(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	interpreted := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
	if f.Machine != machine || interpreted || f.Section(".symtab") != nil {
		t.Errorf("%s: got %v, interpreter %v, symbols %v, want %v and neither", path, f.Machine, interpreted, f.Section(".symtab") != nil, machine)
	}
}

// checkArchive wants in an archive what a user expects, the other program
// that it can send, and nothing of who packed it.
func checkArchive(t *testing.T, path, other string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	top := strings.TrimSuffix(filepath.Base(path), ".tar.gz") + "/"
	missing := []string{
		"sandboxer", other, "LICENSE", "README.md", "man/man1/sandboxer.1", "man/man1/sandboxer-create.1",
		"completions/sandboxer.bash", "completions/_sandboxer", "completions/sandboxer.fish", "completions/sandboxer.ps1",
	}
	for archive := tar.NewReader(bufio.NewReader(unzipped)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, top)
		mode := fs.FileMode(0o644)
		if h.FileInfo().IsDir() || strings.HasPrefix(name, "sandboxer") {
			mode = 0o755
		}
		if !ok || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.FileInfo().Mode().Perm() != mode {
			t.Errorf("%s: got %q of %d:%d (%q), mode %v, want it below %s, of 0:0, mode %v", path, h.Name, h.Uid, h.Gid, h.Uname, h.FileInfo().Mode(), top, mode)
		}
		missing = slices.DeleteFunc(missing, func(want string) bool { return want == name })
	}
	if len(missing) > 0 {
		t.Errorf("%s: got no %q in it", path, missing)
	}
}
