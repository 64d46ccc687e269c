package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer/schema"
	"github.com/tegwick/sand-boxer/schema/validate"
)

var update = flag.Bool("update", false, "write the files in examples")

// TestExamples keeps one valid sample of each kind of document in examples.
func TestExamples(t *testing.T) {
	var names []string
	for _, doc := range samples() {
		kind := doc.DocumentHeader().Kind
		name := strings.TrimSuffix(kind.SchemaFile(), ".v1.schema.json")
		names = append(names, name)
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(doc); err != nil {
			t.Fatal(err)
		}
		if got, err := validate.Document(want.Bytes()); err != nil || got != kind {
			t.Errorf("%s: got %s, %v, want it valid", kind, got, err)
		}
		path := filepath.Join("examples", name+".json")
		if *update {
			if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(want.String(), string(got)); diff != "" {
			t.Errorf("%s (-want +got), mend with go test ./schema -update:\n%s", path, diff)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(schema.Names(), names); diff != "" {
		t.Errorf("kinds with a sample (-want +got):\n%s", diff)
	}
	files, err := os.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(files), len(names); got != want {
		t.Errorf("got %d files in examples, want %d", got, want)
	}
}
