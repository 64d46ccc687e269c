package sandboxer

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A CanaryResult is what the canary found out about its host.
type CanaryResult struct {
	Status     Verdict       `json:"status"`      // worst of the checks: fail, else error, else warn, else pass
	DurationMS *int64        `json:"duration_ms"` // of the checks in the sandbox
	Isolation  *string       `json:"isolation"`   // what kept the canary apart: container, or the namespaces it got
	Checks     []CanaryCheck `json:"checks"`      // in the order they were made
}

// A CanaryCheck is one of the canary's checks.
type CanaryCheck struct {
	Name       string   `json:"name"` // such as "start_latency"
	Status     Verdict  `json:"status"`
	DurationMS *int64   `json:"duration_ms"` // of this check
	Value      *float64 `json:"value"`       // what was measured, in unit
	Unit       *string  `json:"unit"`        // of value and threshold
	Threshold  *float64 `json:"threshold"`   // what value was held against
	Message    string   `json:"message"`     // for a person
}

// Names of canary checks. The set is open.
const (
	CheckStartLatency  = "start_latency"
	CheckWriteFsync    = "write_fsync"
	CheckMemoryLimit   = "memory_limit"
	CheckCPUSpeed      = "cpu_speed"
	CheckIsolation     = "isolation"
	CheckClockSkew     = "clock_skew"
	CheckPublishedPort = "published_port"
	CheckTeardownLeaks = "teardown_leaks"
)

// Add appends a check, or replaces the one of its name, and sets Status anew.
func (r *CanaryResult) Add(c CanaryCheck) {
	i := slices.IndexFunc(r.Checks, func(have CanaryCheck) bool { return have.Name == c.Name })
	if i >= 0 {
		r.Checks[i] = c
	} else {
		r.Checks = append(r.Checks, c)
	}
	r.Status = Pass
	for _, worse := range []Verdict{Warn, Unknown, Errored, Fail} {
		for _, c := range r.Checks {
			if c.Status == worse {
				r.Status = worse
			}
		}
	}
}

// Thresholds of the canary checks that only the outside can judge.
const (
	maxStartMS       = 10_000.0  // a program in a container should run within this
	warnClockSkewMS  = 2_000.0   // more than this, past the uncertainty, is worth a look
	failClockSkewMS  = 300_000.0 // MaxClockOffset: reaping refuses such a clock
	exitNotRunnable  = 126       // sh: found, and not executable (noexec)
	maxMessageLength = 300
)

// judge completes what the canary found inside with what only the outside
// can tell.
func judge(started Started, before HostSnapshot) *CanaryResult {
	r := &CanaryResult{Status: Pass, Checks: []CanaryCheck{}}
	if err := json.Unmarshal(started.Result, r); err != nil {
		r = &CanaryResult{Checks: []CanaryCheck{}}
		r.Add(CanaryCheck{Name: "result", Status: Errored, Message: fmt.Sprintf("its result could not be read: %v", err)})
	}
	if r.Isolation == nil && started.Isolation != "" {
		r.Isolation = &started.Isolation
	}
	r.Add(startLatency(started))
	r.Add(clockSkew(before))
	r.Add(publishedPort(started))
	return r
}

func startLatency(s Started) CanaryCheck {
	c := CanaryCheck{Name: CheckStartLatency, Status: Pass, DurationMS: s.StartMS, Unit: new("ms"), Threshold: new(maxStartMS)}
	if s.StartMS == nil {
		c.Status, c.Message = Unknown, "the engine did not say when it started"
		return c
	}
	c.Value = new(float64(*s.StartMS))
	if c.Message = fmt.Sprintf("started in %d ms", *s.StartMS); *c.Value > maxStartMS {
		c.Status = Warn
	}
	return c
}

func clockSkew(snap HostSnapshot) CanaryCheck {
	c := CanaryCheck{Name: CheckClockSkew, Status: Pass, Unit: new("ms"), Threshold: new(warnClockSkewMS)}
	if snap.ClockOffsetMS == nil || snap.ClockUncertaintyMS == nil {
		c.Status, c.Message = Unknown, "the host's clock could not be read"
		return c
	}
	offset := float64(*snap.ClockOffsetMS)
	c.Value = &offset
	c.Message = fmt.Sprintf("host clock minus controller clock: %+d ms, known to ± %d ms", *snap.ClockOffsetMS, *snap.ClockUncertaintyMS)
	switch sure := math.Abs(offset) - float64(*snap.ClockUncertaintyMS); {
	case sure > failClockSkewMS:
		c.Status = Fail
	case sure > warnClockSkewMS:
		c.Status = Warn
	}
	return c
}

// publishedPort reads what the uploaded program said when it was run on the
// host to reach the published port.
func publishedPort(s Started) CanaryCheck {
	c := CanaryCheck{Name: CheckPublishedPort, Status: Errored}
	switch {
	case s.HostStatus == nil:
		c.Status, c.Message = Skip, "no port is published"
	case *s.HostStatus == exitNotRunnable:
		c.Status, c.Message = Skip, "noexec: programs below the sandbox root cannot be run on this host"
	case json.Unmarshal(s.HostCheck, &c) != nil || c.Name != CheckPublishedPort:
		said := strings.ToValidUTF8(strings.TrimSpace(string(s.HostCheck)), "?")
		c = CanaryCheck{
			Name: CheckPublishedPort, Status: Errored,
			Message: fmt.Sprintf("exit status %d: %s", *s.HostStatus, strings.ToValidUTF8(said[:min(len(said), maxMessageLength)], "")),
		}
	}
	return c
}

func leakCheck(r Residual) CanaryCheck {
	c := CanaryCheck{Name: CheckTeardownLeaks, Status: r.Verdict, Value: new(float64(len(r.Leaks))), Threshold: new(0.0), Message: "nothing is left"}
	switch {
	case r.Verdict == Fail:
		c.Message = "left behind: " + strings.Join(r.Leaks, ", ")
	case r.Verdict == Unknown:
		c.Value, c.Message = nil, "a kind of object could not be read"
	case len(r.Objects) > 0:
		c.Message = "nothing of the sandbox is left; other things on the host changed meanwhile"
	}
	return c
}

// conditions sums a status up in facts a program can wait for.
func conditions(s SandboxStatus) []Condition {
	out := []Condition{}
	add := func(kind, status, reason, message string) {
		out = append(out, Condition{Type: kind, Status: status, Reason: reason, Message: message})
	}
	provisioned := "False"
	switch s.State {
	case StateReady:
		provisioned = "True"
	case StateUnknown:
		provisioned = "Unknown"
	}
	add("Provisioned", provisioned, string(s.State), deref(s.Reason))
	admission := s.Telemetry.Admission
	var why []string
	for _, r := range admission.Reasons {
		why = append(why, r.Message)
	}
	healthy := map[AdmissionVerdict]string{AdmitOK: "True", AdmitWarn: "True", AdmitRefuse: "False"}[admission.Verdict]
	if healthy == "" {
		healthy = "Unknown"
	}
	add("HostHealthy", healthy, string(admission.Verdict), strings.Join(why, "; "))
	if c := s.Telemetry.Canary; c != nil {
		add("CanaryPassed", truth(c.Status), string(c.Status), failing(c))
	}
	if r := s.Telemetry.Residual; r != nil {
		add("LeakFree", truth(r.Verdict), string(r.Verdict), strings.Join(r.Leaks, ", "))
	}
	return out
}

func truth(v Verdict) string {
	switch v {
	case Pass, Warn, Skip:
		return "True"
	case Fail, Errored:
		return "False"
	}
	return "Unknown"
}

func failing(c *CanaryResult) string {
	var names []string
	for _, check := range c.Checks {
		if check.Status != Pass && check.Status != Skip {
			names = append(names, check.Name+": "+check.Message)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "; ")
}
