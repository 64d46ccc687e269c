package probe

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is read while it comes is what would be read of the whole, in whatever
// pieces it comes and wherever it ends.
func TestReadAhead(t *testing.T) {
	for _, name := range []string{"docker-api", "busybox", "podman"} {
		data := readCapture(t, name)
		for _, size := range []int{1, 7, 512, 4096, len(data)} {
			for _, length := range []int{len(data), len(data) * 9 / 10, len(data) - 60} {
				a := &answer{nonce: captured, sandbox: captureBox, now: time.Now}
				for rest := data[:length]; len(rest) > 0; {
					n, err := a.Write(rest[:min(size, len(rest))])
					if err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				got, early := a.end()
				sections := split(data[:length], captured)
				_, zipped := sections["records_gzip"]
				_, plain := sections["records"]
				if (early != nil) != (zipped || plain) {
					t.Fatalf("%s: got records read ahead: %v, want %v", name, early != nil, zipped || plain)
				}
				req := request{nonce: captured, root: "/tmp/sandboxer", sandbox: captureBox}
				want := parse(data[:length], req)
				req.early = early
				obs := parse(got, req)
				obs.Snapshot.Collection.Bytes = &a.size
				if diff := cmp.Diff(want, obs); diff != "" {
					t.Errorf("%s, %d of %d bytes in pieces of %d (-whole +ahead):\n%s", name, length, len(data), size, diff)
				}
			}
		}
	}
}

// An answer that ends before its records do, or has none, keeps nobody waiting.
func TestReadAheadOfNothing(t *testing.T) {
	mark := "\n" + captured + " begin "
	for text, early := range map[string]bool{
		"": false, "y": false, mark + "clock\n": false, mark + "records": false, mark + "records_none\n": false,
		mark + "records\n": true, mark + "records_gzip\n": true, mark + "records_gzip\nx": true,
		mark + "records\n\n" + captured + " end records 0\n": true,
	} {
		a := &answer{nonce: captured, now: time.Now}
		if _, err := a.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		data, got := a.end()
		text = strings.TrimSuffix(text, "x") // of records nothing is held
		if string(data) != text || (got != nil) != early || got != nil && got.whole {
			t.Errorf("%q: got %q, records %+v, want them read: %v, and not whole", text, data, got, early)
		}
	}
}
