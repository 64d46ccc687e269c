package canary

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// origin runs a program of testdata, which prints what Self has found.
func origin(t *testing.T, dir string, env []string, argv ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = errors.Join(err, errors.New(strings.TrimSpace(stderr.String())))
	}
	return strings.TrimSpace(string(out)), err
}

// dynamic reports whether the go command as it is here links libc.
func dynamic(t *testing.T) bool {
	t.Helper()
	_, err := File(build(t, "selfmain"))(t.Context(), here)
	if err != nil && !strings.Contains(err.Error(), "linked dynamically") {
		t.Fatal(err)
	}
	return err != nil
}

// TestChoice starts programs in the ways they are started in.
func TestChoice(t *testing.T) {
	newCache(t)
	module, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const itself = "the running program"
	built := "built from " + module
	byDefault := itself
	if dynamic(t) {
		byDefault = built
	}
	none := t.TempDir()
	goroot := []string{"PATH=" + goEnv(t, "GOROOT") + "/bin"} // the toolchain, and no C compiler
	noGo := []string{"PATH=" + none}
	for _, c := range []struct {
		what string
		dir  string
		env  []string
		argv []string
		want string // "" for an error
	}{
		{"go run", "", nil, []string{"go", "run", "./testdata/selfmain"}, byDefault},
		{"go run, static", "", []string{"CGO_ENABLED=0"}, []string{"go", "run", "./testdata/selfmain"}, itself},
		{"go build", none, nil, []string{build(t, "selfmain")}, byDefault},
		{"go build, static, no toolchain", none, noGo, []string{build(t, "selfmain", "CGO_ENABLED=0")}, itself},
		{"go build, dynamic", none, goroot, []string{build(t, "selfmain", "CGO_ENABLED=0", "GOFLAGS=-buildmode=pie")}, built},
		{"go build -trimpath, dynamic, in the clone", "", nil, []string{build(t, "selfmain", "CGO_ENABLED=0", "GOFLAGS=-buildmode=pie -trimpath")}, built},
		{"go build -trimpath, dynamic, elsewhere", none, nil, []string{build(t, "selfmain", "CGO_ENABLED=0", "GOFLAGS=-buildmode=pie -trimpath")}, ""},
		{"an embedder without Main", none, nil, []string{build(t, "nomain", "CGO_ENABLED=0")}, built},
		{"an embedder without Main, no toolchain", none, noGo, []string{build(t, "nomain", "CGO_ENABLED=0")}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := origin(t, c.dir, c.env, c.argv...)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), "no program to send as a canary") || !strings.Contains(err.Error(), "or build it and name it") {
					t.Errorf("got %q, %v, want an error with a hint", got, err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestChoiceInstalled installs a program from a module proxy, so that this
// module lies in the module cache and nowhere else.
func TestChoiceInstalled(t *testing.T) {
	newCache(t)
	const version = "v0.0.1"
	proxy, work := t.TempDir(), t.TempDir()
	publish(t, proxy, version)
	cache := filepath.Join(work, "mod")
	env := []string{
		"GOMODCACHE=" + cache, "GOBIN=" + work, "GOSUMDB=off", "GOFLAGS=",
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download"),
	}
	t.Cleanup(func() { // its directories are read-only
		cmd := exec.Command("go", "clean", "-modcache")
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("clean: got %v, %s, want success", err, out)
		}
	})
	for _, flags := range []string{"-trimpath=false", "-trimpath"} {
		if out, err := origin(t, work, env, "go", "install", flags, "-buildmode=pie", modulePath+"/canary/testdata/selfmain@"+version); err != nil {
			t.Fatalf("install: got %v, %s, want success", err, out)
		}
		got, err := origin(t, work, env, filepath.Join(work, "selfmain"))
		if want := "built from " + filepath.Join(cache, filepath.FromSlash(modulePath)+"@"+version); err != nil || got != want {
			t.Errorf("installed with %s: got %q, %v, want %q", flags, got, err, want)
		}
	}
}

// publish puts this module into a directory laid out as a module proxy.
func publish(t *testing.T, proxy, version string) {
	t.Helper()
	dir := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	err = fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || exists("../"+name+"/go.mod")):
			return fs.SkipDir // not of the module
		case !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile("../" + name)
		if err != nil {
			return err
		}
		w, err := z.Create(modulePath + "@" + version + "/" + name)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"list": []byte(version + "\n"), version + ".mod": gomod, version + ".zip": archive.Bytes(),
		version + ".info": []byte(`{"Version":"` + version + `"}`),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestUploadSize bounds what goes over the wire to each host.
func TestUploadSize(t *testing.T) {
	newCache(t)
	f := finder{source: sourceFile(), command: newFinder().command}
	program, err := f.find(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) // as the root package does
	if err != nil {
		t.Fatal(err)
	}
	_, err = z.Write(program.ELF)
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes, gzipped %d", len(program.ELF), zipped.Len())
	if len(program.ELF) > 20e6 || zipped.Len() > 8e6 {
		t.Errorf("got %d bytes, gzipped %d, want at most 20 MB, 8 MB gzipped", len(program.ELF), zipped.Len())
	}
}
