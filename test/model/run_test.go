// Package model puts everything that may happen to a host, in an order that
// only a seed knows, before the reaper, and compares what it does with a model
// that is small enough to be read.
package model

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

var (
	seed  = flag.Uint64("model.seed", 0, "run the model with this seed alone")
	steps = flag.Int("model.ops", 500, "operations of each run of the model")
)

// TestModel runs four times as many operations as the flag says, beside each
// other.
func TestModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, s := range seeds {
		t.Run(fmt.Sprint("seed ", s), func(t *testing.T) {
			t.Parallel()
			runModel(t, s, *steps, newShelf)
		})
	}
}

// The same, and fewer, with engines that run something.
func TestModelOfProcesses(t *testing.T) {
	t.Parallel()
	runModel(t, max(*seed, 1), *steps*2/5, newProcesses)
}

func TestModelOfDocker(t *testing.T) {
	t.Parallel()
	runModel(t, max(*seed, 1), *steps*3/25, newDocker)
}

func runModel(t *testing.T, seed uint64, n int, with func(testing.TB, *machine) engine) {
	t.Helper()
	w := newWorld(t, seed, with)
	if err := w.run(n); err != nil {
		t.Fatalf("after %d operations: %v\n%s\nto see all of it: go test ./test/model -run '^%s$' -model.seed %d -model.ops %d",
			len(w.trace), err, w.story(), strings.Split(t.Name(), "/")[0], seed, *steps)
	}
}

func (w *world) run(n int) error {
	if err := w.check(); err != nil {
		return err
	}
	for len(w.trace) < n {
		if err := w.step(operations()); err != nil {
			return err
		}
	}
	return w.last()
}
