package profile_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/tegwick/sand-boxer/test/lab"
)

// hostEnvironment is what a provisioner sets.
var hostEnvironment = []string{
	"SANDBOXER_ID=hard-123", "SANDBOXER_NONCE=nonce", "SANDBOXER_IMAGE=localhost/sandboxer/hard-123", "SANDBOXER_UID=0", "SANDBOXER_GID=0",
}

// deployed writes what is uploaded of testdata/hard.
func deployed(t *testing.T) string {
	t.Helper()
	_, files := upload(t, load(t, "testdata/hard"))
	dir := filepath.Join(t.TempDir(), "hard-123")
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	return dir
}

func run(t *testing.T, dir string, env []string, argv ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), hostEnvironment...), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, stderr.String())
	}
	return out
}

// readings are values that a tool may well take for others: the service web
// of testdata/hard as the container gets it.
var readings = map[string]string{
	"DOLLAR": "a$b fromenv ${not}", "QUOTES": `it's "quoted" \ back`, "NEWLINE": "one\ntwo", "EMPTY": "", "BOOL": "yes",
	"HASH": "a # b: c", "ID": "hard-123", "UNI": "ä \u2028 \x7f 😀 <&>",
}

var command = []string{"sh", "-c", "echo $HOME 'a b'", ""}

// Docker compose 2 and docker-compose 1.29 read alike what is uploaded.
func TestDockerToolsAgree(t *testing.T) {
	lab.Require(t, "compose-v2", "compose-v1")
	dir := deployed(t)
	for _, argv := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		out := run(t, dir, nil, append(argv, "-p", "hard-123", "-f", "compose.yaml", "config")...)
		var got struct {
			Services map[string]struct {
				Environment         map[string]string
				Labels              map[string]string
				Command, Entrypoint []string
				CapDrop             []string `yaml:"cap_drop"`
				User                string
				Image               string
			}
			Networks, Volumes map[string]any
		}
		if err := yaml.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		web := got.Services["web"]
		for name, want := range readings {
			// "config" writes what it could read again.
			if is := strings.ReplaceAll(web.Environment[name], "$$", "$"); is != want {
				t.Errorf("%v: got %s=%q, want %q", argv, name, is, want)
			}
		}
		for i := range web.Command {
			web.Command[i] = strings.ReplaceAll(web.Command[i], "$$", "$")
		}
		if !slices.Equal(web.Command, command) || web.User != "1000:1000" || !slices.Equal(web.CapDrop, []string{"ALL"}) || web.Labels["a.b"] != "x,y=z" {
			t.Errorf("%v: got %+v", argv, web)
		}
		if is := got.Services["db"].Image; is != "localhost/sandboxer/hard-123:web" {
			t.Errorf("%v: got image %q of db, want that of web", argv, is)
		}
		if len(got.Services) != 3 || len(got.Networks) != 3 || len(got.Volumes) != 2 {
			t.Errorf("%v: got %d services, %d networks, %d volumes, want 3, 3, 2", argv, len(got.Services), len(got.Networks), len(got.Volumes))
		}
	}
}

// A recorder in the place of podman keeps the arguments that podman-compose
// 1.0.3 gives it: that tool has no "config".
const recorder = `#!/bin/sh
if [ "$1" = --version ]; then echo podman version 4.3.1; exit; fi
[ "$1" = run ] || exit 0
for word do printf '%s\0' "$word"; done >"$RECORDED/$2"
`

func TestPodmanComposeAgrees(t *testing.T) {
	lab.Require(t, "podman-compose")
	dir, bin, recorded := deployed(t), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "podman"), []byte(recorder), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, dir, []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "RECORDED=" + recorded}, "podman-compose", "-p", "hard-123", "-f", "compose.yaml", "up", "-d")
	data, err := os.ReadFile(filepath.Join(recorded, "--name=hard-123_web_1"))
	if err != nil {
		names, _ := fs.Glob(os.DirFS(recorded), "*")
		t.Fatalf("%v, got %q", err, names)
	}
	words := strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
	has := func(option, value string) {
		t.Helper()
		for i := range words[1:] {
			if words[i] == option && words[i+1] == value {
				return
			}
		}
		said, _ := json.Marshal(words)
		t.Errorf("got no %s %q in %s", option, value, said)
	}
	for name, want := range readings {
		has("-e", name+"="+want)
	}
	has("--label", "a.b=x,y=z")
	has("--label", "dollar=$x")
	has("-v", dir+"/conf:/conf:ro")
	has("-v", "hard-123_anonymous-web-1:/anon")
	has("-v", dir+"/secret.txt:/run/secrets/s1:ro")
	has("-p", "127.0.0.1::80")
	has("--tmpfs", "/t2:size=1048576,mode=700")
	has("--ulimit", "nofile=10:20")
	has("-m", "67108864")
	has("--entrypoint", `["/bin/x", "--flag=a,b"]`)
	if got := words[len(words)-len(command):]; !slices.Equal(got, command) {
		t.Errorf("got command %q, want %q", got, command)
	}
}
