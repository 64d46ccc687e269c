package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A crowd is a Collector for hosts of which only the name is known: number n
// answers after as many seconds, with its number for a load; one whose number
// is divisible by five fails.
type crowd struct {
	mu        sync.Mutex
	now, most int
	looks     int
}

func (c *crowd) Collect(ctx context.Context, host Host, _ CollectOptions) (Observation, error) {
	c.mu.Lock()
	c.looks++
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	var n int
	fmt.Sscanf(host.Name(), "h%d", &n)
	select {
	case <-ctx.Done():
		return Observation{}, &HostError{Host: host.Name(), Op: "run", Started: true, Err: ctx.Err()}
	case <-time.After(time.Duration(n) * time.Second):
	}
	if n%5 == 0 {
		return Observation{}, &HostError{Host: host.Name(), Op: "dial", Err: io.EOF}
	}
	return Observation{Snapshot: HostSnapshot{Load: Load{Load1: new(float64(n))}}}, nil
}

// crowdOf returns n hosts; the slowest comes first.
func crowdOf(n int) []Host {
	hosts := make([]Host, n)
	for i := range hosts {
		hosts[i] = namedHost{name: fmt.Sprintf("h%d", n-i)}
	}
	return hosts
}

// outcomes tells of each Inspection in a word.
func outcomes(all []Inspection) []string {
	var out []string
	for _, one := range all {
		word := one.Host.Name()
		var failed *HostError
		switch load := one.Observation.Snapshot.Load.Load1; {
		case errors.As(one.Err, &failed):
			word += fmt.Sprintf(" %s %v %v", failed.Op, failed.Err, failed.Started)
		case one.Err != nil:
			word += " " + one.Err.Error()
		case load != nil:
			word += fmt.Sprintf(" load %g", *load)
		}
		out = append(out, word)
	}
	return out
}

// The answers come in the order of the hosts, whichever is first to answer,
// and no more are asked at a time than may be.
func TestInspectAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		b := &Sandboxer{Collector: &c}
		var mu sync.Mutex
		var done []string
		opts := InspectAllOptions{Parallel: 3, Timeout: 6500 * time.Millisecond, Done: func(one *Inspection) {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, one.Host.Name())
			if one.Host.Name() == "h2" {
				one.Observation = Observation{}
			}
		}}
		got := outcomes(b.InspectAll(t.Context(), crowdOf(7), opts))
		want := []string{
			"h7 run context deadline exceeded true", "h6 load 6", "h5 dial EOF false", "h4 load 4", "h3 load 3", "h2", "h1 load 1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if done[0] != "h5" {
			t.Errorf("got %s done first, want h5: it did not wait for h7, which began with it", done[0])
		}
		slices.Sort(done)
		if diff := cmp.Diff([]string{"h1", "h2", "h3", "h4", "h5", "h6", "h7"}, done); diff != "" {
			t.Errorf("done, sorted (-want +got):\n%s", diff)
		}
		if c.most != 3 || c.looks != 7 {
			t.Errorf("got %d looks, %d at a time, want 7 and 3", c.looks, c.most)
		}
	})
}

// Without a number it is DefaultParallel.
func TestInspectAllParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c crowd
		b := &Sandboxer{Collector: &c}
		if got := len(b.InspectAll(t.Context(), crowdOf(100), InspectAllOptions{})); got != 100 || c.most != DefaultParallel {
			t.Errorf("got %d results, %d at a time, want 100 and %d", got, c.most, DefaultParallel)
		}
		if got := b.InspectAll(t.Context(), nil, InspectAllOptions{}); len(got) != 0 {
			t.Errorf("no hosts: got %v, want nothing", got)
		}
	})
}

// Where the context has ended, hosts whose turn had not come were not touched,
// and the error says so.
func TestInspectAllInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3500*time.Millisecond, errors.New("closing time"))
		defer cancel()
		var c crowd
		b := &Sandboxer{Collector: &c}
		var mu sync.Mutex
		var done []string
		got := outcomes(b.InspectAll(ctx, crowdOf(4), InspectAllOptions{Parallel: 2, Done: func(one *Inspection) {
			mu.Lock()
			defer mu.Unlock()
			done = append(done, one.Host.Name())
		}}))
		want := []string{
			"h4 run context deadline exceeded true", "h3 load 3",
			"h2 run context deadline exceeded true", "h1 start context deadline exceeded: closing time false",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		slices.Sort(done)
		if diff := cmp.Diff([]string{"h1", "h2", "h3", "h4"}, done); diff != "" {
			t.Errorf("done (-want +got):\n%s", diff)
		}
		if c.looks != 3 {
			t.Errorf("got %d looks, want 3", c.looks)
		}
	})
}

// What is missing is an error of each host, as with Inspect.
func TestInspectAllRequiredFields(t *testing.T) {
	var b Sandboxer
	got := outcomes(b.InspectAll(t.Context(), crowdOf(2), InspectAllOptions{}))
	want := []string{"h2 Sandboxer.Collector is nil", "h1 Sandboxer.Collector is nil"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}
