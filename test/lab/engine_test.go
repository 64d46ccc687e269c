package lab_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// The program in the image serves its arguments, and shows its volume.
const server = `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := os.WriteFile("/data/file", []byte("stored"), 0o644); err != nil {
		panic(err)
	}
	panic(http.ListenAndServe(":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := os.ReadFile("/data/file")
		fmt.Fprint(w, os.Args[1], " ", string(data))
	})))
}
`

const composeFile = `version: "3"
services:
  web:
    build: .
    image: localhost/%[1]s:test
    command: ["hello"]
    ports: ["127.0.0.1::80"]
    volumes: ["data:/data"]
    networks: [inner]
volumes: {data: {}}
networks: {inner: {}}
`

// writeProject makes a directory with a compose file that builds from scratch.
func writeProject(t *testing.T, name string) string {
	t.Helper()
	dir := lab.OpenDir(t)
	for file, text := range map[string]string{
		"main.go":            server,
		"Dockerfile":         "FROM scratch\nCOPY server /server\nENTRYPOINT [\"/server\"]\n",
		"docker-compose.yml": fmt.Sprintf(composeFile, name),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "server", "main.go")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return dir
}

// TestEngines builds and runs a container with a volume, a network and a port
// on each engine over ssh, and removes them.
func TestEngines(t *testing.T) {
	for _, e := range lab.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			e.Enter(t)
			e.MustLeaveNothing(t)
			project := fmt.Sprintf("sbxlab%d", os.Getpid())
			in := "cd " + writeProject(t, project) + " && " + strings.Replace(e.Compose, "sudo ", "sudo -n ", 1) + " -p " + project
			engine := e.Program
			if strings.HasPrefix(e.Compose, "sudo ") {
				engine = "sudo -n " + engine
			}
			t.Cleanup(func() {
				e.SSH(t, in+" down -v")
				if e.Program == "podman" { // whose compose leaves networks
					e.SSH(t, "podman network rm "+project+"_inner")
				}
				e.SSH(t, engine+" rmi localhost/"+project+":test")
			})
			e.SSH(t, in+" up --build -d")
			id := strings.TrimSpace(e.SSH(t, engine+" ps -q --filter label=com.docker.compose.project="+project))
			_, addr, _ := strings.Cut(strings.TrimSpace(e.SSH(t, engine+" port "+id)), " -> ")
			get := exec.Command("curl", "-sS", "--retry", "20", "--retry-delay", "1", "--retry-connrefused", addr)
			if out, err := get.CombinedOutput(); err != nil || string(out) != "hello stored" {
				t.Errorf("got %q, %v from %q, want %q", out, err, addr, "hello stored")
			}
		})
	}
}

// TestEngineCommand asks each engine on this machine, and over ssh: both are
// the same engine.
func TestEngineCommand(t *testing.T) {
	for _, e := range lab.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			e.Enter(t)
			question := e.Program + ` network ls --no-trunc --format "{{.ID}} {{.Name}}"`
			if strings.HasPrefix(e.Compose, "sudo ") {
				question = "sudo -n " + question
			}
			argv := e.Command(t, "sh", "-c", question+"; echo $SANDBOXER_COMPOSE_CMD")
			out, err := exec.Command(argv[0], argv[1:]...).Output()
			want := e.SSH(t, question) + e.Compose + "\n"
			if err != nil || string(out) != want {
				t.Errorf("got %q, %v, want %q", out, err, want)
			}
		})
	}
}

// TestRootlessShells runs a container of an imported image for each user who
// has a podman, in a session that nobody prepared.
func TestRootlessShells(t *testing.T) {
	lab.Require(t, "rootless")
	l := lab.Open(t)
	lab.EngineLock(t)
	image := writeImage(t)
	for _, alias := range []string{"lab-podman", "lab-podfish"} {
		l.SSH(t, alias, "podman import -q "+image+" localhost/sbxlab:test")
		got := l.SSH(t, alias, "podman run --rm localhost/sbxlab:test /hello")
		if got != "hello\n" {
			t.Errorf("%s: got %q, want %q", alias, got, "hello\n")
		}
		l.SSH(t, alias, "podman rmi localhost/sbxlab:test")
		if got := l.SSH(t, alias, "podman info --format {{.Host.Security.Rootless}}"); got != "true\n" {
			t.Errorf("%s: got rootless %q, want true", alias, got)
		}
	}
}

// writeImage makes an archive of a file system with one static program.
func writeImage(t *testing.T) string {
	t.Helper()
	dir := lab.OpenDir(t)
	source := "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"go", "build", "-o", "hello", "main.go"}, {"tar", "cf", "image.tar", "hello"}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", argv, err, out)
		}
	}
	return filepath.Join(dir, "image.tar")
}

func TestSudo(t *testing.T) {
	lab.Require(t, "sudo")
	l := lab.Open(t)
	for _, command := range []string{"sudo -n podman --version", "sudo -n docker-compose version", "sudo -n podman-compose --help"} {
		l.SSH(t, "lab-sudo", command)
	}
	for _, command := range []string{"sudo -n true", "docker ps"} {
		if out, err := exec.Command("ssh", "-F", l.SSHConfig, "lab-sudo", command).CombinedOutput(); err == nil {
			t.Errorf("%q: got %q, want it refused", command, out)
		}
	}
}
