package sandboxer

import (
	"bytes"
	"crypto/rand"
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	for _, ok := range []string{"fake99", "canary-4k9x0q2m7t3b", strings.Repeat("a", 40)} {
		if _, err := ParseID(ok); err != nil {
			t.Errorf("ParseID(%q): got %v, want it accepted", ok, err)
		}
	}
	for _, bad := range []string{"", "short", "../x", "-rf-rf", "-rf", "Canary-000000", "a b c d", "canary-000000\n", "canary_000000", strings.Repeat("a", 41), strings.Repeat("a", 300)} {
		_, err := ParseID(bad)
		if err == nil {
			t.Errorf("ParseID(%q): accepted, want it refused", bad)
		} else if len(err.Error()) > 200 {
			t.Errorf("ParseID(%q): got a message of %d bytes, want a short one", bad, len(err.Error()))
		}
	}
}

func TestNewID(t *testing.T) {
	seen := map[ID]bool{}
	for range 1000 {
		id, err := newID("profile.sandbox-canary", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(id), "canary-") || seen[id] {
			t.Fatalf("got %s, want a new id beginning with canary-", id)
		}
		seen[id] = true
	}
	for profile, want := range map[string]string{
		"web": "web-000000000000", "": "sandbox-000000000000", "my.Über/App_2": "2-000000000000",
		strings.Repeat("x", 99): strings.Repeat("x", 20) + "-000000000000",
	} {
		if got, err := newID(profile, bytes.NewReader(make([]byte, 12))); err != nil || string(got) != want {
			t.Errorf("newID(%q): got %q, %v, want %q", profile, got, err, want)
		}
	}
	if _, err := newID("web", bytes.NewReader(nil)); err == nil {
		t.Error("without randomness: got an id, want an error")
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"schema":1,"sandbox_id":"canary-000000","nonce":"0123456789abcdef0123456789abcdef","created_at":"2026-01-02T03:04:05Z","state":"ready","engine":"docker"}`))
	f.Add([]byte(`{"schema":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRecord(data)
		if err != nil {
			return
		}
		if _, err := ParseID(string(r.SandboxID)); err != nil {
			t.Errorf("%q: accepted with sandbox_id %q", data, r.SandboxID)
		}
		if out, err := r.Encode(); err == nil {
			if _, err := ParseRecord(out); err != nil {
				t.Errorf("%q: written again as %q, which is refused: %v", data, out, err)
			}
		}
	})
}
