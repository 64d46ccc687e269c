package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is a line of go test -json; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string // "" for what is about the package as a whole
	Output  string
	Elapsed float64 // seconds
}

// report turns what go test -json prints into what plain go test would have
// printed, which is little, and adds the tests that were skipped, with their
// reasons, which go test passes over in silence.
type report struct {
	out     io.Writer
	verbose bool // print everything, as go test -v does
	pending map[string][]event
	skipped []string
	took    []event // of whole tests, their ends
}

// slowest are the tests that took longest, as lines.
func (r *report) slowest(n int) string {
	slices.SortFunc(r.took, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	var b strings.Builder
	for _, e := range r.took[:min(n, len(r.took))] {
		fmt.Fprintf(&b, "%7.1f s  %s %s\n", e.Elapsed, e.Package, e.Test)
	}
	return b.String()
}

// read reports until the input ends.
func (r *report) read(in io.Reader) error {
	r.pending = make(map[string][]event)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // the go command speaks
			continue
		}
		r.add(e)
	}
	for name := range r.pending {
		r.finish(name, false) // it was interrupted
	}
	return lines.Err()
}

func (r *report) add(e event) {
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	if ended && e.Test != "" && !strings.Contains(e.Test, "/") {
		r.took = append(r.took, event{Package: e.Package, Test: e.Test, Elapsed: e.Elapsed})
	}
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case r.verbose && e.Action == "output":
		fmt.Fprint(r.out, e.Output)
	case ended && e.Test == "":
		r.finish(e.Package, e.Action != "fail")
	case e.Action == "output" || ended:
		r.pending[e.Package] = append(r.pending[e.Package], e)
	}
}

// finish prints what there is to say of a package: the tests that were skipped,
// the tests that did not pass, and the line with the result.
func (r *report) finish(name string, passed bool) {
	events := r.pending[name]
	delete(r.pending, name)
	ended := make(map[string]string) // action by test
	for _, e := range events {
		if e.Action == "output" {
			continue
		}
		ended[e.Test] = e.Action
		if e.Action == "skip" && !isSeed(e.Test) {
			r.skipped = append(r.skipped, name+" "+e.Test)
		}
	}
	for _, e := range events {
		result := strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "?   \t")
		switch {
		case r.verbose || strings.HasPrefix(e.Output, "=== "):
		case e.Test == "" && (result || !passed):
			fmt.Fprint(r.out, e.Output)
		case e.Test != "" && ended[e.Test] != "pass" && !(isSeed(e.Test) && ended[e.Test] == "skip"):
			fmt.Fprint(r.out, e.Output)
		}
	}
}

// isSeed tells whether a test is an input of a fuzz target, which may well skip
// what cannot be an input.
func isSeed(test string) bool {
	return strings.HasPrefix(test, "Fuzz") && strings.Contains(test, "/")
}
