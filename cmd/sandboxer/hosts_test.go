package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseHosts(t *testing.T) {
	for _, c := range []struct {
		text    string
		want    []string
		failure string
	}{
		{"a\nb\n", []string{"a", "b"}, ""},
		{"a", []string{"a"}, ""},
		{"\ufeffa\r\nb\r\n", []string{"a", "b"}, ""},
		{strings.Repeat("a", 1025), nil, `f:1: "` + strings.Repeat("a", 57) + `...": not the name of a host`},
		{"# site\n\n \ta \r\n\tme@b:22 # theirs\n#c\n", []string{"a", "me@b:22"}, ""},
		{"b\na\nb\n", []string{"b", "a", "b"}, ""},
		{"", nil, "f names no host"},
		{"#a\n\n", nil, "f names no host"},
		{"a\n\nb c\n", nil, `f:3: "b c": not the name of a host`},
		{"-l\n", nil, `f:1: "-l": not the name of a host`},
		{"a\x00\n", nil, `f:1: "a\x00": not the name of a host`},
		{"a\n\xff\n", nil, `f:2: "\xff": not the name of a host`},
	} {
		got, err := parseHosts("f", c.text)
		failure := ""
		if err != nil {
			failure = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" || failure != c.failure {
			t.Errorf("%q: got error %q, want %q; names (-want +got):\n%s", c.text, failure, c.failure, diff)
		}
	}
}

// Whatever the file holds, ssh gets names, and each of them stands in it.
func FuzzParseHosts(f *testing.F) {
	f.Add("# site\na\n  b  # theirs\r\n\nc@d:22")
	f.Add("-oProxyCommand=x\n\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		names, err := parseHosts("f", text)
		var usage *usageError
		if (len(names) == 0) != errors.As(err, &usage) {
			t.Errorf("%q: got %q and %v, want names or a usageError", text, names, err)
		}
		for _, name := range names {
			if name == "" || oddHost(name) || !strings.Contains(text, name) {
				t.Errorf("%q: got the name %q", text, name)
			}
		}
	})
}
