// Package faults lets what changes a host die at every step of it, and sees
// that one more run finishes.
//
// No step is named here: an operation runs once to its end, and what its
// scripts did to files and which engine's clients they ran is the list. It then
// runs once for each of them and dies there.
package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tegwick/sand-boxer/test/faults/steps"
	"github.com/tegwick/sand-boxer/test/lab"
)

var all = flag.Bool("faults.all", false, "die in every way before and after every step, not only where that differs")

func TestMain(m *testing.M) {
	if order := os.Getenv(clientVar); order != "" {
		if err := clientMain(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if path, err := watcher(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// watcher builds the sh that sees what scripts do, once for all tests.
var watcher = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sh")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./sh")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// A death is where and how an operation dies.
type death struct {
	step  steps.Step
	after bool
	how   string
	alone bool // nobody is there to clean up: the client dies with the script
}

func (d death) String() string {
	when, how := "before", d.how
	if d.after {
		when = "after"
	}
	if d.alone {
		how = "machine"
	}
	return strings.ReplaceAll(fmt.Sprintf("%s/%s %s", how, when, d.step), " ", "_")
}

// deaths returns those to die in one way. Where nothing is changed and nothing
// is said to the client in between, after one step is before the next. A script
// whose client or connection is gone runs on until it has something to say: of
// all moments up to then only the first counts.
func deaths(lines []steps.Line, of death) []death {
	var list []death
	add := func(l steps.Line, after bool) {
		d := of
		d.step, d.after = l.Step, after
		list = append(list, d)
	}
	if of.alone { // and hears nothing
		lines = slices.DeleteFunc(slices.Clone(lines), func(l steps.Line) bool { return l.Kind == steps.Answered })
	}
	said := true
	for i, l := range lines {
		first := said
		switch l.Kind {
		case steps.Answered:
			said = true
			continue
		case steps.Began:
			said = true
			if l.Script == "probe" {
				add(l, false)
			}
			continue
		case steps.Done:
			said = false
		default:
			continue
		}
		if !*all && inMidst(lines, i) {
			continue
		}
		if *all || of.how == steps.Shell || first {
			add(l, false)
		}
		last := i+1 == len(lines) || lines[i+1].Kind != steps.Done
		if *all || of.how == steps.Shell && last {
			add(l, true)
		}
	}
	return list
}

// inMidst reports whether line i is one of many writes to a file and not the
// first, one of many signals, of which there are as many as processes at that
// moment, or neither the first nor the last of a tree that goes as a whole.
func inMidst(lines []steps.Line, i int) bool {
	if i == 0 || i+1 == len(lines) {
		return false
	}
	verb, path, _ := strings.Cut(lines[i].What, " ")
	if verb == "write" || verb == "kill" {
		return lines[i-1].Run == lines[i].Run && lines[i-1].What == lines[i].What
	}
	for _, l := range lines[i+1:] {
		if dir, ok := strings.CutPrefix(l.What, verb+" "); ok && verb == "unlink" && strings.HasPrefix(path, dir+"/") {
			within := verb + " " + dir + "/"
			if strings.HasPrefix(lines[i-1].What, within) && strings.HasPrefix(lines[i+1].What, within) {
				return true
			}
		}
	}
	return false
}

// A site is where operations are tried.
type site struct {
	ops    []operation
	ways   func(op operation) []death // of which each stands for all steps
	only   func(steps.Step) bool      // of the steps that are done; nil: all
	worlds chan *world

	scripts map[string]bool // those that were seen
}

// dieAtEachStep tries all operations of a site.
func (s *site) dieAtEachStep(t *testing.T) {
	s.scripts = map[string]bool{}
	for _, op := range s.ops {
		t.Run(op.name, func(t *testing.T) {
			lines := slices.DeleteFunc(s.record(t, op), func(l steps.Line) bool {
				return s.only != nil && l.Kind == steps.Done && !s.only(l.Step)
			})
			for _, way := range s.ways(op) {
				for _, d := range deaths(lines, way) {
					t.Run(d.String(), func(t *testing.T) {
						t.Parallel()
						w := <-s.worlds
						defer func() { s.worlds <- w }()
						w.with(t).dieAt(op, d)
					})
				}
			}
		})
	}
}

// record runs an operation to its end and returns what its scripts did.
func (s *site) record(t *testing.T, op operation) []steps.Line {
	t.Helper()
	w := <-s.worlds
	defer func() { s.worlds <- w }()
	w = w.with(t)
	c := w.begin(op)
	w.expect(steps.Plan{})
	host, end := w.reach()
	defer end()
	if err := op.run(t.Context(), w.box(), w.watched(host), c.target); err != nil {
		t.Fatalf("%s, which nothing disturbs: %v", op.name, err)
	}
	lines, err := w.run().Lines()
	if err != nil {
		t.Fatal(err)
	}
	w.finish(op, c)
	done := 0
	for _, l := range lines {
		t.Logf("%s %s", l.Kind, l.Step)
		s.scripts[l.Script] = true
		switch l.Kind {
		case steps.Done:
			done++
		case steps.Strayed:
			t.Errorf("%s: got a change outside of everything that is the sandbox's: %s", op.name, l.Step)
		}
	}
	if done < 2 {
		t.Fatalf("got %d steps, want more", done)
	}
	return lines
}

// dieAt lets an operation die, and sees to it that one more run finishes. A
// step that depends on the moment is tried again.
func (w *world) dieAt(op operation, d death) {
	for try := 1; ; try++ {
		c := w.begin(op)
		w.expect(steps.Plan{Step: d.step, After: d.after, How: d.how})
		w.die(op, c.target, d)
		fired, err := w.run().Fired()
		if err != nil {
			w.t.Fatal(err)
		}
		w.readable(c)
		w.finish(op, c)
		if fired || w.t.Failed() {
			return
		}
		if try == 3 {
			w.t.Fatalf("it never came to %s", d.step)
		}
	}
}

// ways returns how to die where there is a host of this machine.
func localWays(op operation) []death {
	list := []death{{how: steps.Shell}, {how: steps.Client}}
	if op.undoes {
		list = append(list, death{how: steps.Shell, alone: true})
	}
	return list
}

func TestCase36(t *testing.T) {
	lab.Require(t, "proc")
	s := site{ops: operations(), ways: localWays, worlds: newWorlds(t, kind{}, atOnce())}
	t.Run("each", s.dieAtEachStep)
	if t.Failed() || flag.Lookup("test.run").Value.String()+flag.Lookup("test.skip").Value.String() != "" {
		return // not all of them ran
	}
	// o.script("reserve", ... The one of purge.go needs a container for a helper.
	source, err := os.ReadFile("../../internal/onhost/onhost.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bo\.(?:script|destroy)\("([a-z]+)"`).FindAllSubmatch(source, -1)
	if len(names) < 7 {
		t.Errorf("got scripts %q, want more", names)
	}
	for _, name := range names {
		if !s.scripts[string(name[1])] {
			t.Errorf("no operation here runs the script %s", name[1])
		}
	}
}

// The connection is cut, and what runs there does not know.
func TestCase36Remote(t *testing.T) {
	lab.Require(t, "root", "sshd", "ssh", "proc")
	const alias = "lab-dash"
	user, err := lab.FindUser("sbx" + alias)
	if err != nil {
		t.Fatal(err)
	}
	cut := func(operation) []death { return []death{{how: steps.Link}} }
	s := site{ops: operations(), ways: cut, worlds: newWorlds(t, kind{user: user, alias: alias}, atOnce())}
	s.dieAtEachStep(t)
}
