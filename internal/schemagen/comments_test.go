package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const source = `package p

// A Report is
// one line.
//
// And another.
type Report struct {
	// Above is above.
	Above int
	Beside, Both int // beside, in ms
	// Above and
	Two int // beside
	Bare int
}

type (
	// A Color is red.
	Color string
	Bare  struct{}
)

// Colors.
const (
	Red  Color = "red" // hot
	// Blue is cold.
	Blue Color = "blue"
	Five int   = 5
	Text       = "no color"
)

func (Report) Method(Beside int) {}
`

func TestComments(t *testing.T) {
	c := &comments{types: map[string]string{}, fields: map[string]string{}, values: map[string][]value{}}
	if err := c.add("p.go", []byte(source)); err != nil {
		t.Fatal(err)
	}
	want := &comments{
		types: map[string]string{"Report": "A Report is one line.\n\nAnd another.", "Color": "A Color is red.", "Bare": ""},
		fields: map[string]string{
			"Report.Above": "Above is above.", "Report.Beside": "beside, in ms", "Report.Both": "beside, in ms",
			"Report.Two": "Above and beside", "Report.Bare": "",
		},
		values: map[string][]value{"Color": {{"red", "hot"}, {"blue", "Blue is cold."}}},
	}
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(comments{}, value{})); diff != "" {
		t.Errorf("comments (-want +got):\n%s", diff)
	}
}

func TestUncommented(t *testing.T) {
	types := typeSet{}
	if err := types.add(reflect.TypeFor[Report]()); err != nil {
		t.Fatal(err)
	}
	c := &comments{
		types:  map[string]string{"Report": "A Report.", "Color": "A Color.", "Part": "A Part."},
		fields: map[string]string{"Report.Colors": "some", "Report.Latency": "of it"},
	}
	err := c.check(types)
	if err == nil {
		t.Fatal("got no error, want one for each type and field without a comment")
	}
	got := strings.Split(err.Error(), "\n")
	for line, want := range map[string]bool{
		"type Header has no comment":                false, // only embedded
		"type Report has no comment":                false,
		"field Size.SizeBytes has no comment":       true,
		"field Report.Parts has no comment":         true,
		"field Report.ByName has no comment":        true,
		"field Part.FreeRatio has no comment":       true,
		"field Report.Color has no comment":         false, // its type has one
		"field Report.Maybe has no comment":         false,
		"field Report.Colors has no comment":        false,
		"field Header.SchemaVersion has no comment": true,
	} {
		count := 0
		for _, g := range got {
			if g == line {
				count++
			}
		}
		if want && count != 1 || !want && count != 0 {
			t.Errorf("%q: got it %d times, want it: %v", line, count, want)
		}
	}
}

func TestForgottenKind(t *testing.T) {
	c := &comments{values: map[string][]value{"Kind": {{"Error", ""}, {"Unheard", ""}, {"Inventory", ""}}}}
	err := c.checkKinds(documents()[:1])
	if err == nil || !strings.Contains(err.Error(), "kind Error") || !strings.Contains(err.Error(), "kind Inventory") {
		t.Errorf("got error %v, want Error and Inventory missed", err)
	}
	if err := c.checkKinds(documents()); err != nil {
		t.Errorf("got error %v, want none: a kind without a file needs no type", err)
	}
}
