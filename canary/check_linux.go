package canary

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/tegwick/sand-boxer"
)

// How the time of the checks is bounded. Provisioning waits for them, so that
// together they take some 300 ms on a healthy host.
const (
	fsyncThreshold = 20 * time.Millisecond // where etcd on OpenShift begins to suffer; etcd itself wants 10
	fsyncBlock     = 4 << 10
	fsyncMost      = 100
	fsyncLeast     = 10
	fsyncTime      = 250 * time.Millisecond

	cpuRounds = 3
	cpuSteps  = 4 << 20
)

// checkAll runs the checks that are made in the sandbox, one after the other:
// side by side they would measure each other.
func checkAll(ctx context.Context, env environment) sandboxer.CanaryResult {
	begin := time.Now()
	r := sandboxer.CanaryResult{Checks: []sandboxer.CanaryCheck{}}
	if !env.process { // else who started it says what it got
		r.Isolation = new("container")
	}
	r.Add(timed(func() sandboxer.CanaryCheck { return checkFsync(env.data) }))
	r.Add(timed(func() sandboxer.CanaryCheck { return checkMemory(ctx, env) }))
	r.Add(timed(checkCPU))
	r.Add(timed(func() sandboxer.CanaryCheck { return checkIsolation(env) }))
	r.DurationMS = new(time.Since(begin).Milliseconds())
	return r
}

func timed(check func() sandboxer.CanaryCheck) sandboxer.CanaryCheck {
	begin := time.Now()
	c := check()
	c.DurationMS = new(time.Since(begin).Milliseconds())
	return c
}

// milliseconds keeps microseconds as decimals.
func milliseconds(d time.Duration) *float64 {
	return new(float64(d.Microseconds()) / 1000)
}

// checkFsync appends blocks to a file in dir, as a database does to its log,
// and waits for the disk after each.
func checkFsync(dir string) sandboxer.CanaryCheck {
	c := sandboxer.CanaryCheck{Name: sandboxer.CheckWriteFsync}
	took, err := appendBlocks(dir)
	if err != nil {
		c.Status = sandboxer.Fail
		c.Message = err.Error()
		return c
	}
	p50, p99 := percentile(took, 0.50), percentile(took, 0.99)
	c.Status = sandboxer.Pass
	if p99 > fsyncThreshold {
		c.Status = sandboxer.Warn
	}
	c.Value = new(float64(p99.Microseconds()))
	c.Threshold = new(float64(fsyncThreshold.Microseconds()))
	c.Unit = new("us")
	c.Message = fmt.Sprintf("%d times 4 KiB written and synced: p50 %d us, p99 %d us", len(took), p50.Microseconds(), p99.Microseconds())
	return c
}

func appendBlocks(dir string) (took []time.Duration, err error) {
	file, err := os.CreateTemp(dir, ".fsync-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, fsyncBlock)
	for i := range block {
		block[i] = byte(i * 31) // not zeros, which a disk may not store
	}
	for begin := time.Now(); len(took) < fsyncMost && (len(took) < fsyncLeast || time.Since(begin) < fsyncTime); {
		start := time.Now()
		if _, err := file.Write(block); err != nil {
			return nil, err
		}
		if err := file.Sync(); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// percentile returns the nearest-rank percentile of d, which is not empty.
func percentile(d []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// checkCPU takes the time of work that is the same everywhere. It is for
// comparing hosts, and a host with itself: it passes always.
func checkCPU() sandboxer.CanaryCheck {
	best := time.Duration(math.MaxInt64)
	var x uint64 = 88172645463325252
	for range cpuRounds {
		start := time.Now()
		x = spin(x)
		best = min(best, time.Since(start))
	}
	return sandboxer.CanaryCheck{
		Name: sandboxer.CheckCPUSpeed, Status: sandboxer.Pass,
		Value: milliseconds(best), Unit: new("ms"),
		Message: fmt.Sprintf("fixed work took %.2f ms, best of %d (state %04x)", *milliseconds(best), cpuRounds, x&0xffff),
	}
}

// spin is Marsaglia's xorshift64, each step of which needs the one before: it
// measures how fast one core goes, whatever else it could do at once.
func spin(x uint64) uint64 {
	for range cpuSteps {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}
