package main

import (
	"slices"
	"testing"

	"github.com/tegwick/sand-boxer/test/lab"
)

// What only benchmarks use is neither installed for tests nor required of them.
func TestBenchNeeds(t *testing.T) {
	for _, n := range benchNeeds() {
		if slices.ContainsFunc(needs(), func(o need) bool { return o.pkg == n.pkg }) {
			t.Errorf("package %s: got it among those of the tests, want only the benchmarks to have it", n.pkg)
		}
	}
	for _, part := range lab.BenchParts() {
		if slices.Contains(lab.Parts(), part) {
			t.Errorf("part %s: got it among those of the tests, want only the benchmarks to require it", part)
		}
	}
}
