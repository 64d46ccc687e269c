package sandboxer_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func rule(t *testing.T, text string) sandboxer.AlertRule {
	t.Helper()
	r, err := sandboxer.ParseAlertRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// disk is a look at a host with so much space; a negative one is unknown.
func disk(gb float64) sandboxer.Observation {
	at := time.Date(2026, time.March, 4, 9, 30, 0, 0, time.UTC)
	obs := sandboxer.Observation{Snapshot: sandboxer.HostSnapshot{ObservedAt: &at}}
	obs.Snapshot.Identity.MachineID = new("here")
	if gb >= 0 {
		obs.Snapshot.DiskRootAvailGB = &gb
	}
	return obs
}

// story is what an alert says to one value after the other: "." clear, "!"
// raised, "R" just raised, "C" just cleared.
func story(t *testing.T, policy sandboxer.AlertPolicy, values ...float64) string {
	t.Helper()
	var state sandboxer.AlertState
	var said strings.Builder
	for _, v := range values {
		data, err := json.Marshal(state) // as a caller keeps it
		if err != nil {
			t.Fatal(err)
		}
		var kept sandboxer.AlertState
		if err := json.Unmarshal(data, &kept); err != nil {
			t.Fatal(err)
		}
		var alerts []sandboxer.Alert
		alerts, state = policy.Evaluate(disk(v), kept)
		a := alerts[0]
		if (a.Since != nil) != (a.Status == sandboxer.AlertRaised) || a.Message == "" || (a.Observed == nil) != (v < 0) {
			t.Errorf("%v: got %+v", v, a)
		}
		said.WriteString(map[bool]string{true: map[bool]string{true: "R", false: "C"}[a.Since != nil], false: map[bool]string{true: "!", false: "."}[a.Since != nil]}[a.Changed])
	}
	return said.String()
}

func TestAlerts(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		values []float64
		want   string
	}{
		{"disk_root_avail_gb<10", []float64{20, 10, 9.9, 9, 20}, "..R!C"},
		{"disk_root_avail_gb<10", []float64{9, 10.5, 9.5, 10.9, 11}, "R!!!C"}, // it sways, and does not flap
		{"disk_root_avail_gb<10,clear=30", []float64{9, 20, 29, 30}, "R!!C"},
		{"disk_root_avail_gb<10", []float64{9, -1, -1, 20, -1}, "R!!C."}, // unknown says nothing
		{"disk_root_avail_gb<10", []float64{-1, -1}, ".."},
		{"disk_root_avail_gb<10,count=3", []float64{9, 9, 20, 9, 9, 9, 20}, ".....RC"},
		{"disk_root_avail_gb<10,count=2,of=4", []float64{9, 20, 20, 9, 20, 20, 20, 20}, "...RC..."},
		{"disk_root_avail_gb>10", []float64{10, 11, 9.5, 9}, ".R!C"},
		{"disk_root_avail_gb<0", []float64{0, 1}, ".."},
	} {
		if got := story(t, sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{rule(t, tt.rule)}}, tt.values...); got != tt.want {
			t.Errorf("%s of %v: got %s, want %s", tt.rule, tt.values, got, tt.want)
		}
	}
}

// What is remembered of another machine, or of a rule that was another one, is
// worth nothing; and nothing is changed that the caller still has.
func TestAlertsForgets(t *testing.T) {
	policy := sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{rule(t, "disk_root_avail_gb<10")}}
	_, raised := policy.Evaluate(disk(5), sandboxer.AlertState{})
	before, err := json.Marshal(raised)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := disk(10.5)
	elsewhere.Snapshot.Identity.MachineID = new("there")
	if alerts, _ := policy.Evaluate(elsewhere, raised); alerts[0].Status != sandboxer.AlertClear || alerts[0].Changed {
		t.Errorf("another machine: got %+v, want it clear", alerts[0])
	}
	other := sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{rule(t, "disk_root_avail_gb<10,clear=12")}}
	if alerts, _ := other.Evaluate(disk(10.5), raised); alerts[0].Status != sandboxer.AlertClear {
		t.Errorf("another rule: got %+v, want it clear", alerts[0])
	}
	if alerts, _ := policy.Evaluate(disk(10.5), raised); alerts[0].Status != sandboxer.AlertRaised {
		t.Errorf("the same: got %+v, want it raised still", alerts[0])
	}
	if after, _ := json.Marshal(raised); string(after) != string(before) {
		t.Errorf("got the state %s changed, want %s", after, before)
	}
}

// Every field reads something of a look that has everything, and nothing of
// one that has nothing.
func TestAlertFields(t *testing.T) {
	n, r := new(int64(40)), new(0.4)
	full := sandboxer.Observation{
		Canary: &sandboxer.CanaryResult{Status: sandboxer.Fail},
		Snapshot: sandboxer.HostSnapshot{
			DiskRootAvailGB: r, DiskRootAvailRatio: r, ClockOffsetMS: new(int64(-40)), Load: sandboxer.Load{Load1PerCPU: r},
			Filesystems: []sandboxer.Filesystem{{AvailRatio: new(0.9), InodesFreeRatio: new(0.9)}, {AvailRatio: r, InodesFreeRatio: r}},
			Memory:      sandboxer.Memory{AvailableBytes: n, TotalBytes: new(int64(100))},
			Limits:      sandboxer.Limits{PidsUsed: n, PidMax: new(int64(100)), ConntrackEntries: n, ConntrackMax: new(int64(100))},
			Pressure:    sandboxer.Pressures{CPU: &sandboxer.Pressure{SomeAvg60Ratio: r}, Memory: &sandboxer.Pressure{SomeAvg60Ratio: r}, IO: &sandboxer.Pressure{SomeAvg60Ratio: r}},
			Engines:     []sandboxer.EngineInfo{{ResponseMS: n}, {ResponseMS: new(int64(1)), Status: sandboxer.EngineDown}, {Status: sandboxer.EngineAbsent}},
		},
	}
	want := map[string]float64{"memory_available_bytes": 40, "engine_response_ms": 40, "clock_offset_ms": 40, "engines_silent": 1, "canary_failed": 1}
	for _, field := range sandboxer.AlertFields() {
		policy := sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{{Field: field, Below: new(math.MaxFloat64), Clear: new(math.MaxFloat64)}}}
		if alerts, _ := policy.Evaluate(sandboxer.Observation{}, sandboxer.AlertState{}); alerts[0].Observed != nil {
			t.Errorf("%s of nothing: got %v, want unknown", field, *alerts[0].Observed)
		}
		expected, ok := want[field]
		if !ok {
			expected = 0.4
		}
		if alerts, _ := policy.Evaluate(full, sandboxer.AlertState{}); alerts[0].Observed == nil || *alerts[0].Observed != expected {
			t.Errorf("%s: got %+v, want %v", field, alerts[0], expected)
		}
	}
	full.Canary.Status = sandboxer.Pass
	policy := sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{rule(t, "canary_failed>0")}}
	if alerts, _ := policy.Evaluate(full, sandboxer.AlertState{}); *alerts[0].Observed != 0 {
		t.Errorf("a canary that passed: got %+v, want 0", alerts[0])
	}
}

func TestAlertRulesThatMakeNoSense(t *testing.T) {
	for _, text := range []string{
		"", "disk_root_avail_gb", "disk_root_avail_gb<", "disk_root_avail_gb<x", "nothing<1", "disk_root_avail_gb<NaN", "disk_root_avail_gb<+Inf",
		"disk_root_avail_gb<10,clear=5", "disk_root_avail_gb>10,clear=11", "disk_root_avail_gb<10,count=-1", "disk_root_avail_gb<10,count=3,of=2",
		"disk_root_avail_gb<10,of=101", "disk_root_avail_gb<10,of=x", "disk_root_avail_gb<10,colour=red", "disk_root_avail_gb<10,clear=",
	} {
		if r, err := sandboxer.ParseAlertRule(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, r)
		}
	}
	r := rule(t, "disk_root_avail_gb<10")
	for name, policy := range map[string]sandboxer.AlertPolicy{
		"twice":      {Rules: []sandboxer.AlertRule{r, r}},
		"both sides": {Rules: []sandboxer.AlertRule{{Field: r.Field, Below: r.Below, Above: r.Below}}},
		"neither":    {Rules: []sandboxer.AlertRule{{Field: r.Field}}},
	} {
		if policy.Check() == nil {
			t.Errorf("%s: got no error, want one", name)
		}
	}
	named := r
	named.Name = "other"
	if err := (sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{r, named}}).Check(); err != nil {
		t.Errorf("two names: got %v, want it right", err)
	}
}

func FuzzParseAlertRule(f *testing.F) {
	f.Add("disk_root_avail_gb<10,clear=11,count=2,of=5,name=x")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := sandboxer.ParseAlertRule(text)
		if err != nil {
			return
		}
		policy := sandboxer.AlertPolicy{Rules: []sandboxer.AlertRule{r}}
		if err := policy.Check(); err != nil {
			t.Errorf("%q: got %v of a rule that was read, want it right", text, err)
		}
		alerts, state := policy.Evaluate(disk(3), sandboxer.AlertState{})
		again, _ := policy.Evaluate(disk(3), state)
		if len(alerts) != 1 || again[0].Status != alerts[0].Status && r.Count < 2 {
			t.Errorf("%q: got %+v, then %+v", text, alerts, again)
		}
	})
}
