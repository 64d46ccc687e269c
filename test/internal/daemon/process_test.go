package daemon

import "testing"

func TestParseStat(t *testing.T) {
	const rest = " S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 12345 4096 1"
	for _, test := range []struct {
		stat    string
		ppid    int
		started uint64
		bad     bool
	}{
		{stat: "42 (sh)" + rest, ppid: 7, started: 12345},
		{stat: "42 (a) b (c)" + rest, ppid: 7, started: 12345},
		{stat: "42 (sh) S 7", bad: true},
		{stat: "", bad: true},
	} {
		_, ppid, started, err := parseStat([]byte(test.stat))
		if ppid != test.ppid || started != test.started || (err != nil) != test.bad {
			t.Errorf("%q: got %d, %d, %v, want %d, %d", test.stat, ppid, started, err, test.ppid, test.started)
		}
	}
}
