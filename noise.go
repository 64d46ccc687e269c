package sandboxer

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A NoiseHistory holds how far a host's values moved while nothing was done to
// it: pairs of looks with nothing in between. It is about one boot of one
// machine; the zero value is about none yet. The caller keeps it, as JSON or
// otherwise (see Sandboxer.Noise). Its methods are pure: what they return
// shares nothing that could change with what they were given.
type NoiseHistory struct {
	MachineID string      `json:"machine_id"` // as in Identity
	BootID    string      `json:"boot_id"`    // as in Identity
	Pairs     []NoisePair `json:"pairs"`      // oldest first, at most MaxNoisePairs
}

// A NoisePair is what two looks at a host differed by, with nothing done
// between them.
type NoisePair struct {
	At        time.Time          `json:"at"`         // of the second look, host clock
	ElapsedMS int64              `json:"elapsed_ms"` // from one look to the other, host clock
	Deltas    map[string]float64 `json:"deltas"`     // |delta| by the name of a field of HostDelta; one that is unknown has no entry
}

const (
	// MinNoisePairs is how many pairs a noise floor is made of, at least.
	MinNoisePairs = 20

	// MaxNoisePairs bounds NoiseHistory.Pairs: the newest stay.
	MaxNoisePairs = 200
)

// A FieldNoise is the noise floor of one field of HostDelta.
type FieldNoise struct {
	Field      string   `json:"field"`       // its name, as in Delta.host
	NoiseFloor *float64 `json:"noise_floor"` // |delta| above this is significant; null: too few pairs
	NoisePairs int64    `json:"noise_pairs"` // how many pairs there are for that lag
}

// about reports whether h is about that boot of that machine.
func (h NoiseHistory) about(id Identity) bool {
	return id.MachineID != nil && id.BootID != nil && *id.MachineID == h.MachineID && *id.BootID == h.BootID
}

// Add returns h with one more pair: two looks at one host between which nothing
// was done to it, the earlier first. Where they are of another machine or boot
// than h, all that h holds is forgotten; where they are not of the same one, or
// the host's clock has not gone on between them, they are no pair, and h is
// returned as it is.
func (h NoiseHistory) Add(before, after HostSnapshot) NoiseHistory {
	d, id := Diff(before, after), before.Identity
	if !d.comparable() || id.MachineID == nil || *d.ElapsedMS <= 0 {
		return h
	}
	pair := NoisePair{At: after.ObservedAt.UTC(), ElapsedMS: *d.ElapsedMS, Deltas: map[string]float64{}}
	for _, f := range d.Host.fields() {
		if f.Delta != nil {
			pair.Deltas[f.name] = math.Abs(*f.Delta)
		}
	}
	return h.Merge(NoiseHistory{MachineID: *id.MachineID, BootID: *id.BootID, Pairs: []NoisePair{pair}})
}

// Merge returns the pairs of both, each once. Where they are of different
// machines or boots, only those of newer are left.
func (h NoiseHistory) Merge(newer NoiseHistory) NoiseHistory {
	if newer.BootID == "" {
		return h
	}
	all := slices.Clone(newer.Pairs)
	if h.MachineID == newer.MachineID && h.BootID == newer.BootID {
		all = append(slices.Clone(h.Pairs), all...)
	}
	slices.SortStableFunc(all, func(a, b NoisePair) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ElapsedMS, b.ElapsedMS))
	})
	all = slices.CompactFunc(all, func(a, b NoisePair) bool { return a.At.Equal(b.At) && a.ElapsedMS == b.ElapsedMS })
	return NoiseHistory{MachineID: newer.MachineID, BootID: newer.BootID, Pairs: all[max(0, len(all)-MaxNoisePairs):]}
}

// Diff is the function Diff, with the noise floor of each value and the verdict
// that follows from it. Where before is of another machine or boot than h, or
// the time between the two is unknown, there are none.
func (h NoiseHistory) Diff(before, after HostSnapshot) Delta {
	d := Diff(before, after)
	if !d.comparable() || !h.about(before.Identity) {
		return d
	}
	elapsed := time.Duration(*d.ElapsedMS) * time.Millisecond
	for _, f := range d.Host.fields() {
		n := h.floor(f.name, elapsed)
		f.NoiseFloor, f.NoisePairs = n.NoiseFloor, n.NoisePairs
		if f.NoiseFloor != nil && f.Delta != nil {
			f.Significant = new(math.Abs(*f.Delta) > *f.NoiseFloor)
		}
	}
	return d
}

// Floors returns the noise floor of each field of HostDelta, in their order,
// for differences over that long.
func (h NoiseHistory) Floors(elapsed time.Duration) []FieldNoise {
	floors := []FieldNoise{}
	for _, f := range new(HostDelta).fields() {
		floors = append(floors, h.floor(f.name, elapsed))
	}
	return floors
}

// Pairs count for a difference whose lag is half as long to four times as long.
// The longer the lag, the more a value moves: so a pair with a shorter one
// counts as if it had gone on as it did, and one with a longer one counts as it
// is. The floor may come out too high by that, never too low.
const (
	lagShorter = 2.0
	lagLonger  = 4.0
)

// floor is the 95th percentile of |delta| of the pairs that count, of which
// there are n. By nearest rank that is the one of rank ⌈0.95 (n+1)⌉: the rank
// is taken among the pairs and the difference that is to be judged together,
// as that is one more of the same if there is nothing to it, and it then comes
// out above the floor one time in twenty or less often. So of 20 pairs it is the
// largest; ⌈0.95 n⌉, the 19th of them, would be passed two times in 21. It
// takes 19 pairs to have such a rank at all, which is why MinNoisePairs is what
// it is.
func (h NoiseHistory) floor(field string, elapsed time.Duration) FieldNoise {
	var all []float64
	for _, p := range h.Pairs {
		d, known := p.Deltas[field]
		lag, want := float64(p.ElapsedMS), float64(elapsed.Milliseconds())
		if !known || lag <= 0 || lag*lagShorter < want || lag > want*lagLonger {
			continue
		}
		if lag < want {
			d = math.Round(d*want/lag*1e6) / 1e6
		}
		all = append(all, d)
	}
	n := FieldNoise{Field: field, NoisePairs: int64(len(all))}
	if len(all) < MinNoisePairs {
		return n
	}
	slices.Sort(all)
	rank := (95*(len(all)+1) + 99) / 100
	n.NoiseFloor = &all[rank-1]
	return n
}

// comparable reports whether the two snapshots of d are of one boot, and how
// far apart they are is known.
func (d *Delta) comparable() bool { return d.SameBoot != nil && *d.SameBoot && d.ElapsedMS != nil }

// A namedDelta is a field of a HostDelta, in place.
type namedDelta struct {
	name string // as in JSON
	*FieldDelta
}

// fields returns every field of d, in their order.
func (d *HostDelta) fields() []namedDelta {
	return []namedDelta{
		{"load1", &d.Load1},
		{"cpu_busy_seconds_total", &d.CPUBusySecondsTotal},
		{"pressure_cpu_some_stall_us_total", &d.PressureCPUUSTotal},
		{"pressure_memory_some_stall_us_total", &d.PressureMemUSTotal},
		{"pressure_io_some_stall_us_total", &d.PressureIOUSTotal},
		{"memory_available_bytes", &d.MemoryAvailableBytes},
		{"swap_free_bytes", &d.SwapFreeBytes},
		{"disk_root_avail_bytes", &d.DiskRootAvailBytes},
		{"containers_running", &d.ContainersRunning},
		{"processes_count", &d.ProcessesCount},
		{"oom_kills_total", &d.OOMKillsTotal},
	}
}
