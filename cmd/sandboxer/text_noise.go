package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

func baselineText(p *page, doc sandboxer.BaselineDocument) {
	p.title("noise of "+hostName(doc.Host), fmt.Sprintf("over %s, %s taken, %d kept",
		shortDuration(time.Duration(doc.LagMS)*time.Millisecond), plural(int(doc.PairsTaken), "pair", "pairs"), doc.PairsKept))
	var rows [][]string
	for _, f := range doc.Fields {
		rows = append(rows, []string{f.Field, floorText(f.NoiseFloor, fieldForm(f.Field)), count(&f.NoisePairs)})
	}
	p.table("  ", []string{"FIELD", "NOISE_FLOOR", "PAIRS"}, rows)
	if most := slices.MaxFunc(doc.Fields, func(a, b sandboxer.FieldNoise) int { return cmp.Compare(a.NoisePairs, b.NoisePairs) }); most.NoisePairs < sandboxer.MinNoisePairs {
		p.line(fmt.Sprintf("noise_floor: n/a below %d pairs at such a lag; --pairs %d takes the others",
			sandboxer.MinNoisePairs, sandboxer.MinNoisePairs-most.NoisePairs))
	}
}

// fieldForm is how a value of a field of Delta.host is shown.
func fieldForm(field string) func(float64) string {
	switch {
	case strings.HasSuffix(field, "_bytes"):
		return bytesText
	case strings.HasSuffix(field, "_us_total"):
		return func(f float64) string { return whole(f) + " us" }
	case field == "load1", strings.HasSuffix(field, "_seconds_total"):
		return decimal
	}
	return whole
}

func floorText(floor *float64, form func(float64) string) string {
	if floor == nil {
		return unknown
	}
	return form(*floor)
}

// noiseCells are the columns beside a difference that say what it is worth.
func noiseCells(d sandboxer.FieldDelta, form func(float64) string) []string {
	return []string{floorText(d.NoiseFloor, form), count(&d.NoisePairs), yesNo(d.Significant)}
}

// unmeasured says how to learn what the differences of a delta are worth, where
// nothing is known of it.
func unmeasured(d *sandboxer.Delta) string {
	if d.ElapsedMS == nil || d.SameBoot == nil || !*d.SameBoot {
		return ""
	}
	// Pairs that are much further apart than this would not count for it.
	lag, step := time.Duration(*d.ElapsedMS)*time.Millisecond, 100*time.Millisecond
	if lag > 2*time.Second {
		step = time.Second
	}
	return fmt.Sprintf("  significant: n/a; sandboxer baseline --lag %s measures what is noise", shortDuration(max(lag.Round(step), step)))
}
