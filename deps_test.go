package sandboxer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tegwick/sand-boxer"

// A goPackage is what "go list -json" says of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

// list returns the packages that args name to "go list", by import path.
func list(t *testing.T, args ...string) map[string]goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,Module"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	all := map[string]goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
}

// Imports run one way: commands and examples, adapters, the root, the
// standard library.
func TestImportDirection(t *testing.T) {
	adapters := []string{"sshhost", "localhost", "probe", "compose", "process", "canary", "profile", "exporter", "exporter/jsonfile"}
	mayImportAdapters := map[string][]string{
		"engine":  {"compose", "process"}, // lists provisioners
		"profile": {"canary"},             // the built-in profile
	}
	for path, p := range list(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if strings.HasPrefix(name, "cmd/") {
			for _, imported := range p.Imports {
				if strings.HasPrefix(imported, "github.com/compose-spec/") {
					t.Errorf("%s imports %s; only profile may", path, imported)
				}
			}
			continue
		}
		if strings.HasPrefix(name, "examples/") || strings.HasPrefix(name, "test") {
			continue
		}
		for _, imported := range p.Imports {
			other := strings.TrimPrefix(imported, module+"/")
			switch {
			case imported == module || strings.HasPrefix(other, "internal/"):
			case strings.HasPrefix(imported, module) && (name == "" || strings.HasPrefix(name, "internal/")) && name != "internal/schemagen":
				t.Errorf("%s imports %s; it may import the standard library and internal packages only", path, imported)
			case slices.Contains(adapters, other) && slices.Contains(adapters, name) && !slices.Contains(mayImportAdapters[name], other):
				t.Errorf("adapter %s imports adapter %s", name, other)
			case strings.HasPrefix(imported, "golang.org/x/crypto") && name != "sshhost":
				t.Errorf("%s imports %s; only sshhost may", path, imported)
			case strings.HasPrefix(imported, "github.com/compose-spec/") && name != "profile":
				t.Errorf("%s imports %s; only profile may", path, imported)
			}
		}
	}
}

// The root package builds from the standard library and this module alone.
func TestRootNeedsOnlyTheStandardLibrary(t *testing.T) {
	onlyModules(t, []string{"."}, module)
}

// An embedder gets little more into the build than ssh itself.
func TestEmbedderBuild(t *testing.T) {
	onlyModules(t, []string{".", "./sshhost", "./probe", "./engine", "./canary", "./exporter/jsonfile"}, module,
		"golang.org/x/crypto", "golang.org/x/sys", "golang.org/x/term", "github.com/skeema/knownhosts")
	for path := range list(t, "-deps", ".", "./localhost", "./probe", "./engine", "./canary") {
		if strings.HasPrefix(path, "golang.org/x/crypto") {
			t.Errorf("an embedder without sshhost compiles %s", path)
		}
	}
}

func onlyModules(t *testing.T, packages []string, allowed ...string) {
	t.Helper()
	for path, p := range list(t, append([]string{"-deps"}, packages...)...) {
		if !p.Standard && (p.Module == nil || !slices.Contains(allowed, p.Module.Path)) {
			t.Errorf("%v compiles %s, which is not among %v", packages, path, allowed)
		}
	}
}
