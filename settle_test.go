package sandboxer

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// counting sets a host's counters to what they are once it has used so many
// seconds of CPU time.
func counting(s *HostSnapshot, cpu float64) { s.CPU.BusySecondsTotal = &cpu }

func TestLookAtRest(t *testing.T) {
	// A host that works hard until its third window, and then less.
	busy := []float64{0, 6, 9, 9.1, 9.2, 9.3, 9.4, 9.5}
	falling := func(look int, s *HostSnapshot) error {
		s.Memory.AvailableBytes = new(int64(5e9 - look*1e9))
		return nil
	}
	working := func(look int, s *HostSnapshot) error { counting(s, busy[look]); return nil }
	tests := []struct {
		name    string
		tell    func(int, *HostSnapshot) error
		most    time.Duration
		settled string
		looks   int
		took    time.Duration
	}{
		{"not asked for", working, 0, "null", 1, 0},
		{"at rest at once", func(int, *HostSnapshot) error { return nil }, time.Minute, "true", 3, 6 * time.Second},
		{"a last window too short to tell", func(int, *HostSnapshot) error { return nil }, 4 * time.Second, "false", 3, 4 * time.Second},
		{"at rest after a while", working, time.Minute, "true", 5, 12 * time.Second},
		{"a steady load is rest", func(look int, s *HostSnapshot) error { counting(s, 3*float64(look)); return nil }, time.Minute, "true", 3, 6 * time.Second},
		{"never", falling, 10 * time.Second, "false", 5, 10 * time.Second},
		{"just in time", working, 12 * time.Second, "true", 5, 12 * time.Second},
		{"no time for two windows", working, 5 * time.Second, "false", 3, 5 * time.Second},
		{"no time at all", working, time.Second, "false", 2, time.Second},
		{"nothing to be read", func(_ int, s *HostSnapshot) error {
			*s = HostSnapshot{Identity: s.Identity, ObservedAt: s.ObservedAt}
			return nil
		}, 10 * time.Second, "false", 5, 10 * time.Second},
		{"booted", func(look int, s *HostSnapshot) error { s.Identity.BootID = new(string(rune('a' + look))); return nil }, 7 * time.Second, "false", 4, 7 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, begun := &story{tell: tt.tell}, time.Now()
				obs, settled, err := (&Sandboxer{Collector: c}).lookAtRest(t.Context(), still, "", tt.most)
				if err != nil {
					t.Fatal(err)
				}
				got := "null"
				if settled != nil && *settled {
					got = "true"
				} else if settled != nil {
					got = "false"
				}
				if took := time.Since(begun); got != tt.settled || c.looks != tt.looks || took != tt.took {
					t.Errorf("got settled %s after %d looks in %v, want %s, %d, %v", got, c.looks, took, tt.settled, tt.looks, tt.took)
				}
				if at := obs.Snapshot.ObservedAt; !at.Equal(time.Now()) {
					t.Errorf("got a look at %v, want the last one, at %v", at, time.Now())
				}
			})
		})
	}
}

// What is known of the noise of a host decides what rest is.
func TestLookAtRestWithNoise(t *testing.T) {
	// It uses half a second more in each window than in the one before.
	working := func(look int, s *HostSnapshot) error {
		counting(s, 0.25*float64(look*look))
		s.Identity.MachineID = new("m")
		return nil
	}
	var loud NoiseHistory
	for i := range MinNoisePairs {
		before, after := moment("b", 100*float64(i), 0), moment("b", 100*float64(i)+5, 1e6)
		counting(&before, 0)
		counting(&after, 0.6)
		loud = loud.Add(before, after)
	}
	for name, tt := range map[string]struct {
		noise func(Host, Identity) NoiseHistory
		want  bool
	}{
		"known":     {func(Host, Identity) NoiseHistory { return loud }, true},
		"unknown":   {nil, false},
		"another's": {func(Host, Identity) NoiseHistory { return NoiseHistory{MachineID: "n", BootID: "b", Pairs: loud.Pairs} }, false},
		"known too badly": {func(Host, Identity) NoiseHistory {
			return NoiseHistory{MachineID: "m", BootID: "b", Pairs: loud.Pairs[1:]}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &Sandboxer{Collector: &story{tell: working}, Noise: tt.noise}
				_, settled, err := b.lookAtRest(t.Context(), still, "", 7*time.Second)
				if err != nil || *settled != tt.want {
					t.Errorf("got %v, %v, want %v", *settled, err, tt.want)
				}
			})
		})
	}
}

func TestLookAtRestFails(t *testing.T) {
	for name, tt := range map[string]struct {
		fails int
		is    error
	}{"at first": {0, io.EOF}, "later": {1, io.EOF}, "never": {9, context.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				c := &story{tell: func(look int, _ *HostSnapshot) error {
					if look == tt.fails {
						return io.EOF
					}
					return nil
				}}
				if _, _, err := (&Sandboxer{Collector: c}).lookAtRest(ctx, still, "", time.Minute); !errors.Is(err, tt.is) {
					t.Errorf("got %v, want %v", err, tt.is)
				}
			})
		})
	}
}
