package probe_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

func TestPodmanStates(t *testing.T) {
	for _, c := range []struct {
		name, script string
		storage      bool
		want         sandboxer.EngineState
		source       string
	}{
		{"never used", emptyPodman, false, sandboxer.EngineUnused, "absent"},
		{"answers", emptyPodman, true, sandboxer.EngineOK, "complete"},
		{"hangs", "sleep 20\n", true, sandboxer.EngineUnresponsive, "timeout"},
		{"fails", "echo broken >&2; exit 125\n", true, sandboxer.EngineDown, "down"},
		{"says nonsense", "echo hello\n", true, sandboxer.EngineUnknown, "parse_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.env = append(m.env, "XDG_DATA_HOME="+m.home+"/data", "XDG_RUNTIME_DIR="+m.home)
			m.link("sleep")
			m.script("podman", c.script)
			m.script("id", "echo 'uid=1000(ann) gid=1000(ann)'\n") // root's podman keeps its things elsewhere
			if c.storage {
				must(t, os.MkdirAll(m.home+"/data/containers/storage", 0o700))
			}
			obs := m.collect(sandboxer.CollectOptions{Timeout: time.Second})
			info, source := obs.Snapshot.Engine(sandboxer.EnginePodman), obs.Inventory.Source("podman")
			if info.Status != c.want || source.Status != c.source {
				t.Errorf("got %s, %s, want %s, %s; detail %q", info.Status, source.Status, c.want, c.source, deref(info.Detail))
			}
			unharmed(t, obs)
		})
	}
}

// Without a tool that the inventory needs, nothing is taken to be absent.
func TestToolsMissing(t *testing.T) {
	for _, tool := range []string{"tar", "find", "stat"} {
		t.Run(tool, func(t *testing.T) {
			m := newMachine(t)
			m.put(m.record("good-one"), "both")
			must(t, os.Remove(m.bin+"/"+tool))
			obs := m.collect(sandboxer.CollectOptions{})
			for _, name := range []string{"directories", "registry"} {
				if s := obs.Inventory.Source(name); s.Complete() || !strings.Contains(deref(s.Detail), tool) {
					t.Errorf("source %s: got %s %q, want it incomplete for want of %s", name, s.Status, deref(s.Detail), tool)
				}
			}
			if _, listed := obs.Snapshot.Objects[sandboxer.Directories]; listed {
				t.Error("got a set of directories, want none")
			}
		})
	}
	t.Run("gzip", func(t *testing.T) {
		m := newMachine(t)
		m.put(m.record("good-one"), "both")
		must(t, os.Remove(m.bin+"/gzip"))
		obs := m.collect(sandboxer.CollectOptions{})
		if s := find(t, obs, "good-one"); s.Metadata != sandboxer.RecordOK || !obs.Inventory.Complete {
			t.Errorf("got metadata %s, complete %t, want ok, true", s.Metadata, obs.Inventory.Complete)
		}
	})
}

// A file system that does not answer costs what it would say, and no more.
func TestFileSystemHangs(t *testing.T) {
	m := newMachine(t)
	m.put(m.record("good-one"), "both")
	m.link("sleep", "stat")
	must(t, os.Rename(m.bin+"/stat", m.bin+"/real-stat"))
	m.script("stat", "[ \"$1\" != -f ] || exec sleep 20\nexec real-stat \"$@\"\n")
	obs := m.collect(sandboxer.CollectOptions{Timeout: time.Second})
	if obs.Snapshot.DiskRootAvailBytes != nil || !obs.Snapshot.Collection.Partial || !obs.Inventory.Complete {
		t.Errorf("got disk %s, partial %t, complete %t, want null, true, true", show(obs.Snapshot.DiskRootAvailBytes),
			obs.Snapshot.Collection.Partial, obs.Inventory.Complete)
	}
	want := sandboxer.Missing{Field: "disk_root_avail_bytes", Reason: "timeout"}
	if !slices.Contains(obs.Snapshot.Collection.Missing, want) {
		t.Errorf("missing: got %v, want %v in it", obs.Snapshot.Collection.Missing, want)
	}
}

func TestStoredReport(t *testing.T) {
	m := newMachine(t)
	m.put(m.record("with-report"), "both")
	m.put(m.record("another-one"), "both")
	report := strings.Repeat(`{"kind":"SandboxStatus"} `, 4000)
	m.write(m.root+"/with-report/.sandboxer/report.json", report, 0o600)
	m.write(m.root+"/another-one/.sandboxer/report.json", "not asked for", 0o600)
	gone := m.record("gone-box")
	gone.State = sandboxer.StateDestroyed
	data, err := gone.Encode()
	must(t, err)
	m.write(m.home+"/.local/state/sandboxer/registry/destroyed/gone-box.json", string(data), 0o600)

	obs := m.collect(sandboxer.CollectOptions{Sandbox: "with-report"})
	if string(obs.Report) != report || obs.Destroyed != nil {
		t.Errorf("got a report of %d bytes, destroyed %v, want %d, none", len(obs.Report), obs.Destroyed, len(report))
	}
	obs = m.collect(sandboxer.CollectOptions{Sandbox: "gone-box"})
	if obs.Report != nil || obs.Destroyed == nil || obs.Destroyed.SandboxID != "gone-box" {
		t.Errorf("got report %q, destroyed %v, want none, gone-box", obs.Report, obs.Destroyed)
	}
	if obs.Inventory.Find("gone-box") != nil {
		t.Error("got the destroyed sandbox in the inventory, want it left out")
	}
	obs = m.collect(sandboxer.CollectOptions{})
	if obs.Report != nil || obs.Destroyed != nil {
		t.Error("got a report that nobody asked for")
	}
}

func TestRecordsThatDisagree(t *testing.T) {
	m := newMachine(t)
	rec := m.record("two-minds")
	m.put(rec, "directory")
	rec.Nonce = strings.Repeat("f", 32)
	m.put(rec, "registry")
	later := m.record("in-between") // between the two writes of one step
	m.put(later, "registry")
	later.State, later.UpdatedAt = sandboxer.StateDestroying, later.UpdatedAt.Add(time.Hour)
	m.put(later, "directory")
	obs := m.collect(sandboxer.CollectOptions{})
	if s := find(t, obs, "two-minds"); s.Metadata != sandboxer.RecordMismatch || s.Registry != sandboxer.RecordMismatch || s.Reason == nil {
		t.Errorf("got %s, %s, reason %q, want a mismatch", s.Metadata, s.Registry, deref(s.Reason))
	}
	if s := find(t, obs, "in-between"); s.Metadata != sandboxer.RecordOK || s.State != sandboxer.StateDestroying {
		t.Errorf("got %s, state %s, want ok, destroying", s.Metadata, s.State)
	}
}

// In a root that several users share, each sees only their own; what they
// cannot look into has no age.
func TestSharedRoot(t *testing.T) {
	lab.Require(t, "root")
	m := newMachine(t)
	must(t, os.Mkdir(m.root, 0o700))
	must(t, os.Chmod(m.root, os.ModeSticky|0o777))
	m.write(m.root+"/closed-one/.sandboxer/meta.json", "{}", 0o600)
	must(t, os.Mkdir(m.root+"/mine-99", 0o755))
	must(t, os.Chown(m.root+"/mine-99", 12345, 12345))
	m.write(m.root+"/open-one/.sandboxer/meta.json", "{}", 0o644)
	must(t, os.Chmod(m.root+"/open-one", 0o755))
	must(t, os.Chmod(m.root+"/open-one/.sandboxer", 0o755))
	m.as(12345)
	obs := m.collect(sandboxer.CollectOptions{})
	if obs.Inventory.RootState != sandboxer.RootOK || !obs.Inventory.Complete {
		t.Errorf("got root %s, %+v, want ok and complete", obs.Inventory.RootState, obs.Inventory.Sources)
	}
	if uid := obs.Snapshot.Identity.UID; uid == nil || *uid != 12345 {
		t.Errorf("uid: got %v, want 12345", uid)
	}
	got := map[string]string{}
	for _, d := range obs.Inventory.Directories {
		got[d.Name] = strconv.FormatBool(d.Own) + " " + strconv.FormatBool(d.LastChange != nil)
	}
	if got["closed-one"] != "false false" || got["mine-99"] != "true true" || len(got) != 2 {
		t.Errorf("directories (own, age known): got %v, want closed-one false false, mine-99 true true", got)
	}
	if s := find(t, obs, "open-one"); s.Metadata == sandboxer.RecordOK {
		t.Error("got another user's metadata taken for good")
	}
}

// as makes commands run as another user, who may enter the machine's
// directories.
func (m *machine) as(uid int) {
	m.t.Helper()
	m.link("setpriv")
	for dir := m.bin; dir != "/tmp" && dir != "/"; dir = dir[:strings.LastIndex(dir, "/")] {
		must(m.t, os.Chmod(dir, 0o755))
	}
	must(m.t, os.Chmod(m.home, 0o755))
	id := strconv.Itoa(uid)
	m.shell = []string{m.bin + "/setpriv", "--reuid", id, "--regid", id, "--clear-groups", m.bin + "/sh"}
}

func TestUnreadableRoot(t *testing.T) {
	lab.Require(t, "root")
	m := newMachine(t)
	m.put(m.record("good-one"), "directory")
	must(t, os.Chown(m.root, 12345, 12345))
	must(t, os.Chmod(m.root, 0))
	m.as(12345)
	obs := m.collect(sandboxer.CollectOptions{})
	if obs.Inventory.RootState != sandboxer.RootUnreadable || obs.Inventory.Source("directories").Complete() {
		t.Errorf("got %s, %+v, want unreadable, incomplete", obs.Inventory.RootState, obs.Inventory.Source("directories"))
	}
}

// A host that runs something else than the probe.
type strangeHost struct {
	out  string
	code int
}

func (strangeHost) Name() string { return "strange" }

func (h strangeHost) Run(_ context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	nonce := cmd.Args[4]
	_, err := cmd.Stdout.Write([]byte(strings.ReplaceAll(h.out, "NONCE", nonce)))
	return sandboxer.Result{ExitCode: h.code}, err
}

func TestStrangeHosts(t *testing.T) {
	for _, c := range []struct {
		name string
		host strangeHost
		fail bool
	}{
		{"silent", strangeHost{}, true},
		{"without sh", strangeHost{"", 127}, true},
		{"a forced command", strangeHost{"Welcome!\n", 0}, true},
		{"killed part-way", strangeHost{"\nNONCE begin clock\n1.5\n\nNONCE end clock 0\n\nNONCE begin self\nhome /", 137}, false},
	} {
		obs, err := probe.Collector{}.Collect(t.Context(), c.host, sandboxer.CollectOptions{})
		if (err != nil) != c.fail {
			t.Errorf("%s: got error %v, want one: %t", c.name, err, c.fail)
		}
		if !c.fail && (obs.Inventory.Complete || !obs.Snapshot.Collection.Partial || len(obs.Snapshot.Collection.Warnings) == 0) {
			t.Errorf("%s: got complete %t, warnings %q, want what is there, marked partial", c.name, obs.Inventory.Complete, obs.Snapshot.Collection.Warnings)
		}
	}
}

// The uncertainty is that of the way to the host, not of a slow engine on it.
func TestClock(t *testing.T) {
	m := newMachine(t)
	now := time.Now()
	m.script("date", "exec /bin/date -u -d '@1700000000.25' \"$@\"\n")
	obs := m.collect(sandboxer.CollectOptions{Now: func() time.Time { now = now.Add(100 * time.Millisecond); return now }})
	want := time.Unix(1700000000, 250_000_000).UTC()
	if got := obs.Snapshot.ObservedAt; got == nil || !got.Equal(want) {
		t.Errorf("observed at: got %v, want %v", got, want)
	}
	offset, uncertainty := obs.Snapshot.ClockOffsetMS, obs.Snapshot.ClockUncertaintyMS
	if offset == nil || *uncertainty != 50 {
		t.Fatalf("got offset %v, uncertainty %v, want some, 50", offset, uncertainty)
	}
	if expect := want.Sub(now).Milliseconds(); *offset < expect-1000 || *offset > expect+1000 {
		t.Errorf("offset: got %d, want about %d", *offset, expect)
	}
}
