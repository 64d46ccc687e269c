package sandboxer

import (
	"math"
	"slices"
	"strings"
)

// A Delta is the difference between two snapshots of one host. Across a
// reboot, between two machines, or where that cannot be told, every difference
// is null.
type Delta struct {
	ElapsedMS *int64                     `json:"elapsed_ms"` // from one to the other, on the host's clock
	SameBoot  *bool                      `json:"same_boot"`  // null where a boot id is unknown
	Settled   *bool                      `json:"settled"`    // whether the host came to rest before the second; null: not waited for
	Host      HostDelta                  `json:"host"`
	Sandbox   *SandboxCost               `json:"sandbox"` // what the sandbox itself used, until the create was done or the destroy began; null: nobody looked
	Objects   map[ObjectKind]ObjectDelta `json:"objects"` // a kind that was unreadable on either side has no entry; engines that did not answer both times are in none
}

// HostDelta holds the host's gauges and counters. They say what changed on
// the host in that time, whoever caused it.
type HostDelta struct {
	Load1                FieldDelta `json:"load1"` // information, never evidence: it lags a minute behind
	CPUBusySecondsTotal  FieldDelta `json:"cpu_busy_seconds_total"`
	PressureCPUUSTotal   FieldDelta `json:"pressure_cpu_some_stall_us_total"`
	PressureMemUSTotal   FieldDelta `json:"pressure_memory_some_stall_us_total"`
	PressureIOUSTotal    FieldDelta `json:"pressure_io_some_stall_us_total"`
	MemoryAvailableBytes FieldDelta `json:"memory_available_bytes"`
	SwapFreeBytes        FieldDelta `json:"swap_free_bytes"`
	DiskRootAvailBytes   FieldDelta `json:"disk_root_avail_bytes"`
	ContainersRunning    FieldDelta `json:"containers_running"`
	ProcessesCount       FieldDelta `json:"processes_count"`
	OOMKillsTotal        FieldDelta `json:"oom_kills_total"`
}

// A FieldDelta is one value before and after. Significant is null as long as
// the host's noise floor for that value is not known: with less than
// MinNoisePairs pairs about as far apart as the two. See NoiseHistory.
type FieldDelta struct {
	Before      *float64 `json:"before"`      // null: unknown
	After       *float64 `json:"after"`       // null: unknown
	Delta       *float64 `json:"delta"`       // after minus before; null: unknown, or not comparable
	NoiseFloor  *float64 `json:"noise_floor"` // 95th percentile of |delta| between pairs of snapshots with nothing in between
	NoisePairs  int64    `json:"noise_pairs"` // how many pairs there are for that lag
	Significant *bool    `json:"significant"` // |delta| is above noise_floor
}

// An ObjectDelta is what came and what went, each sorted.
type ObjectDelta struct {
	Added   []string `json:"added"`   // in the second only
	Removed []string `json:"removed"` // in the first only
}

// A Residual is what a create followed by a destroy changed for good: the
// leak verdict.
type Residual struct {
	Verdict Verdict                    `json:"verdict"` // pass: nothing left; fail: something of the sandbox is; unknown: a kind could not be read
	Leaks   []string                   `json:"leaks"`   // kind and identity of what the sandbox left
	Objects map[ObjectKind]ObjectDelta `json:"objects"` // every lasting change, whoever caused it
}

// Diff returns what changed from before to after. It is pure.
func Diff(before, after HostSnapshot) Delta {
	d := Delta{Objects: map[ObjectKind]ObjectDelta{}}
	if before.ObservedAt != nil && after.ObservedAt != nil {
		ms := after.ObservedAt.Sub(*before.ObservedAt).Milliseconds()
		d.ElapsedMS = &ms
	}
	if before.Identity.BootID != nil && after.Identity.BootID != nil {
		same := *before.Identity.BootID == *after.Identity.BootID
		d.SameBoot = &same
	}
	same := d.SameBoot != nil && *d.SameBoot
	d.Host = diffHost(before, after, same)
	if same {
		d.Objects = diffObjects(before, after)
	}
	return d
}

func diffHost(b, a HostSnapshot, same bool) HostDelta {
	gauge := func(x, y *float64) FieldDelta { return fieldDelta(x, y, same) }
	count := func(x, y *int64) FieldDelta { return fieldDelta(toFloat(x), toFloat(y), same) }
	total := func(x, y *int64) FieldDelta { return counterDelta(toFloat(x), toFloat(y), same) }
	return HostDelta{
		Load1:                gauge(b.Load.Load1, a.Load.Load1),
		CPUBusySecondsTotal:  counterDelta(b.CPU.BusySecondsTotal, a.CPU.BusySecondsTotal, same),
		PressureCPUUSTotal:   total(stalled(b.Pressure.CPU), stalled(a.Pressure.CPU)),
		PressureMemUSTotal:   total(stalled(b.Pressure.Memory), stalled(a.Pressure.Memory)),
		PressureIOUSTotal:    total(stalled(b.Pressure.IO), stalled(a.Pressure.IO)),
		MemoryAvailableBytes: count(b.Memory.AvailableBytes, a.Memory.AvailableBytes),
		SwapFreeBytes:        count(b.Memory.SwapFreeBytes, a.Memory.SwapFreeBytes),
		DiskRootAvailBytes:   count(b.DiskRootAvailBytes, a.DiskRootAvailBytes),
		ContainersRunning:    count(b.ContainersRunning(), a.ContainersRunning()),
		ProcessesCount:       count(b.Limits.ProcessesCount, a.Limits.ProcessesCount),
		OOMKillsTotal:        total(b.Memory.OOMKillsTotal, a.Memory.OOMKillsTotal),
	}
}

func stalled(p *Pressure) *int64 {
	if p == nil {
		return nil
	}
	return p.SomeStallUSTotal
}

func toFloat(n *int64) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

// fieldDelta leaves Delta nil unless both values are known and comparable.
func fieldDelta(before, after *float64, same bool) FieldDelta {
	d := FieldDelta{Before: before, After: after}
	if same && before != nil && after != nil {
		// Six decimals keep what the kernel prints and drop what binary
		// floating point adds to it.
		v := math.Round((*after-*before)*1e6) / 1e6
		d.Delta = &v
	}
	return d
}

// counterDelta is fieldDelta for values that only ever count up: one that
// went back was reset, and the difference says nothing.
func counterDelta(before, after *float64, same bool) FieldDelta {
	d := fieldDelta(before, after, same)
	if d.Delta != nil && *d.Delta < 0 {
		d.Delta = nil
	}
	return d
}

// diffObjects leaves out engines that did not answer both times: what seems to
// come or to go with the answer was there all the time.
func diffObjects(before, after HostSnapshot) map[ObjectKind]ObjectDelta {
	var silent []string
	for _, e := range append(slices.Clone(before.Engines), after.Engines...) {
		if !before.answers(e.Name) || !after.answers(e.Name) {
			silent = append(silent, string(e.Name)+":")
		}
	}
	heard := func(ids []string) []string {
		return slices.DeleteFunc(ids, func(id string) bool {
			return slices.ContainsFunc(silent, func(prefix string) bool { return strings.HasPrefix(id, prefix) })
		})
	}
	out := map[ObjectKind]ObjectDelta{}
	for kind, was := range before.Objects {
		is, ok := after.Objects[kind]
		if !ok {
			continue
		}
		out[kind] = ObjectDelta{Added: heard(minus(is, was)), Removed: heard(minus(was, is))}
	}
	return out
}

// minus returns the distinct elements of a that are not in b, sorted; never
// nil.
func minus(a, b []string) []string {
	in := make(map[string]bool, len(b))
	for _, s := range b {
		in[s] = true
	}
	out := []string{}
	for _, s := range a {
		if !in[s] {
			in[s] = true
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return out
}

// both returns the distinct elements of b that are in a too, sorted; never
// nil.
func both(a, b []string) []string { return minus(b, minus(b, a)) }

// residual adds up what provision and destroy changed, as far as it is still
// there in now: a destroy that was resumed has not seen what an earlier one
// removed. ours tells whether an object that remains belongs to the sandbox; a
// kind among required that was not read each time makes the verdict unknown.
func residual(provision, destroy Delta, now ObjectSets, required []ObjectKind, ours func(ObjectKind, string) bool) Residual {
	r := Residual{Verdict: Pass, Leaks: []string{}, Objects: map[ObjectKind]ObjectDelta{}}
	for kind, p := range provision.Objects {
		d, ok := destroy.Objects[kind]
		if !ok {
			continue
		}
		net := ObjectDelta{
			Added:   both(now[kind], append(minus(p.Added, d.Removed), minus(d.Added, p.Removed)...)),
			Removed: minus(append(minus(p.Removed, d.Added), minus(d.Removed, p.Added)...), now[kind]),
		}
		for _, id := range net.Added {
			if ours(kind, id) {
				r.Leaks = append(r.Leaks, string(kind)+" "+id)
			}
		}
		if len(net.Added)+len(net.Removed) > 0 {
			r.Objects[kind] = net
		}
	}
	for _, kind := range required {
		_, p := provision.Objects[kind]
		_, d := destroy.Objects[kind]
		if _, read := now[kind]; !p || !d || !read {
			r.Verdict = Unknown
		}
	}
	slices.Sort(r.Leaks)
	if len(r.Leaks) > 0 {
		r.Verdict = Fail
	}
	return r
}
