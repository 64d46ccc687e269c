package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter"
)

// A sink is an exporter whose answer is given.
type sink struct {
	err   error
	hangs bool // until its context ends
	seen  *int
}

func (s sink) Export(ctx context.Context, _ sandboxer.Document) error {
	if s.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if s.seen != nil {
		*s.seen++
	}
	return s.err
}

// A keeper is a sink with a file.
type keeper struct {
	sink
	path string
}

func (k keeper) Artifact(sandboxer.Document) string { return k.path }
func (k keeper) Check() error                       { return k.err }

var doc = sandboxer.ErrorDocument{}

func TestMultiOutcomes(t *testing.T) {
	broken, refused := errors.New("broken"), errors.New("refused")
	var seen int
	m := exporter.Multi{
		{Name: "one", Exporter: sink{err: broken}},
		{Name: "two", Exporter: sink{seen: &seen}},
		{Name: "three", Exporter: exporter.Multi{{Name: "inner", Exporter: sink{err: refused}}}},
	}
	err := m.Export(t.Context(), doc)
	if seen != 1 {
		t.Errorf("the sink between the failing ones was called %d times, want once", seen)
	}
	if !errors.Is(err, broken) || !errors.Is(err, refused) {
		t.Errorf("got %v, want both errors in it", err)
	}
	want := "export to one: broken\nexport to three: export to inner: refused"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	text := func(s string) *string { return &s }
	wantOutcomes := []sandboxer.ExportOutcome{
		{Sink: "one", Status: "failed", Error: text("broken")},
		{Sink: "two", Status: "done"},
		{Sink: "three", Status: "failed", Error: text("export to inner: refused")},
	}
	for _, err := range []error{err, fmt.Errorf("report: %w", err)} {
		if diff := cmp.Diff(wantOutcomes, m.Outcomes(err)); diff != "" {
			t.Errorf("outcomes of %v (-want +got):\n%s", err, diff)
		}
	}
}

func TestMultiAllDone(t *testing.T) {
	m := exporter.Multi{{Name: "one", Exporter: sink{}}, {Name: "two", Exporter: sink{}}}
	if err := m.Export(t.Context(), doc); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	for _, o := range m.Outcomes(nil) {
		if o.Status != "done" || o.Error != nil {
			t.Errorf("got %+v, want it done", o)
		}
	}
	if err := (exporter.Multi{}).Export(t.Context(), doc); err != nil {
		t.Errorf("no sinks: got %v, want no error", err)
	}
}

// TestMultiHang checks that a sink that hangs does not keep a document from
// the one after it.
func TestMultiHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var seen int
		m := exporter.Multi{
			{Name: "hung", Exporter: sink{hangs: true}},
			{Name: "quick", Exporter: sink{seen: &seen}},
		}
		result := make(chan error, 1)
		go func() { result <- m.Export(ctx, doc) }()
		synctest.Wait() // everybody who can go on has
		if seen != 1 {
			t.Errorf("beside a hung sink: got %d documents, want 1", seen)
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the hung sink's error", err)
		}
	})
}

func TestMultiArtifact(t *testing.T) {
	full := errors.New("disk full")
	m := exporter.Multi{
		{Name: "remote", Exporter: sink{err: errors.New("not asked")}},
		{Name: "nothing", Exporter: keeper{}},
		{Name: "first", Exporter: keeper{path: "/a"}},
		{Name: "second", Exporter: keeper{path: "/b", sink: sink{err: full}}},
	}
	if got := m.Artifact(doc); got != "/a" {
		t.Errorf("Artifact: got %q, want /a", got)
	}
	err := m.Check()
	if !errors.Is(err, full) || err.Error() != "export to second: disk full" {
		t.Errorf("Check: got %v, want only the second keeper's error", err)
	}
	if err := m[:3].Check(); err != nil {
		t.Errorf("Check of healthy sinks: got %v, want no error", err)
	}
	if got := m[:2].Artifact(doc); got != "" {
		t.Errorf("Artifact of sinks without files: got %q, want none", got)
	}
}
