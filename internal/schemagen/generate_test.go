package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCommitted compares the committed schemas with fresh ones.
func TestCommitted(t *testing.T) {
	fresh, err := generate("../..")
	if err != nil {
		t.Fatal(err)
	}
	again, err := generate("../..")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := filepath.Glob("../../schema/*.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range committed {
		names = append(names, filepath.Base(name))
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(fresh)), names); diff != "" {
		t.Errorf("files (-want +got), mend with go generate ./schema:\n%s", diff)
	}
	for name, want := range fresh {
		if !bytes.Equal(want, again[name]) {
			t.Errorf("%s: two runs differ", name)
		}
		got, err := os.ReadFile(filepath.Join("../../schema", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got), mend with go generate ./schema:\n%s", name, diff)
		}
	}
}

func TestRun(t *testing.T) {
	out := t.TempDir()
	var stderr bytes.Buffer
	if got := run([]string{"../..", out}, &stderr); got != 0 {
		t.Errorf("run: got exit status %d, want 0: %s", got, &stderr)
	}
	files, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(files), len(documents()); got != want {
		t.Errorf("got %d files, want %d", got, want)
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{nil, 2},
		{[]string{"../.."}, 2},
		{[]string{out, out}, 1}, // a directory without comments
		{[]string{"../..", filepath.Join(out, "absent")}, 1},
	} {
		if got := run(tt.args, &stderr); got != tt.want {
			t.Errorf("run %q: got exit status %d, want %d", tt.args, got, tt.want)
		}
	}
}
