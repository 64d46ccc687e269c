package sandboxer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An AlertPolicy says of which of a host's values somebody wants to be told.
// The zero value says of none.
type AlertPolicy struct {
	Rules []AlertRule `json:"rules"`
}

// An AlertRule watches one value. Exactly one of Below and Above is set. An
// alert that was raised is cleared by a value on the other side of Clear, which
// keeps one that sways about the bound from flapping.
type AlertRule struct {
	Name  string   `json:"name"`  // of the alert; unique in a policy; empty: Field
	Field string   `json:"field"` // what is watched, see AlertFields
	Below *float64 `json:"below"` // a value below this is bad
	Above *float64 `json:"above"` // a value above this is bad
	Clear *float64 `json:"clear"` // from where on all is well again; null: a tenth of the bound away from it

	// Count bad ones of the last Of observations raise the alert, and as long
	// as there are so many it stays. Zero is 1; for Of it is Count.
	Count int `json:"count"`
	Of    int `json:"of"`
}

// MaxAlertWindow bounds AlertRule.Of.
const MaxAlertWindow = 100

// An AlertState is what Evaluate has to remember of a host from one
// observation to the next. The caller keeps it, as JSON or otherwise, and looks
// at none of it. The zero value is that of a host never seen.
type AlertState struct {
	MachineID *string                `json:"machine_id"` // the host it is about
	Rules     map[string]AlertMemory `json:"rules"`      // by name of the rule
}

// An AlertMemory is what is remembered of one rule.
type AlertMemory struct {
	Rule  string     `json:"rule"`  // what it was; another rule of that name begins anew
	Past  []bool     `json:"past"`  // whether each of the last observations was bad, oldest first
	Since *time.Time `json:"since"` // when the alert was raised, host clock; null: it is not
}

// AlertStatus is what an alert is. The set is open.
type AlertStatus string

// What an alert can be.
const (
	AlertClear  AlertStatus = "clear"
	AlertRaised AlertStatus = "raised"
)

// An Alert is what one rule says of one observation.
type Alert struct {
	Name     string      `json:"name"`  // of the rule
	Field    string      `json:"field"` // what is watched
	Status   AlertStatus `json:"status"`
	Changed  bool        `json:"changed"`  // this observation has raised it, or cleared it
	Observed *float64    `json:"observed"` // the value; null: unknown, which changes nothing
	Bound    float64     `json:"bound"`    // what it is held against: the rule's bound, or its Clear while the alert is raised
	Since    *time.Time  `json:"since"`    // when it was raised, host clock; null: it is clear
	Message  string      `json:"message"`  // for a person
}

// An alertField reads one value, nil where it is unknown.
type alertField func(Observation) *float64

// alertFields are the values that can be watched. Ratios are 0 to 1.
var alertFields = map[string]alertField{
	"disk_root_avail_gb":    func(o Observation) *float64 { return o.Snapshot.DiskRootAvailGB },
	"disk_root_avail_ratio": func(o Observation) *float64 { return o.Snapshot.DiskRootAvailRatio },
	"disk_avail_ratio":      func(o Observation) *float64 { return least(o, func(f Filesystem) *float64 { return f.AvailRatio }) },
	"inodes_free_ratio": func(o Observation) *float64 {
		return least(o, func(f Filesystem) *float64 { return f.InodesFreeRatio })
	},
	"memory_available_bytes": func(o Observation) *float64 { return toFloat(o.Snapshot.Memory.AvailableBytes) },
	"memory_available_ratio": func(o Observation) *float64 {
		return share(o.Snapshot.Memory.AvailableBytes, o.Snapshot.Memory.TotalBytes)
	},
	"pids_used_ratio": func(o Observation) *float64 { return share(o.Snapshot.Limits.PidsUsed, o.Snapshot.Limits.PidMax) },
	"conntrack_used_ratio": func(o Observation) *float64 {
		return share(o.Snapshot.Limits.ConntrackEntries, o.Snapshot.Limits.ConntrackMax)
	},
	"pressure_cpu_ratio": func(o Observation) *float64 { return stalledRatio(o.Snapshot.Pressure.CPU) },
	"pressure_memory_ratio": func(o Observation) *float64 {
		return stalledRatio(o.Snapshot.Pressure.Memory)
	},
	"pressure_io_ratio":  func(o Observation) *float64 { return stalledRatio(o.Snapshot.Pressure.IO) },
	"load1_per_cpu":      func(o Observation) *float64 { return o.Snapshot.Load.Load1PerCPU },
	"engine_response_ms": slowestEngine,
	"engines_silent":     silentEngines,
	"clock_offset_ms":    clockOff,
	"canary_failed":      canaryFailed,
}

// AlertFields returns the names of the values that a rule can watch, sorted.
//
// They are those of a HostSnapshot, and: disk_avail_ratio and
// inodes_free_ratio, the least of all file systems; pids_used_ratio and
// conntrack_used_ratio, the share of what there can be; pressure_*_ratio, the
// share of the last minute in which some task waited; engine_response_ms, of
// the slowest engine; engines_silent, how many are there and do not answer, or
// are stopped; clock_offset_ms, whichever way; and canary_failed, 1 if
// Observation.Canary failed, 0 if it did not.
func AlertFields() []string { return slices.Sorted(maps.Keys(alertFields)) }

func least(o Observation, of func(Filesystem) *float64) *float64 {
	var found *float64
	for _, f := range o.Snapshot.Filesystems {
		if v := of(f); v != nil && (found == nil || *v < *found) {
			found = v
		}
	}
	return found
}

func share(used, all *int64) *float64 {
	if used == nil || all == nil || *all <= 0 {
		return nil
	}
	return new(float64(*used) / float64(*all))
}

func stalledRatio(p *Pressure) *float64 {
	if p == nil {
		return nil
	}
	return p.SomeAvg60Ratio
}

func slowestEngine(o Observation) *float64 {
	var found *float64
	for _, e := range o.Snapshot.Engines {
		if v := toFloat(e.ResponseMS); v != nil && (found == nil || *v > *found) {
			found = v
		}
	}
	return found
}

func silentEngines(o Observation) *float64 {
	if len(o.Snapshot.Engines) == 0 {
		return nil
	}
	n := 0.0
	for _, e := range o.Snapshot.Engines {
		if e.Status == EngineDown || e.Status == EngineUnresponsive {
			n++
		}
	}
	return &n
}

func clockOff(o Observation) *float64 {
	if o.Snapshot.ClockOffsetMS == nil {
		return nil
	}
	return new(math.Abs(float64(*o.Snapshot.ClockOffsetMS)))
}

func canaryFailed(o Observation) *float64 {
	if o.Canary == nil {
		return nil
	}
	switch o.Canary.Status {
	case Fail, Errored:
		return new(1.0)
	case Pass, Warn:
		return new(0.0)
	}
	return nil
}

// Check returns an error unless every rule makes sense.
func (p AlertPolicy) Check() error {
	names := map[string]bool{}
	for _, r := range p.Rules {
		if err := r.check(); err != nil {
			return fmt.Errorf("alert %q: %w", r.name(), err)
		}
		if names[r.name()] {
			return fmt.Errorf("alert %q: two rules have that name", r.name())
		}
		names[r.name()] = true
	}
	return nil
}

func (r AlertRule) check() error {
	finite := func(v *float64) bool { return v == nil || !math.IsNaN(*v) && !math.IsInf(*v, 0) }
	switch {
	case alertFields[r.Field] == nil:
		return fmt.Errorf("nothing is called %q: want one of %s", abbreviate(r.Field), strings.Join(AlertFields(), ", "))
	case (r.Below == nil) == (r.Above == nil):
		return errors.New("want one of below and above")
	case !finite(r.Below), !finite(r.Above), !finite(r.Clear):
		return errors.New("want numbers")
	case r.Below != nil && r.clear() < *r.Below, r.Above != nil && r.clear() > *r.Above:
		return errors.New("clear is on the bad side of the bound")
	case r.Count < 0, r.Of < 0, r.Of > MaxAlertWindow, r.of() < r.count(), r.count() > MaxAlertWindow:
		return fmt.Errorf("want count of at most of, and that at most %d", MaxAlertWindow)
	}
	return nil
}

func (r AlertRule) name() string { return cmp.Or(r.Name, r.Field) }
func (r AlertRule) count() int   { return cmp.Or(r.Count, 1) }
func (r AlertRule) of() int      { return cmp.Or(r.Of, r.count()) }

func (r AlertRule) bound() float64 {
	if r.Below != nil {
		return *r.Below
	}
	return *r.Above
}

func (r AlertRule) clear() float64 {
	switch {
	case r.Clear != nil:
		return *r.Clear
	case r.Below != nil:
		return *r.Below + math.Abs(*r.Below)/10
	}
	return *r.Above - math.Abs(*r.Above)/10
}

// bad reports whether v is on the wrong side of a bound.
func (r AlertRule) bad(v, bound float64) bool {
	if r.Below != nil {
		return v < bound
	}
	return v > bound
}

// text is all that makes a rule what it is.
func (r AlertRule) text() string {
	side := ">"
	if r.Below != nil {
		side = "<"
	}
	return fmt.Sprintf("%s%s%s clear %s, %d of %d", r.Field, side, plain(r.bound()), plain(r.clear()), r.count(), r.of())
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// Evaluate holds an observation against the policy, which is right by Check,
// and returns an alert for each rule, in their order, and what to remember. It
// is pure: state is not changed. A value that could not be read neither raises
// an alert nor clears one; a state of another machine, or of a rule that was
// another one, counts for nothing.
func (p AlertPolicy) Evaluate(obs Observation, state AlertState) ([]Alert, AlertState) {
	machine := obs.Snapshot.Identity.MachineID
	if state.MachineID != nil && machine != nil && *state.MachineID != *machine {
		state = AlertState{}
	}
	next := AlertState{MachineID: cmp.Or(machine, state.MachineID), Rules: map[string]AlertMemory{}}
	alerts := []Alert{}
	for _, r := range p.Rules {
		was := state.Rules[r.name()]
		if was.Rule != r.text() {
			was = AlertMemory{Rule: r.text()}
		}
		alert, now := r.evaluate(obs, was)
		alerts = append(alerts, alert)
		next.Rules[r.name()] = now
	}
	return alerts, next
}

func (r AlertRule) evaluate(obs Observation, was AlertMemory) (Alert, AlertMemory) {
	v := alertFields[r.Field](obs)
	now := AlertMemory{Rule: was.Rule, Past: slices.Clone(was.Past), Since: was.Since}
	bound := r.bound()
	if was.Since != nil {
		bound = r.clear()
	}
	if v != nil {
		now.Past = append(now.Past, r.bad(*v, bound))
		now.Past = now.Past[max(0, len(now.Past)-r.of()):]
		if bad := r.raised(now.Past); bad && was.Since == nil {
			now.Since = new(latestOf(obs.Snapshot.ObservedAt))
		} else if !bad {
			now.Since = nil
		}
	}
	a := Alert{
		Name: r.name(), Field: r.Field, Status: AlertClear, Observed: v, Bound: bound, Since: now.Since,
		Changed: (was.Since == nil) != (now.Since == nil),
	}
	if now.Since != nil {
		a.Status = AlertRaised
	}
	a.Message = r.message(a)
	return a, now
}

// raised reports whether enough of the last observations were bad.
func (r AlertRule) raised(past []bool) bool {
	n := 0
	for _, bad := range past {
		if bad {
			n++
		}
	}
	return n >= r.count()
}

// latestOf is the time of an observation; the zero time where it is unknown.
func latestOf(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func (r AlertRule) message(a Alert) string {
	side, observed := "above", "unknown"
	if r.Below != nil {
		side = "below"
	}
	if a.Observed != nil {
		observed = plain(math.Round(*a.Observed*1e4) / 1e4)
	}
	text := fmt.Sprintf("%s is %s", r.Field, observed)
	switch {
	case a.Status == AlertClear && !a.Changed:
		return text
	case a.Status == AlertClear:
		return text + ", which is well again"
	}
	text += fmt.Sprintf("; raised %s %s", side, plain(r.bound()))
	if r.of() > 1 {
		text += fmt.Sprintf(", %d of %d times", r.count(), r.of())
	}
	return text + fmt.Sprintf(", well again from %s on", plain(r.clear()))
}
