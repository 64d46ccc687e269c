package probe

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// captured is the nonce of the files in testdata.
const captured = "00112233445566778899aabbccddeeff"

// captureBox is the sandbox whose report they hold.
const captureBox sandboxer.ID = "canary-4k9x0q2m7t3b"

func readCapture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".capture"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parseCapture(data []byte) sandboxer.Observation {
	return parse(data, request{nonce: captured, root: "/tmp/sandboxer", sandbox: captureBox})
}

// golden is what of an observation does not show in its JSON, beside it.
type golden struct {
	Snapshot  sandboxer.HostSnapshot
	Objects   sandboxer.ObjectSets
	Inventory sandboxer.Inventory
	Facts     sandboxer.Facts
	Report    string
	Cost      *sandboxer.SandboxCost
}

func TestCaptures(t *testing.T) {
	for _, name := range []string{"docker-api", "docker-cli", "podman", "busybox"} {
		t.Run(name, func(t *testing.T) {
			obs := parseCapture(readCapture(t, name))
			obs.Snapshot.Collection.ScriptVersion = nil
			got, err := json.MarshalIndent(golden{
				obs.Snapshot, obs.Snapshot.Objects, obs.Inventory, obs.Facts, string(obs.Report), obs.Cost,
			}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".golden.json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// at returns the value at a JSON path of a snapshot, as JSON.
func at(t *testing.T, s sandboxer.HostSnapshot, path string) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return "nothing"
			}
			v = x[i]
		default:
			return "nothing"
		}
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func reasonOf(s sandboxer.HostSnapshot, path string) string {
	for _, m := range s.Collection.Missing {
		if m.Field == path {
			return m.Reason
		}
	}
	return ""
}

// Kernels and hosts that differ from the ones captured: each is a capture with
// one thing changed.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string
		path     string
		want     string // value, as JSON
		reason   string
	}{
		{"no nanoseconds", "\n1795474957.", "\n1795474957.%N ", "observed_at", `"2026-11-23T23:02:37Z"`, ""},
		{"a date that failed", "\n1795474957.", "\nnot a date ", "observed_at", "null", "parse_error"},
		{"no limit of files", "\t2466170", "\t9223372036854775807", "limits.fds_max", "null", "unsupported"},
		{"pressure that refuses", "/proc/pressure/cpu:", "/dev/null:", "pressure.cpu", "null", "disabled"},
		{"no pressure", "ts /proc/pressure/cpu\n", "ts /dev/null\n", "pressure.memory.some_avg10_ratio", "0", ""},
		{"an old kernel's cpu pressure", "/proc/pressure/cpu:full", "/dev/null:", "pressure.cpu.full_stall_us_total", "null", "unsupported"},
		{"memory that is no number", "MemAvailable:   ", "MemAvailable:   x", "memory.available_bytes", "null", "absent"},
		{"memory without a unit", "AnonPages:", "HugePages:", "memory.anon_bytes", "null", "absent"},
		{"load that is none", "/proc/loadavg:", "/proc/loadavg:NaN ", "load.load1", "null", "absent"},
		{"load cut short", "/proc/loadavg:", "/proc/loadavg:1.0\n/dev/null:", "load.load1", "null", "parse_error"},
		{"no fixed number of inodes", " 16777216 ", " 0 ", "filesystems[0].inodes_total", "null", "unsupported"},
		{"read-only", "/ / rw,relatime - ext4", "/ / ro,relatime - ext4", "filesystems[0].read_only", "true", ""},
		{"read-only after an error", "ext4 /dev/vda rw,", "ext4 /dev/vda ro,", "filesystems[0].read_only", "true", ""},
		{"a machine without an id", "machine-id:0f1e2d3c4b5a69788796a5b4c3d2e1f0", "machine-id:uninitialized", "identity.machine_id", "null", "absent"},
		{"an arm", "arch:x86_64", "arch:aarch64", "identity.arch", `"arm64"`, ""},
		{"a pending reboot", "exists /proc/locks", "exists /run/reboot-required", "identity.reboot_required", "true", ""},
		{"a podman container", "exists /proc/locks", "exists /run/.containerenv", "identity.virtualization", `"podman"`, ""},
		{"lxcfs", "- overlay overlay", "- fuse.lxcfs lxcfs", "identity.virtualization", `"lxcfs"`, ""},
		{"cgroup2 alone", "- cgroup cgroup ", "- none none ", "identity.cgroup_version", "2", ""},
		{"quotes in os-release", `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"`, `PRETTY_NAME='A "B" \$C'`, "identity.os_pretty_name", `"A \"B\" $C"`, ""},
		{"no os-release in /etc", "/etc/os-release:", "/dev/null:", "identity.os_id", `"debian"`, ""},
		{"guests counted twice", "/proc/stat:cpu  ", "/proc/stat:cpu  x", "cpu.busy_seconds_total", "null", "absent"},
		{"no user name", "0(root) gid", "0 gid", "identity.user", "null", "absent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := readCapture(t, "docker-api")
			changed := bytes.ReplaceAll(data, []byte(c.old), []byte(c.new))
			if bytes.Equal(data, changed) {
				t.Fatalf("%q is not in the capture", c.old)
			}
			s := parseCapture(changed).Snapshot
			if got := at(t, s, c.path); got != c.want {
				t.Errorf("%s: got %s, want %s", c.path, got, c.want)
			}
			if got := reasonOf(s, c.path); got != c.reason {
				t.Errorf("%s: got reason %q, want %q", c.path, got, c.reason)
			}
		})
	}
}

// Whatever the answer is cut at, nothing in it is wrong: a value is the right
// one or unknown, and what the rest may have held is not taken to be absent.
func TestCutAnywhere(t *testing.T) {
	for _, name := range []string{"docker-api", "docker-cli", "podman", "busybox"} {
		data := readCapture(t, name)
		full := parseCapture(data)
		if full.Snapshot.Collection.Partial || !full.Inventory.Complete {
			t.Fatalf("%s: got a partial answer of the whole capture: %+v %+v", name, full.Snapshot.Collection.Missing, full.Inventory.Sources)
		}
		end := bytes.LastIndex(data, []byte(captured+" end all"))
		for cut := 0; cut < end; cut += 97 {
			obs := parseCapture(data[:cut])
			if !obs.Snapshot.Collection.Partial {
				t.Fatalf("%s cut at %d: got whole, want partial", name, cut)
			}
			recorded := bytes.Contains(data[:cut], []byte(captured+" end records"))
			if obs.Inventory.Complete && !recorded {
				t.Fatalf("%s cut at %d: got a complete inventory", name, cut)
			}
			if diff := wrong(reflect.ValueOf(full.Snapshot), reflect.ValueOf(obs.Snapshot), ""); diff != "" {
				t.Fatalf("%s cut at %d: %s", name, cut, diff)
			}
			for kind, set := range obs.Snapshot.Objects {
				if diff := cmp.Diff(full.Snapshot.Objects[kind], set); diff != "" {
					t.Fatalf("%s cut at %d: %s (-want +got):\n%s", name, cut, kind, diff)
				}
			}
			if list := obs.Inventory.Sandboxes; !recorded && len(list) > 0 {
				for _, s := range list {
					if s.Metadata == sandboxer.RecordMissing && s.Registry == sandboxer.RecordMissing || s.Metadata == sandboxer.RecordCorrupt {
						t.Fatalf("%s cut at %d: sandbox %s: got metadata %s, registry %s, want unknown", name, cut, s.SandboxID, s.Metadata, s.Registry)
					}
				}
			}
		}
	}
}

// wrong compares what is known in cut with the same in full.
func wrong(full, cut reflect.Value, path string) string {
	switch cut.Kind() {
	case reflect.Pointer:
		if cut.IsNil() {
			return ""
		}
		if full.IsNil() {
			return path + ": known only when cut"
		}
		return wrong(full.Elem(), cut.Elem(), path)
	case reflect.Struct:
		if cut.Type().PkgPath() == "time" {
			break
		}
		for i := range cut.NumField() {
			name := cut.Type().Field(i).Name
			if name == "Collection" || name == "Engines" || name == "Objects" || name == "Roles" {
				continue
			}
			if s := wrong(full.Field(i), cut.Field(i), path+"."+name); s != "" {
				return s
			}
		}
		return ""
	case reflect.Slice:
		if cut.Len() == 0 {
			return ""
		}
		for i := range min(full.Len(), cut.Len()) {
			if s := wrong(full.Index(i), cut.Index(i), path+"[]"); s != "" {
				return s
			}
		}
		return ""
	}
	if !cmp.Equal(full.Interface(), cut.Interface()) {
		return fmt.Sprintf("%s: got %v, want %v or unknown", path, cut, full)
	}
	return ""
}

// Every null has its reason.
func TestEveryNullIsMissing(t *testing.T) {
	for _, name := range []string{"docker-api", "podman", "busybox"} {
		data := readCapture(t, name)
		for _, cut := range []int{0, len(data) / 3, len(data) / 2, len(data)} {
			s := parseCapture(data[:cut]).Snapshot
			nulls := nullsOf(t, s)
			for _, path := range nulls {
				if !explained(s.Collection.Missing, path) {
					t.Errorf("%s cut at %d: %s is null, and not in missing", name, cut, path)
				}
			}
			for _, m := range s.Collection.Missing {
				if got := at(t, s, m.Field); got != "null" && !strings.HasPrefix(got, "{") {
					t.Errorf("%s cut at %d: %s is in missing, and %s", name, cut, m.Field, got)
				}
			}
		}
	}
}

func nullsOf(t *testing.T, s sandboxer.HostSnapshot) []string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var nulls []string
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch x := v.(type) {
		case nil:
			nulls = append(nulls, path)
		case map[string]any:
			for k, e := range x {
				walk(e, strings.TrimPrefix(path+"."+k, "."))
			}
		case []any:
			for i, e := range x {
				walk(e, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	walk(v, "")
	return nulls
}

func explained(list []sandboxer.Missing, path string) bool {
	if strings.HasSuffix(path, ".detail") || strings.HasPrefix(path, "clock_") || path == "collection.duration_ms" {
		return true // null says it all, or the collector fills it in
	}
	for _, m := range list {
		if m.Field == path || strings.HasPrefix(path, m.Field+".") {
			return true
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"docker-api", "docker-cli", "podman", "busybox"} {
		f.Add(readCapture(f, name))
	}
	f.Add([]byte("\n" + captured + " begin odd\n./a\x00./b\nc\x0041ed 0 0 1 2 3 4 5 ./a\n\n" + captured + " end odd 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		obs := parseCapture(data)
		out, err := json.Marshal(obs)
		if err != nil {
			t.Fatalf("got %v, want JSON", err)
		}
		var big json.Number
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.UseNumber()
		for {
			tok, err := dec.Token()
			if err != nil {
				break
			}
			if n, ok := tok.(json.Number); ok && len(n) > 20 {
				big = n
			}
		}
		if big != "" {
			t.Errorf("got number %s, want none beyond 2^53", big)
		}
		if obs.Inventory.Complete && len(obs.Snapshot.Collection.Missing) == 0 && len(data) == 0 {
			t.Error("got a complete answer of nothing")
		}
	})
}
