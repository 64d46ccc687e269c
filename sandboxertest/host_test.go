package sandboxertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

// The fake keeps the promises that real hosts keep.
func TestFakeIsAHost(t *testing.T) {
	sandboxertest.TestHost(t, func(t *testing.T) sandboxer.Host {
		return sandboxertest.NewHost(t, sandboxertest.Scenario{Docker: sandboxer.EngineOK})
	})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// box is what an embedder has.
func box(h *sandboxertest.Host) *sandboxer.Sandboxer {
	return &sandboxer.Sandboxer{Provisioners: engine.All(), Collector: probe.Collector{}, Root: h.Root(), Now: h.Now}
}

func inspect(t *testing.T, h *sandboxertest.Host) sandboxer.Observation {
	t.Helper()
	obs, err := box(h).Inspect(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return obs
}

func TestScenario(t *testing.T) {
	h := sandboxertest.NewHost(t, sandboxertest.Scenario{
		Now: noon, FreeDiskBytes: 3 << 30, Docker: sandboxer.EngineOK,
		Sandboxes: []sandboxertest.Sandbox{
			{ID: "healthy-1"},
			{ID: "expired-1", Age: 3 * time.Hour, TTL: 2 * time.Hour},
			{ID: "aged-one", Age: 48 * time.Hour},
			{ID: "stopped-1", Age: 2 * time.Hour, Stopped: true},
			{ID: "empty-one", Age: 2 * time.Hour, NoResources: true},
			{ID: "no-directory", NoDirectory: true, Age: 2 * time.Hour},
			{ID: "corrupt-1", Corrupt: true, NoRegistry: true, NoResources: true},
			{ID: "half-good", Corrupt: true},
			{ID: "unregistered", NoRegistry: true},
			{ID: "interrupted", State: sandboxer.StateProvisioning, Age: 2 * time.Hour,
				Op: &sandboxer.Operation{OpID: "1", Kind: "create", Deadline: noon.Add(-time.Hour)}},
		},
		Unclaimed: []sandboxertest.Directory{{Name: "fake99", Age: 90 * time.Minute}, {Name: "My Dir"}},
	})
	obs := inspect(t, h)
	if !obs.Inventory.Complete || obs.Snapshot.Collection.Partial {
		t.Fatalf("got an incomplete answer: %+v, missing %+v", obs.Inventory.Sources, obs.Snapshot.Collection.Missing)
	}
	if got := *obs.Snapshot.DiskRootAvailBytes; got != 3<<30 {
		t.Errorf("free disk: got %d, want %d", got, 3<<30)
	}
	if got := *obs.Snapshot.ObservedAt; !got.Equal(noon) {
		t.Errorf("clock: got %v, want %v", got, noon)
	}
	if got := *obs.Snapshot.ContainersRunning(); got != 7 {
		t.Errorf("containers running: got %d, want 7", got)
	}
	got := map[string]string{}
	for _, s := range sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates {
		got[s.Ref] = fmt.Sprintf("%s %v", s.Class, s.BlockedBy)
	}
	want := map[string]string{
		"expired-1":    "expired []",
		"aged-one":     "aged []",
		"empty-one":    "orphan_dir []",
		"no-directory": "orphan_project []",
		"corrupt-1":    "corrupt [report_only]",
		"half-good":    "corrupt [report_only]",
		"interrupted":  "interrupted []",
		"fake99":       "unclaimed [include_unclaimed]",
		"My Dir":       "unclaimed [include_unclaimed invalid_id age_unknown]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDockerStates(t *testing.T) {
	for _, want := range []sandboxer.EngineState{
		sandboxer.EngineAbsent, sandboxer.EngineDown, sandboxer.EngineOK, sandboxer.EngineUnresponsive,
	} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			h := sandboxertest.NewHost(t, sandboxertest.Scenario{Docker: want})
			obs, err := probe.Collector{}.Collect(t.Context(), h, sandboxer.CollectOptions{Root: h.Root(), Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if got := obs.Snapshot.Engine(sandboxer.EngineDocker).Status; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if _, err := sandboxertest.Open(sandboxertest.Scenario{Docker: "on fire"}); err == nil {
		t.Error("got no error, want one")
	}
}

// What happens on the host is seen at the next look.
func TestChanges(t *testing.T) {
	h := sandboxertest.NewHost(t, sandboxertest.Scenario{Now: noon, Docker: sandboxer.EngineOK})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(h.AddSandbox(sandboxertest.Sandbox{ID: "one-more"}))
	before := inspect(t, h)
	if before.Inventory.Find("one-more") == nil {
		t.Error("got no sandbox, want the one that was added")
	}
	must(h.Remove("one-more"))
	must(h.SetNow(noon.Add(time.Hour)))
	must(h.SetFreeDisk(1 << 20))
	after := inspect(t, h)
	if s := after.Inventory.Find("one-more"); s != nil {
		t.Errorf("got %+v, want it removed", s)
	}
	delta := sandboxer.Diff(before.Snapshot, after.Snapshot)
	if delta.ElapsedMS == nil || *delta.ElapsedMS != time.Hour.Milliseconds() {
		t.Errorf("elapsed: got %v, want an hour", delta.ElapsedMS)
	}
	want := sandboxer.ObjectDelta{Added: []string{}, Removed: []string{"docker:one-more_data"}}
	if diff := cmp.Diff(want, delta.Objects[sandboxer.Volumes]); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
}

// A destroy is carried out by the scripts that real hosts run.
func TestDestroy(t *testing.T) {
	h := sandboxertest.NewHost(t, sandboxertest.Scenario{
		Docker: sandboxer.EngineOK, Sandboxes: []sandboxertest.Sandbox{{ID: "victim-1"}, {ID: "bystander"}},
	})
	status, err := box(h).Destroy(t.Context(), h, "victim-1")
	if err != nil {
		t.Fatalf("got %v, want it destroyed", err)
	}
	if status.State != sandboxer.StateDestroyed {
		t.Errorf("got state %q, want destroyed", status.State)
	}
	obs := inspect(t, h)
	if obs.Inventory.Find("victim-1") != nil || len(obs.Inventory.Leftovers) > 0 {
		t.Errorf("got %+v left, want nothing of it", obs.Inventory.Leftovers)
	}
	if s := obs.Inventory.Find("bystander"); s == nil || len(s.Resources) != 4 {
		t.Errorf("bystander: got %+v, want it whole", s)
	}
}

// What the fake does not know fails, and is named.
func TestStrict(t *testing.T) {
	h := sandboxertest.NewHost(t, sandboxertest.Scenario{Docker: sandboxer.EngineOK})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"docker", "swarm", "init"}, `"swarm init"`},
		{[]string{"docker", "ps", "--last", "3"}, `"--last"`},
		{[]string{"docker", "ps", "--filter", "health=x"}, `"health=x"`},
		{[]string{"docker", "ps", "-a", "--format", "{{.Mounts}}"}, "Mounts"},
		{[]string{"systemctl", "start", "docker"}, "systemctl"},
		{[]string{"sh", "-c", "ansible --version"}, "ansible"},
	} {
		if err := h.AddSandbox(sandboxertest.Sandbox{ID: "some-box"}); err != nil {
			t.Fatal(err)
		}
		res, err := h.Run(context.Background(), sandboxer.Cmd{Args: c.args})
		if err != nil {
			t.Fatal(err)
		}
		if res.ExitCode == 0 || !strings.Contains(string(res.Stderr), c.want) {
			t.Errorf("%q: got exit %d, stderr %q, want a failure that names %s", c.args, res.ExitCode, res.Stderr, c.want)
		}
	}
}
