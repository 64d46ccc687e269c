package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred", "a\tb", "\xff", "\u202eevil", "ä €", "\uFFFD", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unprintable) {
			t.Errorf("clean(%q): got %q, want nothing that a terminal acts on", s, got)
		}
		if !strings.ContainsFunc(s, unprintable) && got != s {
			t.Errorf("clean(%q): got %q, want it unchanged", s, got)
		}
	})
}
