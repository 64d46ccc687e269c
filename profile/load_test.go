package profile_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/profile"
	"github.com/tegwick/sand-boxer/test/lab"
)

var update = flag.Bool("update", false, "rewrite golden files")

func load(t testing.TB, path string) *profile.Profile {
	t.Helper()
	p, err := profile.Load(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func upload(t testing.TB, p *profile.Profile, allow ...profile.Code) (sandboxer.Spec, fs.FS) {
	t.Helper()
	spec, err := p.Spec(allow...)
	if err != nil {
		t.Fatal(err)
	}
	files, err := spec.Files(t.Context(), sandboxer.Platform{OS: "linux", Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	return spec, files
}

// The file that is uploaded says what it has always said; read the diff when
// it changes. The profile uses much of what a compose file can hold.
func TestGolden(t *testing.T) {
	p := load(t, "testdata/hard")
	const golden = "testdata/hard.golden"
	if *update {
		if err := os.WriteFile(golden, p.Compose, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(p.Compose)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	spec, _ := upload(t, p)
	c := *spec.Compose
	if diff := cmp.Diff(sandboxer.Compose{
		File: "compose.yaml", Services: []string{"db", "extra", "web"}, Networks: []string{"back", "default", "front"},
		Volumes: []string{"anonymous-web-1", "data"}, Builds: []string{"web"},
	}, c); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if p.Summary != "much of what a compose file can hold" {
		t.Errorf("got summary %q, want the first line", p.Summary)
	}
}

// What is uploaded is the directory less .env, .git and the profile's own
// compose file, with what it makes.
func TestFiles(t *testing.T) {
	dir := directory(t, map[string]string{
		"docker-compose.yml": "services: {a: {image: busybox:1, volumes: [\"./new/dir:/x\", \"./link:/y\"]}}\n",
		".env":               "A=secret\n", "sub/.env": "B=1\n", ".git/config": "x", "sub/.git": "x", "file": "content", "link": "-> file",
	})
	if err := os.Chmod(filepath.Join(dir, "file"), 0o750); err != nil {
		t.Fatal(err)
	}
	p := load(t, dir)
	spec, files := upload(t, p)
	var got []string
	if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		got = append(got, name)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{".", "compose.yaml", "file", "link", "new", "new/dir", "sub", "sub/.env"}
	if !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
	if p.Files != 4 {
		t.Errorf("got %d files, want 4", p.Files)
	}
	if err := fstest.TestFS(files, "compose.yaml", "link", "new/dir"); err != nil {
		t.Error(err)
	}
	if data, err := fs.ReadFile(files, "compose.yaml"); err != nil || !bytes.Equal(data, p.Compose) {
		t.Errorf("got %q, %v, want the file that was written", data, err)
	}
	if info, err := fs.Stat(files, "file"); err != nil || info.Mode() != 0o750 {
		t.Errorf("got %v, %v, want mode 0750", info, err)
	}
	if diff := cmp.Diff([]string{"busybox:1"}, spec.Compose.Images); diff != "" {
		t.Errorf("images: -want +got\n%s", diff)
	}
}

// A file that is replaced between the look at it and the upload is not sent.
func TestFileReplaced(t *testing.T) {
	dir := directory(t, with(service(), "file", "content"))
	_, files := upload(t, load(t, dir))
	file := filepath.Join(dir, "file")
	for _, swap := range []func() error{
		func() error { return os.WriteFile(file, []byte("longer content"), 0o644) },
		func() error { return errors.Join(os.Remove(file), os.Symlink("/etc/passwd", file)) },
	} {
		if err := swap(); err != nil {
			t.Fatal(err)
		}
		if data, err := fs.ReadFile(files, "file"); err == nil {
			t.Errorf("got %q, want an error", data)
		}
	}
}

// asNobody runs this test once more as a user who may not read everything. It
// reports whether the caller is root, and so has nothing more to do.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return false
	}
	dir := lab.OpenDir(t)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test", program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir+"/test", "-test.run=^"+t.Name()+"$")
	cmd.Dir, cmd.Env = dir, []string{"HOME=/nonexistent", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as another user: %v\n%s", err, out)
	}
	return true
}

// A file that could not be uploaded is found before a create.
func TestFilesNotToUpload(t *testing.T) {
	if asNobody(t) {
		return
	}
	for _, c := range []struct {
		name string
		mode os.FileMode
		want profile.Code
	}{
		{"secret", 0, "unreadable_file"},
		{"\xff", 0o644, "file_name"},
	} {
		dir := directory(t, service())
		if err := os.WriteFile(filepath.Join(dir, c.name), []byte("x"), c.mode); err != nil {
			t.Fatal(err)
		}
		p := load(t, dir)
		if len(p.Findings) != 1 || p.Findings[0].Code != c.want || p.Findings[0].Level != profile.Error {
			t.Errorf("%q: got %v, want one error %s", c.name, p.Findings, c.want)
		}
	}
}

// podman-compose 1.0.3 takes whole seconds.
func TestStopGracePeriod(t *testing.T) {
	for text, want := range map[string]string{"1500ms": "2s", "3s": "3s", "1m0.1s": "1m1s"} {
		p := load(t, directory(t, service("stop_grace_period: "+text)))
		if !strings.Contains(string(p.Compose), `"stop_grace_period": "`+want+`"`) {
			t.Errorf("%s: got %s, want %s", text, p.Compose, want)
		}
	}
}

func TestReady(t *testing.T) {
	p := load(t, directory(t, service("ports: [\"127.0.0.1::80\"]", "labels: {sandboxer.ready: \"http:80/healthz, tcp:81\", other: x}")))
	spec, _ := upload(t, p)
	want := []sandboxer.ReadyCheck{{Service: "a", Port: 80, HTTP: "/healthz"}, {Service: "a", Port: 81}}
	if diff := cmp.Diff(want, spec.Compose.Ready); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if strings.Contains(string(p.Compose), "sandboxer.ready") || !strings.Contains(string(p.Compose), `"other": "x"`) {
		t.Errorf("got %s, want the label taken out", p.Compose)
	}
}

// Case: .env and the caller's environment cannot redirect a project.
func TestEnvironmentDoesNotLeak(t *testing.T) {
	for _, name := range []string{"TAG", "COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PROFILES", "DOCKER_HOST", "SANDBOXER_ID"} {
		t.Setenv(name, "caller")
	}
	p := load(t, directory(t, map[string]string{
		".env": "TAG=1\nCOMPOSE_PROJECT_NAME=evil\nCOMPOSE_FILE=evil.yaml\nCOMPOSE_PROFILES=p\nDOCKER_HOST=evil\nSANDBOXER_ID=evil\n",
		"compose.yaml": `
name: evil
services:
  a:
    image: x:${TAG}
    environment: [TAG, COMPOSE_PROJECT_NAME, SANDBOXER_ID, "P=${COMPOSE_PROJECT_NAME}", "H=${DOCKER_HOST:-none}"]
  b: {image: x, profiles: [p]}
`, "evil.yaml": "services: {evil: {image: evil}}\n",
	}))
	text := string(p.Compose)
	for _, bad := range []string{"evil", "caller", `"name"`, `"b"`} {
		if strings.Contains(text, bad) {
			t.Errorf("got %s, want no %s in it", text, bad)
		}
	}
	for _, good := range []string{`"x:1"`, `"TAG": "1"`, `"P": "${SANDBOXER_ID}"`, `"COMPOSE_PROJECT_NAME": "${SANDBOXER_ID}"`, `"SANDBOXER_ID": "${SANDBOXER_ID}"`, `"H": "none"`} {
		if !strings.Contains(text, good) {
			t.Errorf("got %s, want %s in it", text, good)
		}
	}
}

// again loads what p uploads, and wants the same of it.
func again(t testing.TB, p *profile.Profile) {
	_, err := p.Spec()
	var refused *sandboxer.RefusedError
	if errors.As(err, &refused) {
		return
	}
	first, files := upload(t, p)
	dir := filepath.Join(t.TempDir(), filepath.Base(p.Dir))
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	q, err := profile.Load(t.Context(), dir)
	if err != nil {
		t.Fatalf("%v in\n%s", err, p.Compose)
	}
	second, err := q.Spec()
	if err != nil {
		t.Fatalf("%v in\n%s", err, p.Compose)
	}
	if diff := cmp.Diff(string(p.Compose), string(q.Compose)); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
	first.Compose.Ready = nil // of a label that is not uploaded
	if diff := cmp.Diff(first.Compose, second.Compose); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
}

func TestAgain(t *testing.T) {
	again(t, load(t, "testdata/hard"))
}

// Whatever is in a compose file, it is refused, or read once more as it was
// read before.
func FuzzLoad(f *testing.F) {
	hard, err := os.ReadFile("testdata/hard/compose.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.ReplaceAll(hard, []byte("include:"), []byte("x-include:")))
	f.Add([]byte("services: {a: {image: x, environment: {A: \"$$\\x7f\\ufeff\\ue000SANDBOXER_ID\\ue000\"}}}"))
	f.Add([]byte("services: {a: {image: x, ports: [\"127.0.0.1::80\"], volumes: [/x, \"./b:/c:ro\"]}}"))
	f.Add([]byte("services: {a: {image: x, command: !reset null}}\n---\nservices: {a: {command: [y]}}"))
	f.Add([]byte(bomb()))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := filepath.Join(t.TempDir(), "web")
		if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string][]byte{"compose.yaml": data, "Dockerfile": []byte("FROM scratch\n"), ".env": []byte("FROM_ENV=x\n"), "secret.txt": nil} {
			if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		p, err := profile.Load(t.Context(), dir)
		if err == nil {
			again(t, p)
		}
	})
}
