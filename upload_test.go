package sandboxer

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// sent uploads tree and returns the entries that arrived, in order, and the
// digest.
func sent(t *testing.T, tree fs.FS) ([]string, string) {
	t.Helper()
	u := newUpload(tree, "proof")
	zip, err := gzip.NewReader(u.stream())
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%c %s %o %s", h.Typeflag, h.Name, h.Mode, data))
	}
	digest, err := u.finish()
	if err != nil {
		t.Fatal(err)
	}
	return entries, digest
}

func TestUpload(t *testing.T) {
	tree := func() fstest.MapFS {
		return fstest.MapFS{
			"bin":      {Mode: fs.ModeDir | 0o750},
			"bin/tool": {Data: []byte("#!"), Mode: fs.ModeSetuid | 0o755},
			"empty":    {Mode: 0o600},
		}
	}
	got, digest := sent(t, tree())
	want := []string{"5 bin/ 750 ", "0 bin/tool 755 #!", "0 empty 600 ", "0 " + onhost.Marker + " 600 proof"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries, -want +got:\n%s", diff)
	}
	const known = "sha256:"
	if len(digest) != len(known)+64 || digest[:len(known)] != known {
		t.Errorf("got digest %q, want a SHA-256 in hex", digest)
	}
	for name, tt := range map[string]struct {
		change func(fstest.MapFS)
		same   bool
	}{
		"time":     {func(m fstest.MapFS) { m["empty"].ModTime = time.Unix(1, 0) }, true},
		"mode":     {func(m fstest.MapFS) { m["empty"].Mode = 0o640 }, false},
		"contents": {func(m fstest.MapFS) { m["bin/tool"].Data = []byte("#?") }, false},
		"name":     {func(m fstest.MapFS) { m["void"] = m["empty"]; delete(m, "empty") }, false},
		"boundary": {func(m fstest.MapFS) { m["bin/tool"].Data, m["empty"].Data = []byte("#"), []byte("!") }, false},
	} {
		changed := tree()
		tt.change(changed)
		if _, other := sent(t, changed); (other == digest) != tt.same {
			t.Errorf("another %s: got the same digest: %v, want %v", name, other == digest, tt.same)
		}
	}
}

func TestUploadRefuses(t *testing.T) {
	for name, tree := range map[string]fs.FS{
		"a reserved name":      fstest.MapFS{".sandboxer-x": {}},
		"a reserved directory": fstest.MapFS{".sandboxer/x": {}},
		"a link":               fstest.MapFS{"l": {Data: []byte("/etc"), Mode: fs.ModeSymlink | 0o777}},
		"a device":             fstest.MapFS{"d": {Mode: fs.ModeDevice | 0o600}},
	} {
		u := newUpload(tree, "proof")
		if _, err := io.Copy(io.Discard, u.stream()); err == nil {
			t.Errorf("%s: got a whole archive, want an error", name)
		}
		if digest, err := u.finish(); err == nil {
			t.Errorf("%s: got digest %s, want an error", name, digest)
		}
	}
}

// A host that stops listening is not the files' fault, and ends the making.
func TestUploadNotWanted(t *testing.T) {
	u := newUpload(fstest.MapFS{"big": {Data: make([]byte, 1<<20)}}, "proof")
	u.stream()
	if _, err := u.finish(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}
