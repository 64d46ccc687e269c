package sandboxer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// live returns an observation, at noon, of one healthy sandbox of that age.
func live(age time.Duration) sandboxer.Observation {
	born := noon.Add(-age)
	rec := &sandboxer.Record{
		Schema: sandboxer.RecordSchema, SandboxID: "canary-000000", State: sandboxer.StateReady,
		Engine: sandboxer.EngineDocker, CreatedAt: born, UpdatedAt: born,
	}
	yes, no := true, false
	var offset int64
	return sandboxer.Observation{
		Snapshot: sandboxer.HostSnapshot{ObservedAt: &noon, ClockOffsetMS: &offset},
		Inventory: sandboxer.Inventory{
			RootState: sandboxer.RootOK, Complete: true,
			Sources: []sandboxer.Source{
				{Name: "docker", Status: sandboxer.SourceComplete},
				{Name: "directories", Status: sandboxer.SourceComplete},
				{Name: "registry", Status: sandboxer.SourceAbsent},
			},
			Sandboxes: []sandboxer.Sandbox{{
				SandboxID: "canary-000000", State: sandboxer.StateReady, CreatedAt: &born, LastActiveAt: &born,
				Locked: &no, DirPresent: &yes, Metadata: sandboxer.RecordOK, Registry: sandboxer.RecordOK,
				Resources: []sandboxer.Resource{{Engine: sandboxer.EngineDocker, Kind: sandboxer.KindContainer, Ref: "abc"}},
				Evidence:  sandboxer.Evidence{Record: rec},
			}},
		},
	}
}

func TestFindStale(t *testing.T) {
	type box = sandboxer.Sandbox
	ago := func(d time.Duration) *time.Time { at := noon.Add(-d); return &at }
	yes, no := true, false
	tests := []struct {
		name    string
		age     time.Duration
		change  func(*sandboxer.Observation, *box)
		policy  sandboxer.StalePolicy
		class   sandboxer.StaleClass // empty: live, no row
		blocked []string
	}{
		{"live", time.Hour, nil, sandboxer.StalePolicy{}, "", nil},
		{"aged", 25 * time.Hour, nil, sandboxer.StalePolicy{}, sandboxer.Aged, []string{}},
		{"aged by a longer policy", 25 * time.Hour, nil, sandboxer.StalePolicy{OlderThan: 48 * time.Hour}, "", nil},
		{"expired", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.ExpiresAt = ago(time.Hour) }, sandboxer.StalePolicy{}, sandboxer.Expired, []string{}},
		{"expired, with a floor", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.ExpiresAt = ago(time.Hour) }, sandboxer.StalePolicy{OlderThan: 24 * time.Hour}, sandboxer.Expired, []string{sandboxer.BlockTooYoung}},
		{"expired and young", 10 * time.Minute, func(_ *sandboxer.Observation, s *box) { s.ExpiresAt = ago(time.Minute) }, sandboxer.StalePolicy{}, sandboxer.Expired, []string{sandboxer.BlockTooYoung}},
		{"expired and young, allowed", 10 * time.Minute, func(_ *sandboxer.Observation, s *box) { s.ExpiresAt = ago(time.Minute) }, sandboxer.StalePolicy{AllowYoung: true}, sandboxer.Expired, []string{}},
		{"TTL not passed, old", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.ExpiresAt = ago(-time.Hour) }, sandboxer.StalePolicy{}, "", nil},
		{"orphan directory", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.Resources = nil }, sandboxer.StalePolicy{}, sandboxer.OrphanDir, []string{}},
		{"another engine of that name", 99 * time.Hour, func(o *sandboxer.Observation, s *box) {
			s.Resources, s.Evidence.Record.EngineRoot = nil, "/var/lib/docker"
			o.Snapshot.Engines = []sandboxer.EngineInfo{{Name: sandboxer.EngineDocker, RootDir: new("/srv/docker")}}
		}, sandboxer.StalePolicy{}, sandboxer.Undecided, []string{sandboxer.BlockReportOnly}},
		{"orphan directory, an image left", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.Resources[0].Kind = sandboxer.KindImage }, sandboxer.StalePolicy{}, sandboxer.OrphanDir, []string{}},
		{"orphan directory, young", 30 * time.Minute, func(_ *sandboxer.Observation, s *box) { s.Resources = nil }, sandboxer.StalePolicy{}, sandboxer.OrphanDir, []string{sandboxer.BlockTooYoung}},
		{"orphan project", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.DirPresent, s.Metadata = &no, sandboxer.RecordMissing }, sandboxer.StalePolicy{}, sandboxer.OrphanProject, []string{}},
		{"interrupted create", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Evidence.Record.State, s.Evidence.Record.Op = sandboxer.StateProvisioning, &sandboxer.Operation{Kind: "create", Deadline: *ago(time.Hour)}
		}, sandboxer.StalePolicy{}, sandboxer.Interrupted, []string{}},
		{"interrupted, nobody knows of the lock", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Locked, s.Evidence.Record.Op = nil, &sandboxer.Operation{Kind: "create", Deadline: *ago(time.Hour)}
		}, sandboxer.StalePolicy{}, sandboxer.Interrupted, []string{sandboxer.BlockLockUnknown}},
		{"being created", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Resources, s.Evidence.Record.Op = nil, &sandboxer.Operation{Kind: "create", Deadline: *ago(-time.Minute)}
		}, sandboxer.StalePolicy{}, "", nil},
		{"locked past its deadline", 2 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Locked, s.Evidence.Record.Op = &yes, &sandboxer.Operation{Kind: "create", Deadline: *ago(time.Hour)}
		}, sandboxer.StalePolicy{}, "", nil},
		{"engine silent", 99 * time.Hour, func(o *sandboxer.Observation, s *box) { s.Resources, o.Inventory.Sources[0].Status = nil, "timeout" }, sandboxer.StalePolicy{}, sandboxer.Undecided, []string{sandboxer.BlockReportOnly}},
		{"corrupt", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Metadata, s.Registry = sandboxer.RecordCorrupt, sandboxer.RecordMissing
		}, sandboxer.StalePolicy{}, sandboxer.Corrupt, []string{sandboxer.BlockReportOnly}},
		{"records disagree", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.Metadata = sandboxer.RecordMismatch }, sandboxer.StalePolicy{}, sandboxer.Corrupt, []string{sandboxer.BlockReportOnly}},
		{"another machine's", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.Metadata = sandboxer.RecordForeign }, sandboxer.StalePolicy{}, sandboxer.Foreign, []string{sandboxer.BlockReportOnly}},
		{"of another root", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) {
			s.Metadata, s.Registry, s.DirPresent, s.Evidence.Record.Root = sandboxer.RecordMissing, sandboxer.RecordForeign, &no, "/elsewhere/x"
		}, sandboxer.StalePolicy{}, "", nil},
		{"registry cut off", 99 * time.Hour, func(_ *sandboxer.Observation, s *box) { s.Registry = sandboxer.RecordUnknown }, sandboxer.StalePolicy{}, sandboxer.Undecided, []string{sandboxer.BlockReportOnly}},
		{"metadata lost, registry whole", time.Hour, func(_ *sandboxer.Observation, s *box) { s.Metadata = sandboxer.RecordMissing }, sandboxer.StalePolicy{}, "", nil},
		{"from the future", 0, func(_ *sandboxer.Observation, s *box) { s.Resources, s.LastActiveAt = nil, ago(-time.Hour) }, sandboxer.StalePolicy{AllowYoung: true}, sandboxer.OrphanDir, []string{sandboxer.BlockTooYoung, sandboxer.BlockClock}},
		{"clock off", 99 * time.Hour, func(o *sandboxer.Observation, _ *box) { *o.Snapshot.ClockOffsetMS = -400_000 }, sandboxer.StalePolicy{}, sandboxer.Aged, []string{sandboxer.BlockClock}},
		{"no clock", 99 * time.Hour, func(o *sandboxer.Observation, s *box) { s.Resources, o.Snapshot.ObservedAt = nil, nil }, sandboxer.StalePolicy{}, sandboxer.OrphanDir, []string{sandboxer.BlockAgeUnknown}},
		{"root not to be trusted", 99 * time.Hour, func(o *sandboxer.Observation, _ *box) { o.Inventory.RootState = sandboxer.RootSymlink }, sandboxer.StalePolicy{}, sandboxer.Aged, []string{sandboxer.BlockRootUntrusted}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			obs := live(tt.age)
			if tt.change != nil {
				tt.change(&obs, &obs.Inventory.Sandboxes[0])
			}
			got := sandboxer.FindStale(obs, tt.policy).StaleCandidates
			if tt.class == "" {
				if len(got) != 0 {
					t.Fatalf("got %+v, want no row", got)
				}
				return
			}
			if len(got) != 1 || got[0].Class != tt.class {
				t.Fatalf("got %+v, want one row of class %s", got, tt.class)
			}
			if diff := cmp.Diff(tt.blocked, got[0].BlockedBy); diff != "" {
				t.Errorf("blocked_by, -want +got:\n%s", diff)
			}
		})
	}
}

// A directory may have a record that could not be read.
func TestFindStaleKeepsDirectoriesWithoutRecords(t *testing.T) {
	day := noon.Add(-24 * time.Hour)
	obs := live(time.Hour)
	obs.Inventory.Directories = []sandboxer.Directory{{Name: "old000", Kind: "directory", Own: true, ValidID: true, LastChange: &day}}
	obs.Inventory.Sources[2].Status = "truncated"
	got := sandboxer.FindStale(obs, sandboxer.StalePolicy{IncludeUnclaimed: true}).StaleCandidates
	if len(got) != 1 || !slices.Equal(got[0].BlockedBy, []string{sandboxer.BlockIncomplete}) {
		t.Errorf("got %+v, want it blocked by %s", got, sandboxer.BlockIncomplete)
	}
}

// The owner's fake directory is listed at once, whatever its age; what may go
// is another question.
func TestFindStaleListsDirectories(t *testing.T) {
	minute, day := noon.Add(-time.Minute), noon.Add(-24*time.Hour)
	obs := live(time.Hour)
	obs.Inventory.Directories = []sandboxer.Directory{
		{Name: "fake99", Kind: "directory", Own: true, ValidID: true, LastChange: &minute},
		{Name: "old000", Kind: "directory", Own: true, ValidID: true, LastChange: &day},
		{Name: "Bad Name", Kind: "directory", Own: true, LastChange: &day},
		{Name: "theirs", Kind: "directory", ValidID: true, LastChange: &day},
		{Name: "linked", Kind: "symlink", Own: true, ValidID: true, LastChange: &day},
	}
	want := map[string][]string{
		"fake99":   {sandboxer.BlockTooYoung},
		"old000":   {},
		"Bad Name": {sandboxer.BlockInvalidID},
		"theirs":   {sandboxer.BlockNotOwn},
		"linked":   {sandboxer.BlockNotDir},
	}
	got := sandboxer.FindStale(obs, sandboxer.StalePolicy{IncludeUnclaimed: true}).StaleCandidates
	if len(got) != len(want) {
		t.Fatalf("got %d rows, want %d: %+v", len(got), len(want), got)
	}
	for _, row := range got {
		if diff := cmp.Diff(want[row.Ref], row.BlockedBy); diff != "" || row.Class != sandboxer.Unclaimed {
			t.Errorf("%s is %s; blocked_by, -want +got:\n%s", row.Ref, row.Class, diff)
		}
	}
	for _, row := range sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates {
		if !slices.Contains(row.BlockedBy, sandboxer.BlockUnclaimed) {
			t.Errorf("%s: got blocked_by %v, want it to hold %s", row.Ref, row.BlockedBy, sandboxer.BlockUnclaimed)
		}
	}
}

// An engine that is not on the host any more tells nothing of what it held.
func TestFindStaleWithoutTheEngine(t *testing.T) {
	for status, want := range map[sandboxer.EngineState]sandboxer.StaleClass{
		sandboxer.EngineAbsent: sandboxer.Undecided, sandboxer.EngineUnused: sandboxer.OrphanDir,
	} {
		obs := live(2 * time.Hour)
		obs.Inventory.Sources[0].Status = sandboxer.SourceAbsent
		obs.Inventory.Sandboxes[0].Resources = nil
		obs.Snapshot.Engines = []sandboxer.EngineInfo{{Name: "docker", Status: status}}
		if got := sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates; len(got) != 1 || got[0].Class != want {
			t.Errorf("docker %s: got %+v, want %s", status, got, want)
		}
	}
}

// A list says of nothing that it would go which a look has shown will not.
func TestFindStaleBlocks(t *testing.T) {
	expired := noon.Add(-time.Hour)
	for dir, block := range map[sandboxer.DirFacts]string{
		{Present: true, Inode: 7}:                        sandboxer.BlockNotDir,
		{Present: true, IsDir: true, Inode: 8}:           sandboxer.BlockDirChanged,
		{Present: true, IsDir: true, Inode: 7, UID: 1}:   sandboxer.BlockDirChanged,
		{Present: true, IsDir: true, Inode: 7, Birth: 6}: sandboxer.BlockDirChanged,
		{Present: true, IsDir: true, Inode: 7, Birth: 5}: "",
		{Present: true, IsDir: true, Inode: 7}:           "",
	} {
		obs := live(2 * time.Hour)
		s := &obs.Inventory.Sandboxes[0]
		s.ExpiresAt, s.Evidence.Dir, s.Evidence.Record.Inode, s.Evidence.Record.Birth = &expired, dir, 7, 5
		got := sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates
		if len(got) != 1 || strings.Join(got[0].BlockedBy, ",") != block {
			t.Errorf("%+v: got %+v, want it blocked by %q", dir, got, block)
		}
	}
	obs := live(time.Hour)
	below := "/root/fake99/web"
	obs.Inventory.ComposeProjects = []sandboxer.ComposeProject{{Name: "web", WorkingDir: &below}}
	obs.Inventory.Directories = []sandboxer.Directory{
		{Name: "fake99", Path: "/root/fake99", Kind: "directory", Own: true, ValidID: true, LastChange: &expired},
		{Name: "fake9", Path: "/root/fake9", Kind: "directory", Own: true, ValidID: true, LastChange: &expired},
	}
	for _, row := range sandboxer.FindStale(obs, young).StaleCandidates {
		if got := slices.Contains(row.BlockedBy, sandboxer.BlockInUse); got != (row.Ref == "fake99") {
			t.Errorf("%s: got blocked by %q", row.Ref, row.BlockedBy)
		}
	}
}

func TestFindStaleLeftovers(t *testing.T) {
	id := sandboxer.ID("canary-gone00")
	obs := live(time.Hour)
	obs.Inventory.Leftovers = []sandboxer.Resource{
		{Engine: "docker", Kind: sandboxer.KindContainer, Ref: "c", SandboxID: &id},
		{Engine: "docker", Kind: sandboxer.KindVolume, Ref: "v", SandboxID: &id},
	}
	got := sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates
	if len(got) != 1 || got[0].Class != sandboxer.OrphanProject || got[0].Resources != 2 ||
		!slices.Contains(got[0].BlockedBy, sandboxer.BlockNoRegistry) {
		t.Errorf("got %+v, want one orphan_project of 2 resources that no registry record proves", got)
	}
	obs.Inventory.Sandboxes = append(obs.Inventory.Sandboxes, sandboxer.Sandbox{
		SandboxID: id, Metadata: sandboxer.RecordMissing, Registry: sandboxer.RecordForeign,
		Evidence: sandboxer.Evidence{Record: &sandboxer.Record{Root: "/elsewhere"}},
	})
	if got := sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates; len(got) != 0 {
		t.Errorf("got %+v, want nothing: it lives in another root", got)
	}
}
