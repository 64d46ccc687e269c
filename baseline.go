package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultLag is how far apart the looks of a baseline are, unless
// BaselineOptions says otherwise.
const DefaultLag = 5 * time.Second

// BaselineOptions is how the noise of a host is measured. The zero value is
// valid.
type BaselineOptions struct {
	Pairs int           // zero is MinNoisePairs; at most MaxNoisePairs
	Lag   time.Duration // from the end of one look to the beginning of the next; zero is DefaultLag
}

// Baseline measures how far a host's values move while nothing is done to it:
// it looks at it once more than Pairs, Lag apart, and changes nothing. What it
// returns is the pairs of successive looks, also beside an error; the caller
// keeps them with those of before (NoiseHistory.Merge) and gives all of them to
// Sandboxer.Noise.
//
// A floor holds for differences over about as long as Lag. Where others work on
// the host meanwhile, what they do is the noise that is measured: so it is best
// taken when the host is as busy as it usually is.
func (b *Sandboxer) Baseline(ctx context.Context, host Host, opts BaselineOptions) (NoiseHistory, error) {
	var noise NoiseHistory
	pairs, lag, err := opts.check()
	if err != nil {
		return noise, err
	}
	last, err := b.Inspect(ctx, host)
	if err != nil {
		return noise, err
	}
	if who := last.Snapshot.Identity; who.MachineID == nil || who.BootID == nil || last.Snapshot.ObservedAt == nil {
		return noise, fmt.Errorf("the host's identity or its clock could not be read: %w", ErrIncomplete)
	}
	for n := 1; n <= pairs; n++ {
		// Counted from the end of a look, so that one that takes long brings the
		// next no nearer: too near, they would be no pair of that lag.
		select {
		case <-ctx.Done():
			return noise, fmt.Errorf("wait for pair %d of %d: %w", n, pairs, ctx.Err())
		case <-time.After(lag):
		}
		next, err := b.Inspect(ctx, host)
		if err != nil {
			return noise, err
		}
		if noise = noise.Add(last.Snapshot, next.Snapshot); len(noise.Pairs) != n {
			return noise, errors.New("the host was booted meanwhile, or its clock was set")
		}
		b.emit(Event{Host: host.Name(), Message: fmt.Sprintf("pair %d of %d", n, pairs)})
		last = next
	}
	return noise, nil
}

func (o BaselineOptions) check() (pairs int, lag time.Duration, err error) {
	pairs, lag = o.Pairs, o.Lag
	if pairs == 0 {
		pairs = MinNoisePairs
	}
	if lag == 0 {
		lag = DefaultLag
	}
	if pairs < 0 || pairs > MaxNoisePairs || lag < 0 {
		return 0, 0, fmt.Errorf("%d pairs, %v apart: want 1 to %d, and a positive lag", pairs, lag, MaxNoisePairs)
	}
	return pairs, lag, nil
}

// A Baseline is how far a host's values move while nothing is done to it.
type Baseline struct {
	BootID     *string      `json:"boot_id"`     // the boot it is about
	LagMS      int64        `json:"lag_ms"`      // how far apart two looks are for which the floors hold: half as long to four times as long counts
	PairsTaken int64        `json:"pairs_taken"` // by this run
	PairsKept  int64        `json:"pairs_kept"`  // of this boot, at whatever lag
	Fields     []FieldNoise `json:"fields"`      // one for each field of Delta.host, in their order
}

// NewBaselineDocument wraps what is known of host: noise is all of it, and
// taken how many pairs of that are new.
func (b *Sandboxer) NewBaselineDocument(host Host, noise NoiseHistory, lag time.Duration, taken int) (BaselineDocument, error) {
	var about Observation
	if noise.BootID != "" {
		about.Snapshot.Identity = Identity{MachineID: &noise.MachineID, BootID: &noise.BootID}
	}
	h, err := b.documentHeader(host, KindBaseline, about)
	return BaselineDocument{Header: h, Baseline: Baseline{
		BootID: about.Snapshot.Identity.BootID, LagMS: lag.Milliseconds(),
		PairsTaken: int64(taken), PairsKept: int64(len(noise.Pairs)), Fields: noise.Floors(lag),
	}}, err
}

// noise is what is known of the host that a snapshot is of.
func (b *Sandboxer) noise(host Host, of Identity) NoiseHistory {
	if b.Noise == nil {
		return NoiseHistory{}
	}
	return b.Noise(host, of)
}

// diff is Diff with the verdicts that the host's noise allows.
func (b *Sandboxer) diff(host Host, before, after HostSnapshot) Delta {
	return b.noise(host, before.Identity).Diff(before, after)
}
