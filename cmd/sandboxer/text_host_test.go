package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer"
)

func TestUnusual(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*sandboxer.SnapshotDocument)
		want []string
	}{
		{"nothing known", func(*sandboxer.SnapshotDocument) {}, nil},
		{"usual", func(d *sandboxer.SnapshotDocument) {
			d.ClockOffsetMS, d.ClockUncertaintyMS = new(int64(900)), new(int64(5))
			d.Pressure.CPU = &sandboxer.Pressure{SomeAvg60Ratio: new(0.5)}
			d.Memory.SwapTotalBytes, d.Memory.SwapFreeBytes = new(int64(100)), new(int64(50))
			d.Identity.UptimeSeconds, d.Identity.RebootRequired = new(600.0), new(false)
		}, nil},
		{"no swap", func(d *sandboxer.SnapshotDocument) {
			d.Memory.SwapTotalBytes, d.Memory.SwapFreeBytes = new(int64(0)), new(int64(0))
		}, nil},
		{"a clock that is hardly known", func(d *sandboxer.SnapshotDocument) {
			d.ClockOffsetMS, d.ClockUncertaintyMS = new(int64(-1500)), new(int64(600))
		}, nil},
		{"all of it", func(d *sandboxer.SnapshotDocument) {
			d.Alerts = []sandboxer.Alert{{Name: "a", Status: sandboxer.AlertRaised, Message: "m"}, {Name: "b", Status: sandboxer.AlertClear}}
			d.ClockOffsetMS, d.ClockUncertaintyMS = new(int64(-90_000)), new(int64(5))
			d.Pressure.CPU = &sandboxer.Pressure{SomeAvg60Ratio: new(0.51)}
			d.Memory.SwapTotalBytes, d.Memory.SwapFreeBytes = new(int64(100)), new(int64(40))
			d.Limits.FDsAllocated, d.Limits.FDsMax = new(int64(90)), new(int64(100))
			d.Identity.UptimeSeconds, d.Identity.RebootRequired, d.Identity.Virtualization = new(90.0), new(true), new("lxcfs")
			d.Collection.Partial, d.Collection.Missing = true, []sandboxer.Missing{{Field: "load.load1", Reason: "truncated"}}
			d.Collection.Warnings = []string{"odd"}
		}, []string{
			"alert a: m", "its clock is 1m30s behind that of this machine", "tasks waited for a CPU in 51 % of the last minute",
			"60 % of the swap space is taken", "90 % of the files that can be open are", "it was booted 1m30s ago",
			"a reboot is pending: /run/reboot-required",
			"it is a container whose numbers lxcfs makes up: its load may be that of the machine it is on",
			"partial: not all could be read: load.load1 (truncated)", "warning: odd",
		}},
	} {
		var doc sandboxer.SnapshotDocument
		c.make(&doc)
		if diff := cmp.Diff(c.want, unusual(doc)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestBar(t *testing.T) {
	for share, want := range map[float64]string{-1: "[....]", 0: "[....]", 0.3: "[#...]", 0.5: "[##..]", 1: "[####]", 7: "[####]"} {
		if got := bar(&share, 4); got != want {
			t.Errorf("%v: got %s, want %s", share, got, want)
		}
	}
	if got := bar(nil, 4); got != "" {
		t.Errorf("unknown: got %q, want nothing", got)
	}
}

// What a host says cannot put a colour on the page, and where there is none to
// be, there is none.
func TestColours(t *testing.T) {
	for colours, want := range map[bool]string{
		true:  "a:  \x1b[32mok \\x1b[31m\x1b[0m\n  \x1b[31mone two three four\x1b[0m\n    \x1b[31mfive six seven\x1b[0m\n",
		false: "a:  ok \\x1b[31m\n  one two three four\n    five six seven\n",
	} {
		var b bytes.Buffer
		p := newPage(&b, 24)
		p.colours = colours
		p.fieldIn(green, "a", "ok \x1b[31m")
		p.note(red, "  ", "one two three four five six seven")
		if err := p.flush(); err != nil || b.String() != want {
			t.Errorf("colours %v: got %q, %v, want %q", colours, b.String(), err, want)
		}
	}
	if colourful(new(strings.Builder), func(string) string { return "" }) {
		t.Error("what is no terminal: got colours, want none")
	}
}
