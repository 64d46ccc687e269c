package sandboxer

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// moment is a host at a second of its clock, of the machine "m".
func moment(boot string, second float64, memory int64) HostSnapshot {
	at := time.Date(2026, time.March, 4, 9, 30, 0, 0, time.UTC).Add(time.Duration(second * float64(time.Second)))
	return HostSnapshot{
		ObservedAt: &at, Identity: Identity{MachineID: new("m"), BootID: &boot},
		Memory: Memory{AvailableBytes: &memory},
	}
}

// pairsOf returns a history of boot "b" with a pair for each |delta| of the
// memory available, all at the same lag in seconds.
func pairsOf(lag float64, memory ...int64) NoiseHistory {
	var h NoiseHistory
	for i, d := range memory {
		from := 1000 * float64(i)
		h = h.Add(moment("b", from, 0), moment("b", from+lag, d))
	}
	return h
}

// upTo returns 1, 2, … n.
func upTo(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i + 1)
	}
	return all
}

// Each field of a HostDelta is judged, by the name it has in JSON.
func TestHostDeltaFields(t *testing.T) {
	var d HostDelta
	v := reflect.ValueOf(&d).Elem()
	fields := d.fields()
	if len(fields) != v.NumField() {
		t.Fatalf("got %d fields, want all %d", len(fields), v.NumField())
	}
	for i, f := range fields {
		if name := v.Type().Field(i).Tag.Get("json"); f.name != name || v.Field(i).Addr().Interface() != f.FieldDelta {
			t.Errorf("field %d: got %s, want %s, in place", i, f.name, name)
		}
	}
}

func TestNoiseFloor(t *testing.T) {
	falling := NoiseHistory{}.Add(moment("b", -1000, 900), moment("b", -995, 100)) // by 800
	tests := []struct {
		name    string
		history NoiseHistory
		elapsed time.Duration
		floor   float64 // -1: none
		pairs   int64
	}{
		{"no pairs", NoiseHistory{}, 5 * time.Second, -1, 0},
		{"one too few", pairsOf(5, upTo(19)...), 5 * time.Second, -1, 19},
		{"just enough: the largest", pairsOf(5, upTo(20)...), 5 * time.Second, 20, 20},
		{"the 38th of 39", pairsOf(5, upTo(39)...), 5 * time.Second, 38, 39},
		{"the 96th of 100", pairsOf(5, upTo(100)...), 5 * time.Second, 96, 100},
		{"in any order", pairsOf(5, 20, 3, 1, 2, 4, 5, 6, 7, 9, 8, 10, 11, 12, 13, 14, 19, 16, 18, 17, 15), 5 * time.Second, 20, 20},
		{"whichever way", falling.Merge(pairsOf(5, upTo(19)...)), 5 * time.Second, 800, 20},
		{"half the lag counts in proportion", pairsOf(5, upTo(20)...), 10 * time.Second, 40, 20},
		{"less than half does not", pairsOf(5, upTo(20)...), 10002 * time.Millisecond, -1, 0},
		{"a longer lag counts as it is", pairsOf(8, upTo(20)...), 2 * time.Second, 20, 20},
		{"more than four times does not", pairsOf(8, upTo(20)...), 1999 * time.Millisecond, -1, 0},
		{"no time at all", pairsOf(5, upTo(20)...), 0, -1, 0},
		{"a lag nobody wrote", NoiseHistory{Pairs: make([]NoisePair, 30)}, 0, -1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.history.floor("memory_available_bytes", tt.elapsed)
			floor := -1.0
			if got.NoiseFloor != nil {
				floor = *got.NoiseFloor
			}
			if floor != tt.floor || got.NoisePairs != tt.pairs {
				t.Errorf("got %v of %d pairs, want %v of %d", floor, got.NoisePairs, tt.floor, tt.pairs)
			}
		})
	}
}

func TestNoiseDiff(t *testing.T) {
	enough, yes, no := pairsOf(5, upTo(20)...), "true", "false"
	tests := []struct {
		name          string
		history       NoiseHistory
		before, after HostSnapshot
		pairs         int64
		significant   string // "null": no verdict
	}{
		{"above", enough, moment("b", 0, 0), moment("b", 5, 21), 20, yes},
		{"above, as it falls", enough, moment("b", 0, 21), moment("b", 5, 0), 20, yes},
		{"at the floor", enough, moment("b", 0, 0), moment("b", 5, 20), 20, no},
		{"too few pairs", pairsOf(5, upTo(19)...), moment("b", 0, 0), moment("b", 5, 1e9), 19, "null"},
		{"no pairs", NoiseHistory{}, moment("b", 0, 0), moment("b", 5, 1e9), 0, "null"},
		{"another lag", enough, moment("b", 0, 0), moment("b", 60, 1e9), 0, "null"},
		{"another boot", enough, moment("c", 0, 0), moment("c", 5, 1e9), 0, "null"},
		{"a boot in between", enough, moment("b", 0, 0), moment("c", 5, 1e9), 0, "null"},
		{"another machine", NoiseHistory{MachineID: "n", BootID: "b", Pairs: enough.Pairs}, moment("b", 0, 0), moment("b", 5, 1e9), 0, "null"},
		{"a clock that stood still", enough, moment("b", 0, 0), moment("b", 0, 1e9), 0, "null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.history.Diff(tt.before, tt.after).Host.MemoryAvailableBytes
			verdict := "null"
			if got.Significant != nil {
				verdict = fmt.Sprint(*got.Significant)
			}
			if verdict != tt.significant || got.NoisePairs != tt.pairs || (got.NoiseFloor == nil) != (tt.pairs < 20) {
				t.Errorf("got significant %s of %d pairs, floor %v, want %s of %d", verdict, got.NoisePairs, got.NoiseFloor, tt.significant, tt.pairs)
			}
		})
	}
}

// What is unknown now has a floor all the same, and no verdict; what was
// unknown then has neither.
func TestNoiseUnknown(t *testing.T) {
	before, after := moment("b", 0, 0), moment("b", 5, 0)
	after.Memory.AvailableBytes, before.Load.Load1, after.Load.Load1 = nil, new(0.0), new(9.0)
	d := pairsOf(5, upTo(20)...).Diff(before, after)
	if f := d.Host.MemoryAvailableBytes; f.NoiseFloor == nil || f.Significant != nil {
		t.Errorf("memory: got %+v, want a floor and no verdict", f)
	}
	if f := d.Host.Load1; f.NoiseFloor != nil || f.NoisePairs != 0 || f.Significant != nil || f.Delta == nil {
		t.Errorf("load1: got %+v, want neither", f)
	}
}

// Two looks that are no pair change nothing; another boot begins anew.
func TestNoiseAdd(t *testing.T) {
	h := pairsOf(5, 1, 2)
	nobody, when := moment("b", 9, 0), moment("b", 9, 0)
	nobody.Identity.MachineID, when.ObservedAt = nil, nil
	for name, pair := range map[string][2]HostSnapshot{
		"a boot in between": {moment("b", 0, 0), moment("c", 5, 0)},
		"backwards":         {moment("b", 5, 0), moment("b", 0, 0)},
		"no time between":   {moment("b", 5, 0), moment("b", 5, 0)},
		"whose":             {nobody, moment("b", 20, 0)},
		"when":              {when, moment("b", 20, 0)},
	} {
		if diff := cmp.Diff(h, h.Add(pair[0], pair[1])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	anew := h.Add(moment("c", 0, 0), moment("c", 5, 7))
	if len(anew.Pairs) != 1 || anew.BootID != "c" || len(h.Pairs) != 2 {
		t.Errorf("another boot: got %+v, want its pair only, and the old history as it was", anew)
	}
	// A counter that went back was reset: that says nothing of it.
	before, after := moment("b", 0, 0), moment("b", 5, 1)
	before.Memory.OOMKillsTotal, after.Memory.OOMKillsTotal = new(int64(7)), new(int64(3))
	got := NoiseHistory{}.Add(before, after).Pairs[0].Deltas
	if diff := cmp.Diff(map[string]float64{"memory_available_bytes": 1, "containers_running": 0}, got); diff != "" {
		t.Errorf("a counter that went back (-want +got):\n%s", diff)
	}
}

// What two have seen side by side is kept once, in order, and no more of it
// than may be.
func TestNoiseMerge(t *testing.T) {
	h := pairsOf(5, upTo(MaxNoisePairs)...)
	ours, theirs := h, h
	ours.Pairs, theirs.Pairs = h.Pairs[:120], h.Pairs[80:]
	if diff := cmp.Diff(h, theirs.Merge(ours)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if got := h.Merge(pairsOf(6, 1)); len(got.Pairs) != MaxNoisePairs || got.Pairs[0].ElapsedMS != 6000 && got.Pairs[0].Deltas["memory_available_bytes"] != 2 {
		t.Errorf("got %d pairs, the first %+v, want the oldest dropped", len(got.Pairs), got.Pairs[0])
	}
	if diff := cmp.Diff(h, h.Merge(NoiseHistory{})); diff != "" {
		t.Errorf("with nothing (-want +got):\n%s", diff)
	}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var back NoiseHistory
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, back); diff != "" {
		t.Errorf("stored and read back (-want +got):\n%s", diff)
	}
}

// Where nothing was done, at most one difference in twenty is called
// significant, whatever the noise is like and however few the pairs are.
func TestNoiseFalseAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sources := map[string]func() float64{
		"even":   random.Float64,
		"normal": random.NormFloat64,
		"bursts": func() float64 { return math.Exp(3 * random.NormFloat64()) },
		"coarse": func() float64 { return float64(random.IntN(4)) },
	}
	const trials = 2000
	for name, draw := range sources {
		for _, n := range []int{20, 21, 38, 39, 60, 200} {
			var alarms int
			for range trials {
				h := NoiseHistory{Pairs: make([]NoisePair, n)}
				for i := range h.Pairs {
					h.Pairs[i] = NoisePair{ElapsedMS: 5000, Deltas: map[string]float64{"load1": math.Abs(draw())}}
				}
				if math.Abs(draw()) > *h.floor("load1", 5*time.Second).NoiseFloor {
					alarms++
				}
			}
			// Three standard deviations of a share of 5 % of so many.
			if share, most := float64(alarms)/trials, 0.05+3*math.Sqrt(0.05*0.95/trials); share > most {
				t.Errorf("%s, %d pairs: got %.1f %% false alarms, want at most %.1f %%", name, n, 100*share, 100*most)
			}
		}
	}
}
