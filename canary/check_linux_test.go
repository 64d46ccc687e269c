package canary

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer"
)

func TestCheckFsync(t *testing.T) {
	dir := t.TempDir()
	c := timed(func() sandboxer.CanaryCheck { return checkFsync(dir) })
	if c.Name != sandboxer.CheckWriteFsync || c.Status != sandboxer.Pass && c.Status != sandboxer.Warn {
		t.Errorf("got %s %s: %s, want %s pass or warn", c.Name, c.Status, c.Message, sandboxer.CheckWriteFsync)
	}
	if c.Value == nil || *c.Value <= 0 || c.Unit == nil || *c.Unit != "us" || c.Threshold == nil || *c.Threshold != 20000 || c.DurationMS == nil {
		t.Errorf("got %+v, want a value in us, a threshold and a duration", c)
	}
	if (*c.Value > *c.Threshold) != (c.Status == sandboxer.Warn) {
		t.Errorf("value %v, threshold %v: got %s", *c.Value, *c.Threshold, c.Status)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: got %v, %v, want nothing", left, err)
	}
}

func TestCheckFsyncFails(t *testing.T) {
	c := checkFsync(filepath.Join(t.TempDir(), "missing"))
	if c.Status != sandboxer.Fail || !strings.Contains(c.Message, "no such file") || c.Value != nil {
		t.Errorf("got %s %v: %s, want fail without a value", c.Status, c.Value, c.Message)
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, c := range []struct {
		d     []time.Duration
		share float64
		want  time.Duration
	}{
		{[]time.Duration{7}, 0.50, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{3, 1, 2}, 0.50, 2},
		{[]time.Duration{3, 1, 2}, 0.99, 3},
		{[]time.Duration{3, 1, 2}, 0, 1},
		{hundred, 0.50, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := percentile(c.d, c.share); got != c.want {
			t.Errorf("percentile(%d values, %v): got %d, want %d", len(c.d), c.share, got, c.want)
		}
	}
}

func TestCheckCPU(t *testing.T) {
	first, second := checkCPU(), checkCPU()
	if first.Status != sandboxer.Pass || first.Value == nil || *first.Value <= 0 || *first.Unit != "ms" {
		t.Errorf("got %+v, want pass with a value in ms", first)
	}
	_, one, _ := strings.Cut(first.Message, "(")
	_, two, _ := strings.Cut(second.Message, "(")
	if one != two {
		t.Errorf("work: got %q and %q, want the same each time", one, two)
	}
}
