package sandboxer_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

// A calm collector sees the real host, on the clock of the test, by which a look
// takes a while, but for its gauges: those stand still until one gigabyte is
// gone at once.
type calm struct {
	begun, host time.Time // of one moment, both
	gone        int       // the look from which on it is
	looks       int
}

func (c *calm) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := probe.Collector{}.Collect(ctx, host, opts)
	if err != nil {
		return obs, err
	}
	s := &obs.Snapshot
	if c.looks == 0 {
		c.begun, c.host = time.Now(), *s.ObservedAt
	}
	memory := int64(8e9)
	if c.looks++; c.looks >= c.gone {
		memory = 7e9
	}
	s.ObservedAt, s.ClockOffsetMS = new(c.host.Add(time.Since(c.begun))), new(int64(0))
	s.CPU, s.Load, s.Pressure = sandboxer.CPU{}, sandboxer.Load{}, sandboxer.Pressures{}
	s.Memory = sandboxer.Memory{AvailableBytes: &memory}
	time.Sleep(1250 * time.Millisecond) // on the clock of synctest
	return obs, nil
}

// noisy is a host whose memory moves by so much in five seconds.
func noisy(bytes float64) func(sandboxer.Host, sandboxer.Identity) sandboxer.NoiseHistory {
	return func(_ sandboxer.Host, of sandboxer.Identity) sandboxer.NoiseHistory {
		h := sandboxer.NoiseHistory{MachineID: *of.MachineID, BootID: *of.BootID}
		for range sandboxer.MinNoisePairs {
			h.Pairs = append(h.Pairs, sandboxer.NoisePair{ElapsedMS: 5000, Deltas: map[string]float64{"memory_available_bytes": bytes}})
		}
		return h
	}
}

// A create waits for the host to come to rest if it is told to, and judges what
// has changed by the noise that is known; so does a destroy.
func TestCreateNoise(t *testing.T) {
	tests := []struct {
		name    string
		settle  time.Duration
		noise   func(sandboxer.Host, sandboxer.Identity) sandboxer.NoiseHistory
		looks   int // of the create
		settled string
		create  string // verdict on the gigabyte
		destroy string // on nothing
	}{
		{"neither", 0, nil, 2, "null", "null of 0", "null of 0"},
		{"above the noise", 0, noisy(1e6), 2, "null", "true of 20", "false of 20"},
		{"settled", time.Minute, nil, 4, "true", "null of 0", "null of 0"},
		{"settled, above the noise", time.Minute, noisy(1e6), 4, "true", "true of 20", "false of 20"},
		{"settled, in the noise", time.Minute, noisy(1e9), 4, "true", "false of 20", "false of 20"},
		{"given up", 4 * time.Second, noisy(1e6), 4, "false", "true of 20", "false of 20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, spec, looks := newWorld(t, dummy{}), dummySpec(), &calm{gone: 2}
			w.box.Collector, w.box.Noise, spec.Settle = looks, tt.noise, tt.settle
			synctest.Test(t, func(t *testing.T) {
				status, err := w.box.Create(t.Context(), w.host, spec)
				if err != nil {
					t.Fatal(err)
				}
				d := status.Telemetry.ProvisionDelta
				settled := "null"
				if d.Settled != nil {
					settled = fmt.Sprint(*d.Settled)
				}
				if got := judged(d); looks.looks != tt.looks || settled != tt.settled || got != tt.create {
					t.Errorf("got %d looks, settled %s, %s, want %d, %s, %s", looks.looks, settled, got, tt.looks, tt.settled, tt.create)
				}
				gone, err := w.box.Destroy(t.Context(), w.host, status.SandboxID)
				if err != nil {
					t.Fatal(err)
				}
				if d := gone.Telemetry.DestroyDelta; d.Settled != nil || judged(d) != tt.destroy {
					t.Errorf("destroy: got settled %v, %s, want it not waited for, and %s", d.Settled, judged(d), tt.destroy)
				}
			})
			w.empty("after destroy")
		})
	}
}

// judged is what a delta says of the memory.
func judged(d *sandboxer.Delta) string {
	verdict, m := "null", d.Host.MemoryAvailableBytes
	if m.Significant != nil {
		verdict = fmt.Sprint(*m.Significant)
	}
	return fmt.Sprintf("%s of %d", verdict, m.NoisePairs)
}

func TestReapNoise(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Collector, w.box.Noise = &calm{gone: 4}, noisy(1e6)
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		w.create(shortLived())
		result, err := w.box.Reap(t.Context(), w.host, w.plan(young))
		if err != nil || result.RemovedCount != 1 {
			t.Fatalf("got %+v, %v, want it removed", result, err)
		}
		if got := judged(result.DestroyDelta); got != "false of 20" {
			t.Errorf("got %s, want false of 20", got)
		}
	})
}
