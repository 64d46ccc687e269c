package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tegwick/sand-boxer/internal/fanout"
)

func numbers(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// A gauge counts how many are at it now, and how many ever were at a time.
type gauge struct{ now, most, all atomic.Int64 }

func (g *gauge) enter() {
	g.all.Add(1)
	now := g.now.Add(1)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

// The bound is reached, and never passed; later items may end before earlier
// ones, and the order of the results is that of the items all the same.
func TestRun(t *testing.T) {
	for _, tt := range []struct{ items, limit, most int }{
		{0, 4, 0}, {1, 4, 1}, {3, 4, 3}, {4, 4, 4}, {50, 4, 4}, {50, 1, 1}, {5, 0, 1}, {5, -3, 1}, {50, 50, 50}, {50, 1000, 50},
	} {
		t.Run(fmt.Sprintf("%d of %d", tt.limit, tt.items), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var g gauge
				odd := errors.New("odd")
				got := fanout.Run(t.Context(), tt.limit, numbers(tt.items), func(_ context.Context, i int) (string, error) {
					g.enter()
					defer g.leave()
					time.Sleep(time.Duration(tt.items-i) * time.Second) // until all others have come so far
					if i%2 == 1 {
						return "", odd
					}
					return fmt.Sprint(i), nil
				})
				want := make([]fanout.Result[string], tt.items)
				for i := range want {
					if want[i].Value = fmt.Sprint(i); i%2 == 1 {
						want[i] = fanout.Result[string]{Err: odd}
					}
				}
				if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
				if most, now := int(g.most.Load()), g.now.Load(); most != tt.most || now != 0 {
					t.Errorf("got %d at a time and %d left, want %d and none", most, now, tt.most)
				}
			})
		})
	}
}

// Items are begun in their order: what is named first is not left to the end.
func TestOrderOfBeginning(t *testing.T) {
	var begun []int
	fanout.Run(t.Context(), 1, numbers(9), func(_ context.Context, i int) (int, error) {
		begun = append(begun, i)
		return i, errors.New("failed")
	})
	if diff := cmp.Diff(numbers(9), begun); diff != "" {
		t.Errorf("begun (-want +got):\n%s", diff)
	}
}

// Once the context has ended nothing is begun, and what is under way is
// waited for.
func TestEndOfContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var g gauge
		got := fanout.Run(ctx, 3, numbers(8), func(ctx context.Context, i int) (string, error) {
			g.enter()
			defer g.leave()
			if i == 1 {
				synctest.Wait() // for the other two
				cancel()
				return "", errors.New("of its own")
			}
			<-ctx.Done()
			time.Sleep(time.Minute) // it takes its time to clean up
			return "ended late", nil
		})
		want := []fanout.Result[string]{
			{Value: "ended late"}, {Err: errors.New("of its own")}, {Value: "ended late"},
			{Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled},
		}
		sameText := cmp.Comparer(func(a, b error) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
		if diff := cmp.Diff(want, got, sameText); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if all, now := g.all.Load(), g.now.Load(); all != 3 || now != 0 {
			t.Errorf("got %d begun and %d left, want 3 and none", all, now)
		}
	})
}
