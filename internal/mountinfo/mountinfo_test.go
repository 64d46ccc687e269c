package mountinfo

import "testing"

func TestUnescape(t *testing.T) {
	for field, want := range map[string]string{
		"/": "/", `/mnt/my\040disk`: "/mnt/my disk", `/a\011b\012c\134d`: "/a\tb\nc\\d",
		`/cut\04`: `/cut\04`, `/no\999`: `/no\999`, `\040`: " ", `\777`: `\777`, "": "",
	} {
		if got := Unescape(field); got != want {
			t.Errorf("%q: got %q, want %q", field, got, want)
		}
	}
}
