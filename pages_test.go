package sandboxer_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// A promisePage is a page whose tables have promises and the tests that show
// them. A test of the package in dir needs no package name; a part of a test,
// or a rule of the suite for hosts, follows the name of a test that runs it.
type promisePage struct {
	file, dir string
	packages  map[string]sources
}

func (p promisePage) in(t *testing.T, dir string) sources {
	if _, ok := p.packages[dir]; !ok {
		p.packages[dir] = readSources(t, dir)
	}
	return p.packages[dir]
}

// check holds the page to its word and returns how many promises it makes, and
// what it names.
func (p promisePage) check(t *testing.T) (promises int, named []string) {
	t.Helper()
	page, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(page), "\n") {
		for _, m := range code.FindAllStringSubmatch(line, -1) {
			named = append(named, m[1])
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.Trim(line, "|- ") == "" || strings.TrimSpace(cells[len(cells)-1]) == "shown by" {
			continue
		}
		promises++
		tests := code.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(tests) == 0 {
			t.Errorf("%s:%d: got no test for %q", p.file, n+1, strings.TrimSpace(cells[0]))
		}
		for _, m := range tests {
			if why := p.wrong(t, m[1]); why != "" {
				t.Errorf("%s:%d: got %q, %s", p.file, n+1, m[1], why)
			}
		}
	}
	return promises, named
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// wrong says what is wrong with the name of a test, if anything is.
func (p promisePage) wrong(t *testing.T, name string) string {
	i := max(strings.Index(name, "Test"), 0)
	dir, name := strings.TrimSuffix(name[:i], "."), name[i:]
	switch dir {
	case "":
		dir = p.dir
	case "sandboxer":
		dir = "."
	}
	test, part, hasPart := strings.Cut(name, "/")
	s := p.in(t, dir)
	switch {
	case !strings.HasPrefix(test, "Test") || !s.funcs[test]:
		return "which is no test"
	case hasPart && exists(filepath.Join(dir, "testdata/local", part+".txtar")):
		return "" // a script of its own
	case hasPart && !s.literals[part] && !p.in(t, "sandboxertest").literals[part]:
		return "and no part of a test has that name"
	}
	return ""
}

func TestSSHPage(t *testing.T) {
	p := promisePage{"docs/ssh.md", "sshhost", map[string]sources{}}
	promises, named := p.check(t)
	if promises < 40 {
		t.Errorf("got %d promises, want the tables to be found", promises)
	}
	for _, name := range named {
		if name, ok := strings.CutPrefix(name, "sshhost."); ok && strings.HasPrefix(name, "Err") && !p.in(t, "sshhost").vars[name] {
			t.Errorf("got %s, which is not declared", name)
		}
	}
}

// The page about reaping also leaves out none of the cases that a reaper has
// to survive, and no check or code that its documents show.
func TestReapingPage(t *testing.T) {
	p := promisePage{"docs/reaping.md", "test/e2e", map[string]sources{}}
	promises, named := p.check(t)
	if promises < 60 {
		t.Errorf("got %d promises, want the tables to be found", promises)
	}
	for n := 1; n <= 55; n++ {
		test := fmt.Sprintf("TestCase%02d", n)
		if !slices.ContainsFunc(named, func(name string) bool { return strings.HasSuffix(name, test) }) {
			t.Errorf("got no word of %s", test)
		}
	}
	for _, word := range slices.Concat(constants(t, "proof.go", "Proof"), constants(t, "stale_blocks.go", "Block"), constants(t, "stale.go", "StaleClass")) {
		if !slices.Contains(named, word) {
			t.Errorf("got no word of %s", word)
		}
	}
}

// constants returns the values of the constants of a file that have a name
// with that beginning, or are of that type.
func constants(t *testing.T, file, what string) []string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		typ, _ := spec.Type.(*ast.Ident)
		value, isText := spec.Values[0].(*ast.BasicLit)
		if isText && value.Kind == token.STRING && (strings.HasPrefix(spec.Names[0].Name, what) || typ != nil && typ.Name == what) {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		return true
	})
	if len(all) < 5 {
		t.Fatalf("%s: got %q, want its constants", file, all)
	}
	return all
}
