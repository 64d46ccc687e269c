package main

import (
	"testing"
	"time"
)

func FuzzParseAge(f *testing.F) {
	for _, s := range []string{"24", "48h", "0.5", "90m", "-1", "NaN", "1e9", "Inf", "", "0", "0x18", "1_0", "87600", "87600h1ns", "1e-300", "1d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseAge(s)
		if err == nil && (d <= 0 || d > maxAge) {
			t.Errorf("parseAge(%q): got %v, want more than 0 and at most %v", s, d, maxAge)
		}
		if err != nil {
			return
		}
		flag := ageFlag(d)
		if again, err := parseAge(flag.String()); err != nil || (again-d).Abs() > time.Microsecond {
			t.Errorf("parseAge(%q) shown as %q: got %v, %v, want %v", s, flag.String(), again, err, d)
		}
	})
}
