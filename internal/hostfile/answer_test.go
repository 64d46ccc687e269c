package hostfile_test

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer/internal/hostfile"
)

func TestParseAnswer(t *testing.T) {
	for out, want := range map[string]hostfile.Answer{
		"done\n":                          {Done: true},
		"failed exists\n/x\n exists\n\n":  {Code: "exists", Said: "/x\n exists"},
		"left\nfailed write\nwords\n":     {Code: "write", Said: "words", Left: true},
		"failed write\ndone\n":            {Code: "write", Said: "done"},
		"failed no_tar\n":                 {Code: "no_tar"},
		"failed altered\nleft\nfailed x.": {Code: "altered", Said: "left\nfailed x."},
	} {
		got, err := hostfile.ParseAnswer([]byte(out))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: got %v, -want +got:\n%s", out, err, diff)
		}
	}
	for _, out := range []string{"", "done", "done\ndone\n", "x\ndone\n", "failed write", "failed \nx", "left\n", "left\ndone\n"} {
		if got, err := hostfile.ParseAnswer([]byte(out)); err != hostfile.ErrGarbled {
			t.Errorf("%q: got %+v, %v, want ErrGarbled", out, got, err)
		}
	}
}

func TestCause(t *testing.T) {
	for _, tt := range []struct {
		code, said string
		want       error
	}{
		{"write", "cat: write error: No space left on device", hostfile.ErrNoSpace},
		{"write", "cat: write error: Disk quota exceeded\n", hostfile.ErrNoSpace},
		{"write", "cat: write error: Quota exceeded", hostfile.ErrNoSpace},
		{"altered", "tar: b: Cannot open: Permission denied\ntar: a: Cannot write: No space left on device\ntar: Exiting", hostfile.ErrNoSpace},
		{"write", "sh: 1: cannot create /x/y: Permission denied", fs.ErrPermission},
		{"write", "mv: cannot move '/x' to '/y': Operation not permitted", fs.ErrPermission},
		{"parent", "ls: cannot access '/x/.': No such file or directory", fs.ErrNotExist},
		{"parent", "ls: cannot access '/x/.': Not a directory", nil},
		{"altered", "tar (child): gzip: Cannot exec: No such file or directory", nil},
		{"write", "sh: 1: cannot create /No space left on device: Read-only file system", nil},
		{"write", "mkdir: cannot create directory '/x: No space left on device': File exists", nil},
		{"write", "", nil},
	} {
		if got := (hostfile.Answer{Code: tt.code, Said: tt.said}).Cause(); got != tt.want {
			t.Errorf("%s %q: got %v, want %v", tt.code, tt.said, got, tt.want)
		}
	}
}

// Whatever a host says, only its one word means that it was done, and what is
// kept of its words is bounded.
func FuzzParseAnswer(f *testing.F) {
	for _, out := range []string{"", "done\n", "left\nfailed write\ncat: write error: No space left on device\n", "failed parent\nx: Permission denied\n"} {
		f.Add([]byte(out))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		a, err := hostfile.ParseAnswer(out)
		if a.Done != (string(out) == "done\n") {
			t.Errorf("%q: got %+v, want it done only by its word", out, a)
		}
		if (err == nil) != (a.Done || a.Code != "") {
			t.Errorf("%q: got %+v, %v, want an error or an answer", out, a, err)
		}
		if len(a.Said) > 4<<10 || !bytes.Contains(out, []byte(a.Said)) {
			t.Errorf("%q: got the words %q, want some of it", out, a.Said)
		}
		if a.Cause() != nil && !strings.Contains(a.Said, ": ") {
			t.Errorf("%q: got the cause %v, want a text to say so", out, a.Cause())
		}
	})
}
