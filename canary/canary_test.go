package canary

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tegwick/sand-boxer"
)

// TestMain begins with Main as any program that can be a canary does: tests
// start their own binary as one.
func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// amd64 is a platform that tiny programs are for.
var amd64 = sandboxer.Platform{OS: "linux", Arch: "amd64"}

func TestFiles(t *testing.T) {
	spec := Spec(File(write(t, tinyProgram())))
	fsys, err := spec.Files(t.Context(), amd64)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, spec.Compose.File, spec.Process[0], spec.HostCheck[0], "out", "image/root/data"); err != nil {
		t.Error(err)
	}
	var got []string
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		got = append(got, info.Mode().String()+" "+name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"drwxr-xr-x .",
		"-rw-r--r-- compose.yaml",
		"drwxr-xr-x image",
		"-rw-r--r-- image/Dockerfile",
		"drwxr-xr-x image/root",
		"dtrwxrwxrwx image/root/data",
		"-rw-r--r-- image/root/data/.keep",
		"-rwxr-xr-x image/root/sandboxer",
		"drwx------ out",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("files: got\n%s\nwant\n%s", g, w)
	}
}

func TestFilesAreTheSameEachTime(t *testing.T) {
	spec := Spec(File(write(t, tinyProgram())))
	var first []byte
	for range 2 {
		fsys, err := spec.Files(t.Context(), amd64)
		if err != nil {
			t.Fatal(err)
		}
		program, err := fs.ReadFile(fsys, programFile)
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, program) {
			t.Errorf("program: got another one the second time, want the same")
		}
		first = program
	}
}

// The compose file and the checks name the same things in two places each.
func TestComposeFileAgrees(t *testing.T) {
	for _, want := range []string{
		"image: ${SANDBOXER_IMAGE}\n",
		"user: \"${SANDBOXER_UID}:${SANDBOXER_GID}\"\n",
		"mem_limit: 64m\n",
		"\"127.0.0.1::8080\"\n",
		"data:/data\n",
		"type: bind\n        source: ./out\n        target: /out\n        bind:\n",
	} {
		if !strings.Contains(composeFile, want) {
			t.Errorf("compose.yaml: got no %q, want it", want)
		}
	}
	// None of these is understood by podman-compose 1.0.3, or it is changed.
	for _, bad := range []string{"healthcheck", "network_mode", "profiles:", "deploy:", "container_name", "external", "create_host_path", "version:"} {
		if strings.Contains(composeFile, bad) {
			t.Errorf("compose.yaml: got %q, want none", bad)
		}
	}
	variables := regexp.MustCompile(`\$\{?\w+\}?`).FindAllString(composeFile, -1)
	for _, v := range variables {
		switch v {
		case "${SANDBOXER_ID}", "${SANDBOXER_NONCE}", "${SANDBOXER_IMAGE}", "${SANDBOXER_UID}", "${SANDBOXER_GID}":
		default:
			t.Errorf("compose.yaml: got variable %s, want only those that provisioners set", v)
		}
	}
}
