package jsonfile_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/schema/validate"
)

const id sandboxer.ID = "canary-4k9x0q2m7t3b"

func header(kind sandboxer.Kind) sandboxer.Header {
	return sandboxer.Header{
		Schema: sandboxer.SchemaBase + kind.SchemaFile(), SchemaVersion: sandboxer.SchemaVersion, Kind: kind,
		ReportID: "5f1c2a", RunID: "77aa01", GeneratedAt: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	}
}

func status(state sandboxer.State) sandboxer.SandboxStatus {
	return sandboxer.SandboxStatus{
		Header: header(sandboxer.KindSandboxStatus), SandboxID: id, State: state,
		Profile: "profile.sandbox-canary", Export: []sandboxer.ExportOutcome{{Sink: "a-sink", Status: "done"}},
	}
}

// entries lists what is in dir.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestFileNames(t *testing.T) {
	ready := status(sandboxer.StateReady)
	nameless := status(sandboxer.StateFailed)
	nameless.SandboxID = ""
	list := sandboxer.SandboxStatusList{Header: header(sandboxer.KindSandboxStatusList), Items: []sandboxer.SandboxStatus{ready}}
	for _, tt := range []struct {
		what string
		doc  sandboxer.Document
		want string
	}{
		{"status", ready, "canary-4k9x0q2m7t3b.json"},
		{"pointer to a status", &ready, "canary-4k9x0q2m7t3b.json"},
		{"status without an id", nameless, "SandboxStatus-5f1c2a.json"},
		{"list", list, "SandboxStatusList-5f1c2a.json"},
		{"pointer to a list", &list, "SandboxStatusList-5f1c2a.json"},
		{"other kind", sandboxer.DoctorReport{Header: header(sandboxer.KindDoctorReport)}, "DoctorReport-5f1c2a.json"},
	} {
		dir := filepath.Join(t.TempDir(), "data", "telemetry")
		e := jsonfile.Exporter{Dir: dir}
		if got, want := e.Artifact(tt.doc), filepath.Join(dir, tt.want); got != want {
			t.Errorf("%s: Artifact: got %q, want %q", tt.what, got, want)
		}
		if err := e.Export(t.Context(), tt.doc); err != nil {
			t.Errorf("%s: %v", tt.what, err)
			continue
		}
		if diff := cmp.Diff([]string{tt.want}, entries(t, dir)); diff != "" {
			t.Errorf("%s: files (-want +got):\n%s", tt.what, diff)
		}
		data, err := os.ReadFile(filepath.Join(dir, tt.want))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := validate.Document(data); err != nil {
			t.Errorf("%s: the file is no valid document: %v", tt.what, err)
		}
		if strings.Contains(string(data), "a-sink") {
			t.Errorf("%s: got an outcome in the file, want none:\n%s", tt.what, data)
		}
		for path, want := range map[string]fs.FileMode{dir: fs.ModeDir | 0o700, filepath.Join(dir, tt.want): 0o600} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != want {
				t.Errorf("%s: mode of %s: got %v, want %v", tt.what, path, info.Mode(), want)
			}
		}
	}
	if ready.Export == nil || list.Items[0].Export == nil {
		t.Error("Export has changed the document it was given")
	}
}

// TestReplace checks that the report of a destroy takes the place of that of
// the create.
func TestReplace(t *testing.T) {
	e := jsonfile.Exporter{Dir: t.TempDir()}
	for _, state := range []sandboxer.State{sandboxer.StateReady, sandboxer.StateDestroyed} {
		doc := status(state)
		if err := e.Export(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(e.Artifact(doc))
		if err != nil {
			t.Fatal(err)
		}
		var got sandboxer.SandboxStatus
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		doc.Export = nil
		if diff := cmp.Diff(doc, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
	}
	if got := entries(t, e.Dir); len(got) != 1 {
		t.Errorf("got files %q, want one", got)
	}
}

func TestNoEscape(t *testing.T) {
	var docs []sandboxer.Document
	for _, bad := range []string{"../../etc/passwd", "/etc/passwd", "..", ".", "-rf", "a/b", "UPPER-case", "x\x00y", "short", strings.Repeat("a", 300)} {
		s := status(sandboxer.StateReady)
		s.SandboxID = sandboxer.ID(bad)
		docs = append(docs, s, &s)
	}
	for _, bad := range []string{"", "..", "../x", "a/b", ".hidden", strings.Repeat("a", 65)} {
		kind := sandboxer.DoctorReport{Header: header(sandboxer.Kind(bad))}
		report := sandboxer.DoctorReport{Header: header(sandboxer.KindDoctorReport)}
		report.ReportID = bad
		docs = append(docs, kind, report)
	}
	outer := t.TempDir()
	e := jsonfile.Exporter{Dir: filepath.Join(outer, "telemetry")}
	for _, doc := range docs {
		if got := e.Artifact(doc); got != "" {
			t.Errorf("Artifact of %+v: got %q, want none", doc.DocumentHeader(), got)
		}
		if err := e.Export(t.Context(), doc); err == nil {
			t.Errorf("Export of %+v: got no error", doc.DocumentHeader())
		}
	}
	if got := entries(t, outer); len(got) != 0 {
		t.Errorf("got %q written, want nothing", got)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := jsonfile.Exporter{Dir: filepath.Join(t.TempDir(), "telemetry")}
	if err := e.Export(ctx, status(sandboxer.StateReady)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := os.Lstat(e.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: got %v, want it absent", err)
	}
}

func TestDefaultDir(t *testing.T) {
	for _, tt := range []struct{ data, home, want string }{
		{"/data", "/home/u", "/data/sandboxer/telemetry"},
		{"", "/home/u", "/home/u/.local/share/sandboxer/telemetry"},
		{"relative", "/home/u", "/home/u/.local/share/sandboxer/telemetry"},
		{"/data", "", "/data/sandboxer/telemetry"},
		{"", "", ""},
	} {
		t.Setenv("XDG_DATA_HOME", tt.data)
		t.Setenv("HOME", tt.home)
		if got := jsonfile.DefaultDir(); got != tt.want {
			t.Errorf("XDG_DATA_HOME=%q HOME=%q: got %q, want %q", tt.data, tt.home, got, tt.want)
		}
		doc := status(sandboxer.StateReady)
		want := ""
		if tt.want != "" {
			want = tt.want + "/" + string(id) + ".json"
		}
		if got := (jsonfile.Exporter{}).Artifact(doc); got != want {
			t.Errorf("XDG_DATA_HOME=%q HOME=%q: Artifact: got %q, want %q", tt.data, tt.home, got, want)
		}
	}
}

func TestNowhere(t *testing.T) {
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "")
	err := jsonfile.Exporter{}.Check()
	if err == nil || !strings.Contains(err.Error(), "neither XDG_DATA_HOME nor HOME is set") {
		t.Errorf("Check: got %v, want it to name the variables", err)
	}
	if got := sandboxer.Hint(err); !strings.Contains(got, "XDG_DATA_HOME") {
		t.Errorf("hint: got %q, want XDG_DATA_HOME in it", got)
	}
	if err := (jsonfile.Exporter{}).Export(t.Context(), status(sandboxer.StateReady)); err == nil {
		t.Error("Export: got no error")
	}
}
