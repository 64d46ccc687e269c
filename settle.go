package sandboxer

import (
	"context"
	"math"
	"time"
)

// restWindow is how far apart the looks are at a host that is to come to rest:
// near enough to DefaultLag for what a baseline at that lag has measured to
// hold, and long enough for a clock tick of 10 ms not to matter.
const restWindow = 3 * time.Second

// restShare is how much two windows may differ where no noise floor is known.
const restShare = 0.05

// lookAtRest looks at host, for the sake of a sandbox; with most above zero it
// looks again, restWindow after each look, until two successive windows agree or
// that time has passed, and says whether they did. The observation is the last
// one.
func (b *Sandboxer) lookAtRest(ctx context.Context, host Host, id ID, most time.Duration) (Observation, *bool, error) {
	last, err := b.collect(ctx, host, id)
	if err != nil || most <= 0 {
		return last, nil, err
	}
	noise, settled := b.noise(host, last.Snapshot.Identity), false
	looks := []HostSnapshot{last.Snapshot}
	end := time.After(most)
	for over := false; !over && !settled; {
		select {
		case <-ctx.Done():
			return last, nil, ctx.Err()
		case <-end:
			over = true
		case <-time.After(restWindow):
		}
		if last, err = b.collect(ctx, host, id); err != nil {
			return last, nil, err
		}
		looks = append(looks[max(0, len(looks)-2):], last.Snapshot)
		settled = len(looks) == 3 && agree(noise, looks[0], looks[1], looks[2])
	}
	return last, &settled, nil
}

// agree reports whether the host did the same from b to c as from a to b, and
// has as much memory left: each to within the noise floor of that value, or,
// where none is known, a twentieth of what there is. Values that could not be
// read decide nothing; where that is all of them, nobody knows, and it does
// not.
func agree(noise NoiseHistory, a, b, c HostSnapshot) bool {
	first, second := Diff(a, b), noise.Diff(b, c)
	if !first.comparable() || !second.comparable() || *first.ElapsedMS <= 0 || *second.ElapsedMS <= 0 {
		return false
	}
	was, is := float64(*first.ElapsedMS)/1000, float64(*second.ElapsedMS)/1000
	if was > 2*is || is > 2*was {
		return false // the last window was cut short: too little to go by
	}
	x, y := &first.Host, &second.Host
	checks := []struct {
		moved *float64 // how far apart the two windows are
		floor *float64
		whole *float64 // what there is of it in a window
	}{
		{further(x.CPUBusySecondsTotal, y.CPUBusySecondsTotal, is/was), y.CPUBusySecondsTotal.NoiseFloor, times(toFloat(c.CPU.LogicalCount), is)},
		{further(x.PressureCPUUSTotal, y.PressureCPUUSTotal, is/was), y.PressureCPUUSTotal.NoiseFloor, new(is * 1e6)},
		{further(x.PressureMemUSTotal, y.PressureMemUSTotal, is/was), y.PressureMemUSTotal.NoiseFloor, new(is * 1e6)},
		{further(x.PressureIOUSTotal, y.PressureIOUSTotal, is/was), y.PressureIOUSTotal.NoiseFloor, new(is * 1e6)},
		{y.MemoryAvailableBytes.Delta, y.MemoryAvailableBytes.NoiseFloor, y.MemoryAvailableBytes.Before},
	}
	known := false
	for _, check := range checks {
		allowed := check.floor
		if allowed == nil {
			allowed = times(check.whole, restShare)
		}
		if check.moved == nil || allowed == nil {
			continue
		}
		if known = true; math.Abs(*check.moved) > *allowed {
			return false
		}
	}
	return known
}

// further is how much more a counter has counted in the second window than in
// the first, had that been as long: ratio times what it was.
func further(first, second FieldDelta, ratio float64) *float64 {
	if first.Delta == nil || second.Delta == nil {
		return nil
	}
	return new(*second.Delta - *first.Delta*ratio)
}

func times(f *float64, by float64) *float64 {
	if f == nil {
		return nil
	}
	return new(*f * by)
}
