package sandboxer

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// verdicts returns the status of each check, by name.
func verdicts(r *CanaryResult) map[string]Verdict {
	out := map[string]Verdict{}
	for _, c := range r.Checks {
		out[c.Name] = c.Status
	}
	return out
}

func TestJudge(t *testing.T) {
	const inside = `{"status":"pass","checks":[{"name":"write_fsync","status":"pass"}]}`
	good := func() (Started, HostSnapshot) {
		return Started{
				StartMS: new(int64(900)), Isolation: "container", Result: []byte(inside), HostStatus: new(0),
				HostCheck: []byte(`{"name":"published_port","status":"pass"}`),
			}, HostSnapshot{
				ClockOffsetMS: new(int64(-20)), ClockUncertaintyMS: new(int64(30)),
			}
	}
	tests := []struct {
		name   string
		change func(*Started, *HostSnapshot)
		status Verdict
		check  string
		want   Verdict
	}{
		{"all is well", func(*Started, *HostSnapshot) {}, Pass, "write_fsync", Pass},
		{"no result", func(s *Started, _ *HostSnapshot) { s.Result = nil }, Errored, "result", Errored},
		{"a garbled result", func(s *Started, _ *HostSnapshot) { s.Result = []byte("{") }, Errored, "result", Errored},
		{"a result that claims too much", func(s *Started, _ *HostSnapshot) {
			s.Result = []byte(`{"status":"pass","checks":[{"name":"isolation","status":"fail"}]}`)
		}, Fail, "isolation", Fail},
		{"slow start", func(s *Started, _ *HostSnapshot) { s.StartMS = new(int64(10_001)) }, Warn, CheckStartLatency, Warn},
		{"start not timed", func(s *Started, _ *HostSnapshot) { s.StartMS = nil }, Unknown, CheckStartLatency, Unknown},
		{"clock within its uncertainty", func(_ *Started, h *HostSnapshot) {
			h.ClockOffsetMS, h.ClockUncertaintyMS = new(int64(4000)), new(int64(2000))
		}, Pass, CheckClockSkew, Pass},
		{"clock off", func(_ *Started, h *HostSnapshot) { h.ClockOffsetMS = new(int64(-2031)) }, Warn, CheckClockSkew, Warn},
		{"clock far off", func(_ *Started, h *HostSnapshot) { h.ClockOffsetMS = new(int64(300_031)) }, Fail, CheckClockSkew, Fail},
		{"clock unread", func(_ *Started, h *HostSnapshot) { h.ClockUncertaintyMS = nil }, Unknown, CheckClockSkew, Unknown},
		{"no port", func(s *Started, _ *HostSnapshot) { s.HostStatus = nil }, Pass, CheckPublishedPort, Skip},
		{"noexec", func(s *Started, _ *HostSnapshot) { s.HostStatus = new(126) }, Pass, CheckPublishedPort, Skip},
		{"port check broke", func(s *Started, _ *HostSnapshot) { s.HostStatus, s.HostCheck = new(2), []byte("panic") }, Errored, CheckPublishedPort, Errored},
		{"port check said nothing", func(s *Started, _ *HostSnapshot) { s.HostCheck = []byte("{}") }, Errored, CheckPublishedPort, Errored},
		{"port check is another", func(s *Started, _ *HostSnapshot) { s.HostCheck = []byte(`{"name":"x","status":"pass"}`) }, Errored, CheckPublishedPort, Errored},
		{"port closed", func(s *Started, _ *HostSnapshot) {
			s.HostCheck = []byte(`{"name":"published_port","status":"fail"}`)
		}, Fail, CheckPublishedPort, Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			started, before := good()
			tt.change(&started, &before)
			r := judge(started, before)
			if got := verdicts(r)[tt.check]; got != tt.want || r.Status != tt.status {
				t.Errorf("%s: got %q, all in all %s, want %s and %s", tt.check, got, r.Status, tt.want, tt.status)
			}
			if r.Isolation == nil || *r.Isolation != "container" {
				t.Errorf("isolation: got %v, want container", r.Isolation)
			}
		})
	}
}

func TestPublishedPortMessageIsShort(t *testing.T) {
	c := publishedPort(Started{HostStatus: new(1), HostCheck: []byte("x" + strings.Repeat("é", 1000))})
	if len(c.Message) > maxMessageLength+40 || !utf8.ValidString(c.Message) {
		t.Errorf("got a message of %d bytes, valid %v, want a short one of whole letters", len(c.Message), utf8.ValidString(c.Message))
	}
}

func TestCanaryAdd(t *testing.T) {
	var r CanaryResult
	for _, tt := range []struct {
		check CanaryCheck
		want  Verdict
	}{
		{CanaryCheck{Name: "a", Status: Skip}, Pass},
		{CanaryCheck{Name: "b", Status: Fail}, Fail},
		{CanaryCheck{Name: "c", Status: Errored}, Fail},
		{CanaryCheck{Name: "b", Status: Unknown}, Errored},
		{CanaryCheck{Name: "c", Status: Warn}, Unknown},
		{CanaryCheck{Name: "b", Status: Pass}, Warn},
	} {
		if r.Add(tt.check); r.Status != tt.want {
			t.Errorf("after %s %s: got %s, want %s", tt.check.Name, tt.check.Status, r.Status, tt.want)
		}
	}
	if len(r.Checks) != 3 || r.Checks[1].Name != "b" {
		t.Errorf("got %+v, want three checks in their first order", r.Checks)
	}
}

func TestLeakCheck(t *testing.T) {
	for _, tt := range []struct {
		r     Residual
		value *float64
		says  string
	}{
		{Residual{Verdict: Pass}, new(0.0), "nothing is left"},
		{Residual{Verdict: Pass, Objects: map[ObjectKind]ObjectDelta{Images: {}}}, new(0.0), "changed meanwhile"},
		{Residual{Verdict: Fail, Leaks: []string{"volumes v"}}, new(1.0), "volumes v"},
		{Residual{Verdict: Unknown}, nil, "could not be read"},
	} {
		c := leakCheck(tt.r)
		if c.Status != tt.r.Verdict || !strings.Contains(c.Message, tt.says) || !cmp.Equal(c.Value, tt.value) {
			t.Errorf("%+v: got %+v, want its verdict, %q, and the number of leaks where it is known", tt.r, c, tt.says)
		}
	}
}

func TestConditions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status SandboxStatus
		want   map[string]string
	}{
		{"ready", SandboxStatus{State: StateReady, Telemetry: IntrospectionReport{
			Admission: Admission{Verdict: AdmitWarn}, Canary: &CanaryResult{Status: Warn}, Residual: &Residual{Verdict: Pass},
		}}, map[string]string{"Provisioned": "True", "HostHealthy": "True", "CanaryPassed": "True", "LeakFree": "True"}},
		{"failed", SandboxStatus{State: StateFailed, Telemetry: IntrospectionReport{
			Admission: Admission{Verdict: AdmitRefuse}, Canary: &CanaryResult{Status: Errored}, Residual: &Residual{Verdict: Fail},
		}}, map[string]string{"Provisioned": "False", "HostHealthy": "False", "CanaryPassed": "False", "LeakFree": "False"}},
		{"unknown", SandboxStatus{State: StateUnknown, Telemetry: IntrospectionReport{
			Admission: Admission{Verdict: AdmitUnknown}, Canary: &CanaryResult{Status: Unknown}, Residual: &Residual{Verdict: Unknown},
		}}, map[string]string{"Provisioned": "Unknown", "HostHealthy": "Unknown", "CanaryPassed": "Unknown", "LeakFree": "Unknown"}},
		{"no canary, not destroyed", SandboxStatus{State: StateReady, Telemetry: IntrospectionReport{Admission: Admission{Verdict: AdmitOK}}},
			map[string]string{"Provisioned": "True", "HostHealthy": "True"}},
	} {
		got := map[string]string{}
		for _, c := range conditions(tt.status) {
			got[c.Type] = c.Status
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, -want +got:\n%s", tt.name, diff)
		}
	}
}
