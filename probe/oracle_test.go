package probe_test

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// A reading is what was read past the probe at one moment, by JSON path. A
// number is a float64, null is nil, and a set of names is a sorted []string.
type reading map[string]any

// unsourced are the fields, or beginnings of fields, that have no second
// source, each with the reason.
var unsourced = map[string]string{
	"collection":            "of the look itself, which nobody else sees",
	"clock_offset_ms":       "host and controller have one clock here: checkClock compares it with its uncertainty",
	"clock_uncertainty_ms":  "likewise",
	"engines[].detail":      "words for people; the status is compared",
	"engines[].response_ms": "how long an answer took that nobody else got",
}

// gauges are the fields that may have been, for a moment, what they were at no
// reading: some milliseconds lie between two. Their slack is not in the value,
// which nobody can say of every machine, but in the looks: each has to agree in
// one of them, as exactly as all else has to in each.
var gauges = regexp.MustCompile(`^(` + strings.Join([]string{
	`cpu\.procs_(running|blocked)`,
	`cpu\.(idle|iowait)_seconds_total`, // may go back, by proc_stat(5) and where idle CPUs stop their ticks
	`load\..*`,
	`pressure\..*_ratio`,
	`memory\.(available|free|anon|dirty|swap_free)_bytes`,
	`disk_root_avail_.*`,
	`filesystems\[\]\.(free_bytes|avail_bytes|avail_ratio|inodes_total|inodes_free|inodes_free_ratio)`,
	`limits\.(fds_allocated|pids_used|conntrack_entries|processes_count)`,
	`network\..*`,
	`objects\.(ports|mounts)`,
}, "|") + `)$`)

// looks is how many there are at most. On a machine that is so busy that there
// are four readings in a look, a number that goes up and down is outside of them
// in two looks of five, and in all of these in one run of many millions.
const looks = 20

var index = regexp.MustCompile(`\[\d+\]`)

// An oracle reads what a snapshot has, in other ways.
type oracle struct {
	root   string
	steady func() (reading, error) // what changes seldom: read before and after
	moving func() (reading, error) // what changes: read all the time
}

// check compares every field of snapshots with the oracle's readings from
// before, during and after: a number has to be between the least and the most
// that was read, all else to be one of what was read.
func (o oracle) check(t *testing.T) {
	t.Helper()
	var missed map[string]string
	for range looks {
		wrong := o.look(t)
		for path, text := range wrong {
			if !gauges.MatchString(index.ReplaceAllString(path, "[]")) {
				t.Errorf("%s: %s", path, text)
			}
		}
		if missed == nil {
			missed = wrong
		}
		for path := range missed {
			if wrong[path] == "" {
				delete(missed, path)
			}
		}
		if t.Failed() || len(missed) == 0 {
			return
		}
	}
	for path, text := range missed {
		t.Errorf("%s: %s, in none of %d looks", path, text, looks)
	}
}

// look takes one snapshot and returns what is wrong with it, by path.
func (o oracle) look(t *testing.T) map[string]string {
	t.Helper()
	before, err := o.steady()
	must(t, err)
	var obs sandboxer.Observation
	var failed error
	readings := meanwhile(t, o.moving, func() {
		obs, failed = probe.Collector{}.Collect(t.Context(), localhost.Host{}, sandboxer.CollectOptions{Root: o.root, Timeout: time.Minute})
	})
	must(t, failed)
	after, err := o.steady()
	must(t, err)
	checkClock(t, obs.Snapshot)
	return compare(obs.Snapshot, append(readings, before, after))
}

// meanwhile does what it is given, and reads before, all the time, and after.
func meanwhile(t *testing.T, read func() (reading, error), do func()) []reading {
	t.Helper()
	first, err := read()
	must(t, err)
	all := []reading{first}
	did, ended := make(chan struct{}), make(chan error)
	go func() {
		for over := false; !over; {
			select {
			case <-did:
				over = true
			default:
			}
			r, err := read()
			if err != nil {
				<-did
				ended <- err
				return
			}
			all = append(all, r)
		}
		ended <- nil
	}()
	do()
	close(did)
	must(t, <-ended)
	t.Logf("%d readings", len(all))
	return all
}

// compare returns what is wrong, by path: a field that does not agree, one
// that nothing was read for, and what was read of something that is not there.
func compare(s sandboxer.HostSnapshot, readings []reading) map[string]string {
	read := map[string][]any{}
	for _, r := range readings {
		for path, value := range r {
			read[path] = append(read[path], value)
		}
	}
	wrong := map[string]string{}
	visit(reflect.ValueOf(s), "", func(path string, got any) {
		values, ok := read[path]
		delete(read, path)
		switch {
		case ok && agrees(got, values):
		case ok:
			wrong[path] = fmt.Sprintf("got %s, want %s", shown(got), wanted(values))
		default:
			wrong[path] = "no check names it: give it a second source, or a reason why it has none"
		}
	})
	for path, values := range read {
		wrong[path] = "got nothing, want " + wanted(values)
	}
	return wrong
}

func agrees(got any, values []any) bool {
	least, most := span(values)
	if n, ok := got.(float64); ok {
		return least <= n && n <= most
	}
	return slices.ContainsFunc(values, func(v any) bool { return reflect.DeepEqual(v, got) })
}

// span returns the least and the most of the numbers in values; of none, a
// span that nothing is in.
func span(values []any) (least, most float64) {
	least, most = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if n, ok := v.(float64); ok {
			least, most = min(least, n), max(most, n)
		}
	}
	return least, most
}

func wanted(values []any) string {
	least, most := span(values)
	switch {
	case least < most:
		return shown(least) + " to " + shown(most)
	case least == most:
		return shown(least)
	}
	return shown(values[0])
}

func shown(v any) string {
	if n, ok := v.(float64); ok {
		return fmt.Sprintf("%.6f", n)
	}
	return fmt.Sprintf("%#v", v)
}

// visit calls f with every field of a snapshot that has no reason to be left
// out, as a reading would have it.
func visit(v reflect.Value, at string, f func(path string, got any)) {
	if unsourced[index.ReplaceAllString(at, "[]")] != "" {
		return
	}
	switch value := v.Interface().(type) {
	case time.Time:
		f(at, seconds(value))
		return
	case []string:
		f(at, set(value))
		return
	}
	switch kind := v.Kind(); kind {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if v.IsZero() || kind != reflect.Pointer && v.Len() == 0 {
			f(at, nil)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		visit(v.Elem(), at, f)
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name := field.Tag.Get("json")
			if name == "-" {
				name = strings.ToLower(field.Name)
			}
			visit(v.Field(i), strings.TrimPrefix(at+"."+name, "."), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), fmt.Sprintf("%s[%d]", at, i), f)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			visit(v.MapIndex(key), at+"."+key.String(), f)
		}
	case reflect.Int64:
		f(at, float64(v.Int()))
	case reflect.Float64, reflect.Bool:
		f(at, v.Interface())
	case reflect.String:
		f(at, v.String())
	default:
		f(at, v.Interface())
	}
}

// seconds is a time as a reading has it.
func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// set is a list of names as a reading has it.
func set(names []string) []string {
	sorted := append([]string{}, names...)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// checkClock compares two clocks that are one.
func checkClock(t *testing.T, s sandboxer.HostSnapshot) {
	t.Helper()
	if s.ClockOffsetMS == nil || s.ClockUncertaintyMS == nil {
		t.Errorf("clock: got offset %s, uncertainty %s, want both", show(s.ClockOffsetMS), show(s.ClockUncertaintyMS))
		return
	}
	if max(*s.ClockOffsetMS, -*s.ClockOffsetMS) > *s.ClockUncertaintyMS {
		t.Errorf("clock: got offset %d, want at most the uncertainty, %d", *s.ClockOffsetMS, *s.ClockUncertaintyMS)
	}
}

// A field that nothing was read for, or that is not between what was read, is
// found.
func TestOracleFindsWhatIsWrong(t *testing.T) {
	s := sandboxer.HostSnapshot{Load: sandboxer.Load{Load1: new(2.5), Load5: new(1.0)}, Identity: sandboxer.Identity{Hostname: new("box")}}
	got := compare(s, []reading{
		{"load.load1": 1.0, "load.load5": 2.0, "load.load15": nil, "identity.hostname": "box", "network.tcp_inuse": 4.0, "engines[0].name": "docker"},
		{"load.load1": 2.0, "load.load5": 1.0, "load.load15": nil, "identity.hostname": "other"},
	})
	for path, want := range map[string]string{
		"load.load1":          "got 2.500000, want 1.000000 to 2.000000",
		"load.load5":          "",
		"load.load15":         "",
		"identity.hostname":   "",
		"network.tcp_inuse":   "got <nil>, want 4.000000",
		"engines[0].name":     `got nothing, want "docker"`,
		"load.load1_per_cpu":  "no check names it: give it a second source, or a reason why it has none",
		"collection.duration": "",
	} {
		if got[path] != want {
			t.Errorf("%s: got %q, want %q", path, got[path], want)
		}
	}
}

// testRoot is a root on a file system of its own, if there is one for that.
func testRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "oracle")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Mkdir(dir+"/one", 0o700))
	return dir
}
