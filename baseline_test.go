package sandboxer

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A story is a Collector that tells what a host looks like at each look, from
// the first on; the clock is that of the test.
type story struct {
	tell  func(look int, s *HostSnapshot) error // look counts from 0
	looks int
}

func (c *story) Collect(context.Context, Host, CollectOptions) (Observation, error) {
	now := time.Now()
	s := moment("b", 0, 5e9)
	s.ObservedAt, s.CPU.LogicalCount = &now, new(int64(2))
	err := c.tell(c.looks, &s)
	c.looks++
	return Observation{Snapshot: s}, err
}

func TestBaseline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &story{tell: func(look int, s *HostSnapshot) error {
			s.Load.Load1 = new(float64(look * look))
			return nil
		}}
		b, begun := &Sandboxer{Collector: c}, time.Now()
		got, err := b.Baseline(t.Context(), still, BaselineOptions{Pairs: 3, Lag: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); c.looks != 4 || took != 6*time.Second {
			t.Errorf("got %d looks in %v, want 4 in 6s", c.looks, took)
		}
		var pairs []NoisePair
		for i, load := range []float64{1, 3, 5} {
			pairs = append(pairs, NoisePair{
				At: begun.Add(time.Duration(i+1) * 2 * time.Second).UTC(), ElapsedMS: 2000,
				Deltas: map[string]float64{"load1": load, "memory_available_bytes": 0, "containers_running": 0},
			})
		}
		if diff := cmp.Diff(NoiseHistory{MachineID: "m", BootID: "b", Pairs: pairs}, got); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
	})
}

// A look that takes long, as the first does for which a connection is made,
// brings the next one no nearer.
func TestBaselineSlowLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Sandboxer{Collector: &story{tell: func(look int, s *HostSnapshot) error {
			if look == 0 {
				time.Sleep(10 * time.Second) // on the clock of synctest
				s.ObservedAt = new(time.Now())
			}
			return nil
		}}}
		got, err := b.Baseline(t.Context(), still, BaselineOptions{Pairs: 2, Lag: 2 * time.Second})
		if err != nil || got.Pairs[0].ElapsedMS != 2000 || got.Pairs[1].ElapsedMS != 2000 {
			t.Errorf("got %+v, %v, want both pairs two seconds apart", got.Pairs, err)
		}
	})
}

func TestBaselineDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, begun := &Sandboxer{Collector: &story{tell: func(int, *HostSnapshot) error { return nil }}}, time.Now()
		got, err := b.Baseline(t.Context(), still, BaselineOptions{})
		if took := time.Since(begun); err != nil || len(got.Pairs) != MinNoisePairs || took != MinNoisePairs*DefaultLag {
			t.Errorf("got %d pairs in %v, %v, want %d, %v apart", len(got.Pairs), took, err, MinNoisePairs, DefaultLag)
		}
		for _, opts := range []BaselineOptions{{Pairs: -1}, {Pairs: MaxNoisePairs + 1}, {Lag: -1}} {
			if _, err := b.Baseline(t.Context(), still, opts); err == nil {
				t.Errorf("%+v: got no error", opts)
			}
		}
	})
}

// What was measured before it failed is not lost.
func TestBaselineFails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		tell  func(context.CancelFunc, int, *HostSnapshot) error
		is    error // nil: any
		pairs int
	}{
		{"the host goes", func(_ context.CancelFunc, look int, _ *HostSnapshot) error {
			if look == 2 {
				return io.EOF
			}
			return nil
		}, io.EOF, 1},
		{"it is booted", func(_ context.CancelFunc, look int, s *HostSnapshot) error {
			if look == 2 {
				s.Identity.BootID = new("c")
			}
			return nil
		}, nil, 1},
		{"no identity", func(_ context.CancelFunc, _ int, s *HostSnapshot) error {
			s.Identity.MachineID = nil
			return nil
		}, ErrIncomplete, 0},
		{"no clock", func(_ context.CancelFunc, _ int, s *HostSnapshot) error {
			s.ObservedAt = nil
			return nil
		}, ErrIncomplete, 0},
		{"the caller has enough", func(stop context.CancelFunc, look int, _ *HostSnapshot) error {
			if look == 2 {
				stop()
			}
			return nil
		}, context.Canceled, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				c := &story{tell: func(look int, s *HostSnapshot) error { return tt.tell(stop, look, s) }}
				got, err := (&Sandboxer{Collector: c}).Baseline(ctx, still, BaselineOptions{})
				if err == nil || tt.is != nil && !errors.Is(err, tt.is) || len(got.Pairs) != tt.pairs {
					t.Errorf("got %d pairs, %v, want %d, %v", len(got.Pairs), err, tt.pairs, tt.is)
				}
			})
		})
	}
}

func TestBaselineDocument(t *testing.T) {
	h := pairsOf(5, upTo(20)...)
	doc, err := new(Sandboxer).NewBaselineDocument(still, h, 5*time.Second, 7)
	if err != nil {
		t.Fatal(err)
	}
	if *doc.BootID != "b" || *doc.Host.MachineID != "m" || doc.LagMS != 5000 || doc.PairsTaken != 7 || doc.PairsKept != 20 {
		t.Errorf("got %+v", doc)
	}
	want := FieldNoise{Field: "memory_available_bytes", NoiseFloor: new(20.0), NoisePairs: 20}
	if diff := cmp.Diff(want, doc.Fields[5]); diff != "" || len(doc.Fields) != 11 {
		t.Errorf("got %d fields, want 11; the sixth (-want +got):\n%s", len(doc.Fields), diff)
	}
}
