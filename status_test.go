package sandboxer

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A still host is only a name: nothing is run on it in these tests.
var still = namedHost{name: "h"}

func TestNotOurs(t *testing.T) {
	inv := Inventory{
		Directories: []Directory{{Name: "fake99", Path: "/tmp/sandboxer/fake99"}},
		Leftovers: []Resource{
			{Engine: EngineDocker, Kind: KindNetwork, Ref: "n0", SandboxID: nil},
			{Engine: EngineDocker, Kind: KindVolume, Ref: "v1", Name: "v1", SandboxID: new(ID("canary-000000"))},
		},
	}
	for ref, want := range map[ID]string{"fake99": "unclaimed", "canary-000000": BlockNoRegistry} {
		err := notOurs(inv, still, ref)
		var refused *RefusedError
		if !errors.As(err, &refused) || !refused.Has(want) || refused.Hint == "" {
			t.Errorf("%s: got %v, want it refused with %s and a hint", ref, err, want)
		}
	}
	if err := notOurs(inv, still, "nobody"); !errors.Is(err, ErrNotFound) || !strings.HasPrefix(err.Error(), "nobody on h: ") {
		t.Errorf("got %v, want ErrNotFound for nobody on h", err)
	}
}

func TestRecordsComplete(t *testing.T) {
	both := func(d, r string) *Inventory {
		return &Inventory{Sources: []Source{{Name: "directories", Status: d}, {Name: "registry", Status: r}}}
	}
	if err := both(SourceComplete, SourceAbsent).recordsComplete(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	for _, inv := range []*Inventory{{}, both(SourceComplete, "truncated"), both("timeout", SourceComplete)} {
		if err := inv.recordsComplete(); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%+v: got %v, want ErrIncomplete", inv.Sources, err)
		}
	}
}

// A status shows what is published now, not what was recorded; of one that
// is destroyed, nothing is.
func TestStatusPorts(t *testing.T) {
	rec := &Record{SandboxID: "canary-000000", State: StateReady, Engine: EngineDocker, Ports: []Port{{HostPort: 1}}}
	s := &Sandbox{SandboxID: rec.SandboxID, State: rec.State, Ports: []Port{{HostPort: 2}}, Evidence: Evidence{Record: rec}}
	var b Sandboxer
	for name, tt := range map[string]struct {
		obs  Observation
		s    *Sandbox
		want []Port
	}{
		"live":          {Observation{}, s, []Port{{HostPort: 2}}},
		"destroyed":     {Observation{Destroyed: rec}, nil, []Port{}},
		"no record":     {Observation{}, &Sandbox{SandboxID: "canary-000000", State: StateUnknown}, []Port{}},
		"broken report": {Observation{Report: []byte("{")}, s, []Port{{HostPort: 2}}},
	} {
		got, err := b.statusOf(still, tt.obs, tt.s)
		if err != nil || got.SandboxID != "canary-000000" {
			t.Fatalf("%s: got %q, %v, want the status", name, got.SandboxID, err)
		}
		if diff := cmp.Diff(tt.want, got.Ports); diff != "" {
			t.Errorf("%s: ports, -want +got:\n%s", name, diff)
		}
	}
}

// What is missing is named before anything is run.
func TestRequiredFields(t *testing.T) {
	var b Sandboxer
	if _, err := b.Inspect(t.Context(), still); err == nil || !strings.Contains(err.Error(), "Collector") {
		t.Errorf("Inspect: got %v, want Collector named", err)
	}
	if _, err := b.Destroy(t.Context(), still, "canary-000000"); err == nil || !strings.Contains(err.Error(), "Provisioners") {
		t.Errorf("Destroy: got %v, want Provisioners named", err)
	}
}

// Documents of every kind begin with a complete header, even without a host.
func TestDocuments(t *testing.T) {
	b := &Sandboxer{Producer: Producer{Name: "p"}}
	docs := map[Kind]func() (Document, error){
		KindHostSnapshot:      func() (Document, error) { return b.NewSnapshotDocument(still, Observation{}) },
		KindInventory:         func() (Document, error) { return b.NewInventoryDocument(still, Observation{}) },
		KindStaleReport:       func() (Document, error) { return b.NewStaleDocument(still, Observation{}, StaleReport{}) },
		KindDoctorReport:      func() (Document, error) { return b.NewDoctorReport(still, Observation{}) },
		KindBaseline:          func() (Document, error) { return b.NewBaselineDocument(still, NoiseHistory{}, DefaultLag, 0) },
		KindReapPlan:          func() (Document, error) { return b.NewReapPlanDocument(still, Observation{}, ReapPlan{}) },
		KindAlert:             func() (Document, error) { return b.NewAlertDocument(still, Observation{}, Alert{}) },
		KindAuditLog:          func() (Document, error) { return b.NewAuditDocument(still, AuditLog{}) },
		KindReapResult:        func() (Document, error) { return b.NewReapResultDocument(still, Observation{}, ReapResult{}) },
		KindError:             func() (Document, error) { return b.NewErrorDocument("h", ErrorInfo{}) },
		KindSandboxStatusList: func() (Document, error) { return b.NewStatusList(still, nil, nil) },
		KindHostSnapshotList:  func() (Document, error) { return b.NewSnapshotList(nil, nil) },
		KindInventoryList:     func() (Document, error) { return b.NewInventoryList(nil, nil) },
		KindStaleReportList:   func() (Document, error) { return b.NewStaleList(nil, nil) },
	}
	severalHosts := []Kind{KindHostSnapshotList, KindInventoryList, KindStaleReportList}
	for kind, wrap := range docs {
		doc, err := wrap()
		if err != nil {
			t.Fatal(err)
		}
		host := "h"
		if slices.Contains(severalHosts, kind) {
			host = "local"
		}
		h := doc.DocumentHeader()
		if h.Kind != kind || h.Schema != SchemaBase+kind.SchemaFile() || kind.SchemaFile() == "" || h.Host.Name != host ||
			h.ReportID == "" || h.RunID == "" || h.GeneratedAt.IsZero() || h.Producer != b.Producer {
			t.Errorf("%s: got %+v, want every field set", kind, h)
		}
	}
	b.Random = strings.NewReader("")
	if _, err := b.NewStatusList(still, nil, nil); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: got %v, want its error", err)
	}
}

// The documents of a list are made by one operation, whose id they share; what
// they were made of stays as it was.
func TestListsShareTheirRun(t *testing.T) {
	b := &Sandboxer{}
	snapshots, inventories, stales := []SnapshotDocument{{Header: Header{RunID: "own"}}}, []InventoryDocument{{}, {}}, []StaleDocument{{}}
	errs := []ErrorInfo{{Code: "unreachable"}}
	snap, err1 := b.NewSnapshotList(snapshots, errs)
	inv, err2 := b.NewInventoryList(inventories, errs)
	stale, err3 := b.NewStaleList(stales, errs)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, got := range []struct {
		list  Header
		items []Header
		errs  []ErrorInfo
	}{
		{snap.Header, []Header{snap.Items[0].Header}, snap.Errors},
		{inv.Header, []Header{inv.Items[0].Header, inv.Items[1].Header}, inv.Errors},
		{stale.Header, []Header{stale.Items[0].Header}, stale.Errors},
	} {
		for _, item := range got.items {
			if item.RunID == "" || item.RunID != got.list.RunID {
				t.Errorf("%s: got run_id %q in an item, want %q of the list", got.list.Kind, item.RunID, got.list.RunID)
			}
		}
		if !cmp.Equal(got.errs, errs) {
			t.Errorf("%s: got errors %v, want %v", got.list.Kind, got.errs, errs)
		}
	}
	if snapshots[0].RunID != "own" {
		t.Errorf("got run_id %q in the argument, want it left alone", snapshots[0].RunID)
	}
}

// A sink is an exporter that ends as it is told to.
type sink struct{ err error }

func (s sink) Export(context.Context, Document) error { return s.err }
func (sink) Artifact(Document) string                 { return "/x.json" }
func (sink) Check() error                             { return nil }

func TestExport(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		err       error
		status    string
		artifacts []Artifact
	}{{nil, "done", []Artifact{{Path: "/x.json"}}}, {boom, "failed", []Artifact{}}} {
		b := &Sandboxer{Exporter: sink{tt.err}}
		got, err := b.export(t.Context(), still, SandboxStatus{})
		var failed *ExportError
		if errors.As(err, &failed) != (tt.err != nil) || !errors.Is(err, tt.err) {
			t.Errorf("got %v, want an ExportError of %v", err, tt.err)
		}
		if got.Export[0].Status != tt.status || !cmp.Equal(got.Artifacts, tt.artifacts) {
			t.Errorf("got %+v and %+v, want %s and %+v", got.Export, got.Artifacts, tt.status, tt.artifacts)
		}
	}
}
