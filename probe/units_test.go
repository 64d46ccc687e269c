package probe

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
)

func TestSplit(t *testing.T) {
	type found struct {
		Body string
		Code int
	}
	for _, c := range []struct {
		name, in string
		want     map[string]found
	}{
		{"empty", "", map[string]found{}},
		{"no mark", "hello\n", map[string]found{}},
		{"one", "\nN begin a\nx\n\nN end a 0\n", map[string]found{"a": {"x\n", 0}}},
		{"empty body", "\nN begin a\n\nN end a 3\n", map[string]found{"a": {"", 3}}},
		{"noise around it", "motd\n\nN begin a\nx\nN end a 0\nbye\n", map[string]found{"a": {"x", 0}}},
		{"binary", "\nN begin a\n\x00\n\n\xff\nN end a 0\n", map[string]found{"a": {"\x00\n\n\xff", 0}}},
		{"an end cut off", "\nN begin a\nx\n\nN end a 1", map[string]found{}},
		{"no end", "\nN begin a\nx\n", map[string]found{}},
		{"another one's end", "\nN begin a\nx\n\nN end b 0\n", map[string]found{}},
		{"the first counts", "\nN begin a\nx\n\nN end a 0\n\nN begin a\ny\n\nN end a 0\n", map[string]found{"a": {"x\n", 0}}},
		{"another nonce", "\nM begin a\nx\n\nM end a 0\n", map[string]found{}},
		{"marks within", "\nN begin a\n1\n\nN http 200 0.1 /x\n2\n\nN end a 0\n", map[string]found{"a": {"1\n\nN http 200 0.1 /x\n2\n", 0}}},
		{"a code that is none", "\nN begin a\n\nN end a x\n", map[string]found{"a": {"", -1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]found{}
			for name, s := range split([]byte(c.in), "N") {
				if s.whole {
					got[name] = found{string(s.body), s.code}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestParseOdd(t *testing.T) {
	const f = "41ed 0 0 7 1 2 3 4 "
	for _, c := range []struct {
		name, in string
		want     []string // names, with "?" where nothing is known
	}{
		{"nothing", "", nil},
		{"one", "./A\x00" + f + "./A\n", []string{"A"}},
		{"a line end", "./A\nB\x00" + f + "./A\nB\n", []string{"A\nB"}},
		{"a name like stat's line", "./A\n" + f + "B\x00./C\x00" + f + "./A\n" + f + "B\n" + f + "./C\n", []string{"A\n" + f + "B", "C"}},
		{"gone before stat", "./A\x00./B\x00" + f + "./B\n", []string{"A?", "B"}},
		{"in two turns", "./A\x00" + f + "./A\n./B\x00" + f + "./B\n", []string{"A", "B"}},
		{"stat said nothing", "./A\x00", []string{"A?"}},
		{"stat said another name", "./A\x00" + f + "./Z\n", []string{"A?"}},
		{"cut", "./A\x00" + f + "./", []string{"A?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, e := range parseOdd([]byte(c.in)) {
				if !e.known {
					e.name += "?"
				}
				got = append(got, e.name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.in, diff)
			}
		})
	}
}

func TestParseFact(t *testing.T) {
	want := fact{mode: 0o40755, uid: 1000, ctime: 1795467183, dev: 65024, inode: 22, links: 3, size: 4096}
	born := want
	born.birth = 1795467180_123456789
	for line, want := range map[string]fact{
		"41ed 1000 100 1795467183 65024 22 3 4096 ./a b":                      want,
		"41ed 1000 100 1795467183 65024 22 3 4096 W ./a b":                    want,
		"41ed 1000 100 1795467183 65024 22 3 4096 0.000000000 ./a b":          want,
		"41ed 1000 100 1795467183 65024 22 3 4096 1795467180.123456789 ./a b": born,
	} {
		got, name, ok := parseFact([]byte(line))
		if !ok || got != want || string(name) != "./a b" {
			t.Errorf("%q: got %+v %q %t, want %+v", line, got, name, ok, want)
		}
	}
	for _, line := range []string{"", "x", "41ed 1 2", "zz 0 0 0 0 0 0 0 n", "41ed 0 0 -x 0 0 0 0 n"} {
		if _, _, ok := parseFact([]byte(line)); ok {
			t.Errorf("%q: got a fact, want none", line)
		}
	}
}

// A walk that was cut off has not seen all of the last directory in it.
func TestWalkCut(t *testing.T) {
	line := "100 81a4 0 ./second/file\n"
	body := "100 41ed 0 ./first\n200 81a4 0 ./first/x\n" + strings.Repeat(line, maxWalk/len(line))
	for _, c := range []struct {
		name, body string
		want       []string
	}{
		{"whole", body[:60], []string{"first", "second"}},
		{"cut", (body + line + line)[:maxWalk], []string{"first"}},
	} {
		r := &reading{sections: map[string]section{"walk": {body: []byte(c.body), whole: true}}}
		r.obs.Snapshot.Identity.UID = new(int64(0))
		var got []string
		for name, at := range r.walked() {
			if at != nil {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestParseMounts(t *testing.T) {
	mounts := parseMounts(`22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:31 / /a\040b\134c ro,noexec - tmpfs tmp\040fs rw,size=4k
31 22 0:32 / /a rw - tmpfs tmpfs rw
32 22 0:33 / /a rw - ext4 /dev/vdb rw
a line that is none
33 22 0:34 / /x rw - ext4
`)
	if len(mounts) != 4 || mounts[1].point != `/a b\c` {
		t.Fatalf("got %+v, want four, the second at %q", mounts, `/a b\c`)
	}
	for _, c := range []struct{ path, device string }{
		{"/", "254:0"}, {"/b", "254:0"}, {"/a", "0:33"}, {"/a/b", "0:33"}, {"/ab", "254:0"}, {`/a b\c/d`, "0:31"},
	} {
		if got := mountOf(mounts, c.path); got.device != c.device {
			t.Errorf("%q: got device %s, want %s", c.path, got.device, c.device)
		}
	}
	if !mounts[1].has("noexec") || mounts[0].has("noexec") {
		t.Error("got the wrong options")
	}
}

func TestParseSocket(t *testing.T) {
	for _, c := range []struct {
		in        string
		bigEndian bool
		want      string
	}{
		{"0100007F:1F90", false, "127.0.0.1:8080"},
		{"7F000001:1F90", true, "127.0.0.1:8080"},
		{"00000000:0016", false, "0.0.0.0:22"},
		{"00000000000000000000000000000000:0016", false, "[::]:22"},
		{"00000000000000000000000001000000:1F90", false, "[::1]:8080"},
	} {
		got, ok := parseSocket(c.in, c.bigEndian)
		if !ok || got.String() != c.want {
			t.Errorf("%q: got %v %t, want %s", c.in, got, ok, c.want)
		}
	}
	for _, in := range []string{"", ":", "0100007F", "01:1F90", "0100007F:1F90F", "zz00007F:1F90"} {
		if got, ok := parseSocket(in, false); ok {
			t.Errorf("%q: got %v, want none", in, got)
		}
	}
}

func TestDeviceID(t *testing.T) {
	for dev, want := range map[int64]string{65024: "254:0", 21: "0:21", 2049: "8:1", 66306: "259:2", 1048832: "1:256"} {
		if got := deviceID(dev); got != want {
			t.Errorf("%d: got %s, want %s", dev, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", " 42\n": "42", "-1": "-1", "9007199254740992": "9007199254740992",
		"": "none", "x": "none", "1.5": "none", "9007199254740993": "none", "9223372036854775807": "none", "99999999999999999999": "none",
	} {
		got := "none"
		if n := parseInt(in); n != nil {
			got = strings.TrimSpace(in)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"NaN", "Inf", "-inf", "1e999", "", "x"} {
		if f := parseFloat(in); f != nil {
			t.Errorf("%q: got %v, want none", in, *f)
		}
	}
}

// Records that are good JSON, and not good enough.
func TestJudge(t *testing.T) {
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := sandboxer.Record{
		Schema: 1, SandboxID: "good-one", Nonce: strings.Repeat("0a", 16), Engine: sandboxer.EngineDocker, State: sandboxer.StateReady,
		Owner: sandboxer.Owner{UID: 1000}, MachineID: "m", BootID: "b", Root: "/r", Device: 1, Inode: 2, CreatedAt: created,
	}
	for _, c := range []struct {
		name   string
		change func(r *sandboxer.Record, s *stored, e *entry)
		want   sandboxer.RecordState
	}{
		{"good", func(*sandboxer.Record, *stored, *entry) {}, sandboxer.RecordOK},
		{"without device and inode", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Device, r.Inode = 0, 0 }, sandboxer.RecordOK},
		{"another device after a boot", func(r *sandboxer.Record, _ *stored, _ *entry) { r.BootID, r.Device = "x", 9 }, sandboxer.RecordOK},
		{"another device", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Device = 9 }, sandboxer.RecordCorrupt},
		{"another inode", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Inode = 9 }, sandboxer.RecordCorrupt},
		{"made at another time", func(r *sandboxer.Record, _ *stored, e *entry) { r.Birth, e.birth = 1, 2 }, sandboxer.RecordCorrupt},
		{"made at a time", func(r *sandboxer.Record, _ *stored, e *entry) { r.Birth, e.birth = 1, 1 }, sandboxer.RecordOK},
		{"made nobody knows when", func(r *sandboxer.Record, _ *stored, e *entry) { r.Birth = 1 }, sandboxer.RecordOK},
		{"another id", func(r *sandboxer.Record, _ *stored, _ *entry) { r.SandboxID = "other-one" }, sandboxer.RecordCorrupt},
		{"another schema", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Schema = 2 }, sandboxer.RecordCorrupt},
		{"no plain file", func(_ *sandboxer.Record, s *stored, _ *entry) { s.bad = true }, sandboxer.RecordCorrupt},
		{"another machine", func(r *sandboxer.Record, _ *stored, _ *entry) { r.MachineID = "x" }, sandboxer.RecordForeign},
		{"another user", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Owner.UID = 1 }, sandboxer.RecordForeign},
		{"another root", func(r *sandboxer.Record, _ *stored, _ *entry) { r.Root = "/x" }, sandboxer.RecordForeign},
		{"another user's file", func(_ *sandboxer.Record, s *stored, _ *entry) { s.uid = 1 }, sandboxer.RecordForeign},
		{"another user's directory", func(_ *sandboxer.Record, _ *stored, e *entry) { e.uid = 1 }, sandboxer.RecordForeign},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &reading{self: self{root: "/r"}}
			id := &r.obs.Snapshot.Identity
			id.UID, id.MachineID, id.BootID = new(int64(1000)), new("m"), new("b")
			rec, s, e := good, stored{uid: 1000}, entry{fact: fact{uid: 1000, dev: 1, inode: 2}}
			c.change(&rec, &s, &e)
			data, err := rec.Encode()
			if err != nil {
				t.Fatal(err)
			}
			s.rec, s.err = sandboxer.ParseRecord(data)
			j := joiner{reading: r}
			parsed, got, why := j.judge("good-one", s)
			if got == sandboxer.RecordOK {
				got, why = j.judgeDir(parsed, e)
			}
			if got != c.want {
				t.Errorf("got %s %q, want %s", got, why, c.want)
			}
		})
	}
}

// A container with the right labels is a sandbox's own only if it did not get
// them from its image.
func TestOwners(t *testing.T) {
	const nonce = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	rec := &sandboxer.Record{SandboxID: "good-one", Nonce: nonce, Engine: sandboxer.EngineDocker}
	box := &sandboxer.Sandbox{SandboxID: "good-one", Metadata: sandboxer.RecordOK, Evidence: sandboxer.Evidence{Record: rec}}
	o := owners{
		boxes:    map[sandboxer.ID]*sandboxer.Sandbox{"good-one": box},
		recorded: map[string]sandboxer.ID{recordKey(sandboxer.EngineDocker, sandboxer.KindVolume, "v1"): "good-one"},
		images:   map[string]string{"sha256:tainted": nonce},
	}
	labels := map[string]string{sandboxer.LabelID: "good-one", sandboxer.LabelNonce: nonce}
	other := map[string]string{sandboxer.LabelID: "good-one", sandboxer.LabelNonce: "x"}
	for _, c := range []struct {
		name  string
		thing thing
		own   bool
	}{
		{"by label", newThing(sandboxer.EngineDocker, sandboxer.KindContainer, "c1", "c1", labels), true},
		{"by record", newThing(sandboxer.EngineDocker, sandboxer.KindVolume, "v1", "v1", nil), true},
		{"of another kind", newThing(sandboxer.EngineDocker, sandboxer.KindNetwork, "v1", "v1", nil), false},
		{"in another engine", newThing(sandboxer.EnginePodman, sandboxer.KindContainer, "c1", "c1", labels), false},
		{"with another nonce", newThing(sandboxer.EngineDocker, sandboxer.KindContainer, "c1", "c1", other), false},
		{"an image by its name", newThing(sandboxer.EngineDocker, sandboxer.KindImage, "i", "localhost/sandboxer/good-one", nil), true},
		{"an image somebody committed", newThing(sandboxer.EngineDocker, sandboxer.KindImage, "i", "copy:1", labels), false},
		{"an image by half its name", newThing(sandboxer.EngineDocker, sandboxer.KindImage, "i", "localhost/sandboxer/good-one-2", nil), false},
	} {
		if got := o.of(c.thing) != nil; got != c.own {
			t.Errorf("%s: got own %t, want %t", c.name, got, c.own)
		}
	}
	inherited := newThing(sandboxer.EngineDocker, sandboxer.KindContainer, "c2", "c2", labels)
	inherited.image = "sha256:tainted"
	if o.of(inherited) != nil {
		t.Error("labels of an image: got own, want a stranger")
	}
	box.Metadata, box.Registry = sandboxer.RecordMismatch, sandboxer.RecordMismatch
	if o.of(newThing(sandboxer.EngineDocker, sandboxer.KindContainer, "c1", "c1", labels)) != nil {
		t.Error("records that disagree: got own, want a stranger")
	}
}

// Several tars in a row, as find makes them; and what is not one to its end.
func TestArchive(t *testing.T) {
	whole := readCapture(t, "docker-api")
	s := split(whole, captured)["records_gzip"]
	if !s.whole {
		t.Fatal("no records in the capture")
	}
	for _, c := range []struct {
		name string
		size int
		want bool
	}{
		{"all of it", len(s.body), true},
		{"without its last byte", len(s.body) - 1, false},
		{"half of it", len(s.body) / 2, false},
		{"nothing", 0, false},
	} {
		r := &reading{sections: map[string]section{"records_gzip": {body: s.body[:c.size], whole: true}}}
		if got := r.archive().whole; got != c.want {
			t.Errorf("%s: got whole %t, want %t", c.name, got, c.want)
		}
	}
}
