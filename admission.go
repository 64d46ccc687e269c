package sandboxer

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// An Admission says whether a host can take another sandbox.
type Admission struct {
	Verdict AdmissionVerdict  `json:"verdict"`
	Reasons []AdmissionReason `json:"reasons"` // empty where the verdict is ok

	// Overridden: the sandbox that this is about was created although the
	// host had been refused then. False where it is about no sandbox.
	Overridden bool `json:"overridden"`
}

// An AdmissionVerdict is the answer to "another one?". The set is open.
type AdmissionVerdict string

// Admission verdicts, from best to worst.
const (
	AdmitOK      AdmissionVerdict = "ok"
	AdmitUnknown AdmissionVerdict = "unknown" // a value the answer depends on is missing
	AdmitWarn    AdmissionVerdict = "warn"
	AdmitRefuse  AdmissionVerdict = "refuse"
)

// An AdmissionReason is one value that is past a threshold, or missing.
type AdmissionReason struct {
	Code      string           `json:"code"`      // stable name of the rule
	Field     string           `json:"field"`     // JSON path of the value in the snapshot
	Observed  *float64         `json:"observed"`  // the value, in the unit of field; null: missing, or no number
	Threshold *float64         `json:"threshold"` // what it was held against
	Severity  AdmissionVerdict `json:"severity"`
	Message   string           `json:"message"` // for a person
}

// Thresholds of Admit. They follow what kubelet and Nomad evict and collect
// at, on the cautious side for a host that is not ours alone.
const (
	minDiskAvailRatio    = 0.05
	warnDiskAvailRatio   = 0.15
	minInodesFreeRatio   = 0.05
	minMemoryAvailBytes  = 100 << 20
	warnMemoryAvailRatio = 0.10
	maxPidsRatio         = 0.90
	maxConntrackRatio    = 0.90
	warnPressureRatio    = 0.50 // share of the last minute some task waited
)

// Admit says whether a host can take another sandbox. It is pure. What could
// not be read makes the verdict unknown, unless something known is worse.
func Admit(s HostSnapshot) Admission {
	a := admitter{}
	for i, fs := range s.Filesystems {
		field := fmt.Sprintf("filesystems[%d]", i)
		if fs.AvailRatio == nil {
			a.missing(field + ".avail_ratio")
		}
		a.atLeast("disk_full", field+".avail_ratio", fs.AvailRatio, minDiskAvailRatio, AdmitRefuse,
			"%s has %.1f %% of its space left", fs.Path)
		a.atLeast("disk_low", field+".avail_ratio", fs.AvailRatio, warnDiskAvailRatio, AdmitWarn,
			"%s has %.1f %% of its space left", fs.Path)
		if fs.InodesTotal != nil {
			a.atLeast("inodes_full", field+".inodes_free_ratio", fs.InodesFreeRatio, minInodesFreeRatio, AdmitRefuse,
				"%s has %.1f %% of its inodes left", fs.Path)
		}
		if fs.ReadOnly != nil && *fs.ReadOnly && !slices.Equal(fs.Roles, []string{"root"}) { // as on hosts that nobody changes
			a.add("read_only", field+".read_only", nil, nil, AdmitRefuse, fs.Path+" is mounted read-only")
		}
	}
	if s.DiskRootAvailBytes == nil {
		a.missing("disk_root_avail_bytes")
	}
	a.memory(s.Memory)
	a.table("pids", "limits.pids_used", s.Limits.PidsUsed, s.Limits.PidMax, maxPidsRatio, "%.0f %% of all process ids are in use")
	if s.Limits.ConntrackMax != nil {
		a.table("conntrack", "limits.conntrack_entries", s.Limits.ConntrackEntries, s.Limits.ConntrackMax, maxConntrackRatio, "%.0f %% of the connection tracking table is in use")
	}
	a.pressure("memory_pressure", "pressure.memory.some_avg60_ratio", s.Pressure.Memory, "tasks waited for memory in %.0f %% of the last minute")
	a.pressure("io_pressure", "pressure.io.some_avg60_ratio", s.Pressure.IO, "tasks waited for storage in %.0f %% of the last minute")
	a.engines(s.Engines)
	return a.verdict()
}

// admit refuses a host that cannot take another sandbox, unless that was
// foreseen.
func (c *creation) admit(context.Context) error {
	admission := Admit(c.before.Snapshot)
	c.status.Telemetry.Admission = admission
	if admission.Verdict != AdmitRefuse {
		return nil
	}
	refused := &RefusedError{
		Doing: "create another sandbox on " + c.host.Name(),
		Hint:  "make room there: reap-stale and inspect host help to find it; --force creates it all the same",
	}
	var all []string
	for _, r := range admission.Reasons {
		if r.Severity == AdmitRefuse {
			refused.Reasons = append(refused.Reasons, Reason{r.Code, r.Message})
			all = append(all, r.Message)
		}
	}
	if !c.spec.Force {
		return refused
	}
	c.forced = true
	c.say(PhaseObserve, "the host can take no more and is made to: %s", strings.Join(all, "; "))
	return nil
}

// admissionFor is Admit, beside a sandbox that is or was there.
func admissionFor(rec *Record, s HostSnapshot) Admission {
	a := Admit(s)
	a.Overridden = rec != nil && rec.Forced
	return a
}

type admitter struct{ reasons []AdmissionReason }

func (a *admitter) add(code, field string, observed, threshold *float64, severity AdmissionVerdict, message string) {
	for _, have := range a.reasons {
		if have.Field == field && have.Severity == AdmitRefuse {
			return // a warning beside a refusal of the same value says nothing new
		}
	}
	a.reasons = append(a.reasons, AdmissionReason{code, field, observed, threshold, severity, message})
}

func (a *admitter) missing(field string) {
	a.add("missing", field, nil, nil, AdmitUnknown, field+" could not be read")
}

// atLeast complains of a share below its bound. format takes what, then the
// share in percent.
func (a *admitter) atLeast(code, field string, share *float64, bound float64, severity AdmissionVerdict, format, what string) {
	if share != nil && *share < bound {
		a.add(code, field, share, &bound, severity, fmt.Sprintf(format, what, *share*100))
	}
}

// table refuses where one of the kernel's tables is almost full. format takes
// the share in percent.
func (a *admitter) table(code, field string, used, size *int64, bound float64, format string) {
	if used == nil || size == nil || *size <= 0 {
		a.missing(field)
		return
	}
	observed, most := float64(*used), bound*float64(*size)
	if observed > most {
		a.add(code, field, &observed, &most, AdmitRefuse, fmt.Sprintf(format, 100*observed/float64(*size)))
	}
}

// pressure warns of tasks that wait a lot. A kernel without pressure stall
// information leaves it out.
func (a *admitter) pressure(code, field string, p *Pressure, format string) {
	if p == nil {
		return
	}
	switch share, bound := p.SomeAvg60Ratio, warnPressureRatio; {
	case share == nil:
		a.missing(field)
	case *share > bound:
		a.add(code, field, share, &bound, AdmitWarn, fmt.Sprintf(format, *share*100))
	}
}

func (a *admitter) memory(m Memory) {
	if m.AvailableBytes == nil || m.TotalBytes == nil {
		a.missing("memory.available_bytes")
		return
	}
	observed := float64(*m.AvailableBytes)
	if *m.AvailableBytes < minMemoryAvailBytes {
		a.add("memory_full", "memory.available_bytes", &observed, new(float64(minMemoryAvailBytes)), AdmitRefuse,
			fmt.Sprintf("%d MB of memory are available", *m.AvailableBytes/1e6))
		return
	}
	bound := warnMemoryAvailRatio * float64(*m.TotalBytes)
	if observed < bound {
		a.add("memory_low", "memory.available_bytes", &observed, &bound, AdmitWarn,
			fmt.Sprintf("%d MB of memory are available", *m.AvailableBytes/1e6))
	}
}

func (a *admitter) engines(all []EngineInfo) {
	for _, e := range all {
		severity := AdmitWarn
		switch e.Status {
		case EngineOK, EngineAbsent, EngineUnused, EngineForbidden:
			continue
		case EngineUnknown:
			severity = AdmitUnknown
		}
		field := "engines." + string(e.Name) + ".status"
		a.add("engine_"+string(e.Status), field, nil, nil, severity, fmt.Sprintf("engine %s is %s", e.Name, e.Status))
	}
}

func (a *admitter) verdict() Admission {
	out := Admission{Verdict: AdmitOK, Reasons: append([]AdmissionReason{}, a.reasons...)}
	for _, worse := range []AdmissionVerdict{AdmitUnknown, AdmitWarn, AdmitRefuse} {
		for _, r := range a.reasons {
			if r.Severity == worse {
				out.Verdict = worse
			}
		}
	}
	return out
}
