package schema_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer/schema"
)

func TestRead(t *testing.T) {
	const short = "host-snapshot"
	want, err := os.ReadFile(short + ".v1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		short,
		"host-snapshot.v1.schema.json",
		"HostSnapshot",
		"https://tegwick.github.io/sand-boxer/schema/v1/host-snapshot.v1.schema.json",
	} {
		got, err := schema.Read(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Read(%q): got %d bytes and error %v, want the %d bytes of %s", name, len(got), err, len(want), short)
		}
	}
	for _, name := range []string{"", "host", "Host-Snapshot", "../schema", "schema.go", "host-snapshot.v2.schema.json", "./host-snapshot"} {
		if got, err := schema.Read(name); err == nil {
			t.Errorf("Read(%q): got %d bytes, want an error", name, len(got))
		}
	}
}

// TestNames reads every schema by each of the names it bears itself.
func TestNames(t *testing.T) {
	files, err := fs.Glob(os.DirFS("."), "*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, file := range files {
		short = append(short, strings.TrimSuffix(file, ".v1.schema.json"))
	}
	slices.Sort(short)
	if diff := cmp.Diff(short, schema.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, name := range schema.Names() {
		data, err := schema.Read(name)
		if err != nil {
			t.Error(err)
			continue
		}
		var self struct {
			ID    string `json:"$id"`
			Title string
		}
		if err := json.Unmarshal(data, &self); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, other := range []string{self.ID, self.Title} {
			if got, err := schema.Read(other); err != nil || !bytes.Equal(got, data) {
				t.Errorf("Read(%q): got error %v, want schema %s", other, err, name)
			}
		}
	}
}
