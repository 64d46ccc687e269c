package sandboxer_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sources are what the Go files of one package declare and say.
type sources struct {
	funcs    map[string]bool
	vars     map[string]bool
	literals map[string]bool
}

func readSources(t *testing.T, dir string) sources {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: got files %q, %v", dir, files, err)
	}
	s := sources{make(map[string]bool), make(map[string]bool), make(map[string]bool)}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					s.funcs[n.Name.Name] = true
				}
			case *ast.ValueSpec:
				for _, name := range n.Names {
					s.vars[name.Name] = true
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					s.literals[text] = true
				}
			}
			return true
		})
	}
	return s
}

var code = regexp.MustCompile("`([^`]+)`")

// TestSSHPage holds docs/ssh.md to its word: each promise of its tables names
// tests, and those are there. A test of sshhost needs no package name; a rule
// of the suite for hosts follows the name of a test that runs it.
func TestSSHPage(t *testing.T) {
	page, err := os.ReadFile("docs/ssh.md")
	if err != nil {
		t.Fatal(err)
	}
	packages := make(map[string]sources)
	in := func(dir string) sources {
		if _, ok := packages[dir]; !ok {
			packages[dir] = readSources(t, dir)
		}
		return packages[dir]
	}
	promises := 0
	for n, line := range strings.Split(string(page), "\n") {
		for _, m := range code.FindAllStringSubmatch(line, -1) {
			if name, ok := strings.CutPrefix(m[1], "sshhost."); ok && strings.HasPrefix(name, "Err") && !in("sshhost").vars[name] {
				t.Errorf("docs/ssh.md:%d: got %s, which is not declared", n+1, m[1])
			}
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 2 || strings.Trim(line, "|- ") == "" || strings.TrimSpace(cells[1]) == "shown by" {
			continue
		}
		promises++
		tests := code.FindAllStringSubmatch(cells[1], -1)
		if len(tests) == 0 {
			t.Errorf("docs/ssh.md:%d: got no test for %q", n+1, strings.TrimSpace(cells[0]))
		}
		for _, m := range tests {
			i := max(strings.Index(m[1], "Test"), 0)
			dir, name := strings.TrimSuffix(m[1][:i], "."), m[1][i:]
			switch dir {
			case "":
				dir = "sshhost"
			case "sandboxer":
				dir = "."
			}
			test, part, hasPart := strings.Cut(name, "/")
			if s := in(dir); !strings.HasPrefix(test, "Test") || !s.funcs[test] {
				t.Errorf("docs/ssh.md:%d: got %q, which is no test", n+1, m[1])
			} else if hasPart && !s.literals[part] && !in("sandboxertest").literals[part] {
				t.Errorf("docs/ssh.md:%d: got %q, and no part of a test has that name", n+1, m[1])
			}
		}
	}
	if promises < 40 {
		t.Errorf("got %d promises in docs/ssh.md, want the tables to be found", promises)
	}
}
