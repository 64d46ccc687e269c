// Package fanout does one thing to many items side by side. It is the only
// place of this module that does.
package fanout

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Result is what became of one item.
type Result[R any] struct {
	Value R
	Err   error
}

// Run calls work for each of items, at most limit at a time (one, where limit
// is less), and returns the results in the order of items once every call has
// returned. Items are begun in their order. One that fails stops no other.
//
// When ctx ends, no further call is begun: the items left get ctx's error.
// Those under way have ctx to know it by, and are waited for.
func Run[T, R any](ctx context.Context, limit int, items []T, work func(context.Context, T) (R, error)) []Result[R] {
	results := make([]Result[R], len(items))
	var begun atomic.Int64
	var workers sync.WaitGroup
	for range min(max(limit, 1), len(items)) {
		workers.Go(func() {
			for {
				i := int(begun.Add(1)) - 1
				if i >= len(items) {
					return
				}
				r := &results[i]
				if r.Err = ctx.Err(); r.Err == nil {
					r.Value, r.Err = work(ctx, items[i])
				}
			}
		})
	}
	workers.Wait()
	return results
}
