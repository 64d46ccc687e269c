package probe_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// In the trash is what a reap has put there, by its name, and nothing else.
func TestTrash(t *testing.T) {
	m := newMachine(t)
	for _, name := range []string{
		"canary-000000.0123456789abcdef.1795553583", "fake99.0123456789abcdef.0", "canary-000000", "notes.v2.1", "notes.20261125.1",
		"fake99.0123456789abcdef", "fake99.0123456789abcdef.old", "fake99.0123456789abcdef.-1", "Fake99.0123456789abcdef.0", "fake99.0123456789ABCDEF.0",
	} {
		m.write(m.root+"/.trash/"+name+"/file", "x", 0o600)
	}
	m.write(m.root+"/.trash/canary-000000.0123456789abcdef.1795553583/.sandboxer/meta.json", "{}", 0o600)
	must(t, os.Chmod(m.root+"/.trash", 0o700))
	for _, tool := range []string{"find", "busybox"} {
		if tool == "busybox" {
			lab.Require(t, tool)
			must(t, os.Remove(m.bin+"/find"))
			m.link(tool)
			m.script("find", "exec busybox find \"$@\"\n")
		}
		var got []string
		for _, e := range m.collect(sandboxer.CollectOptions{}).Inventory.Trash {
			until := "at once"
			if e.KeptUntil != nil {
				until = fmt.Sprint(e.KeptUntil.Unix())
			}
			got = append(got, fmt.Sprintf("%s %v %s", e.Ref, e.SandboxID != nil, until))
		}
		if want := []string{"canary-000000 true 1795553583", "fake99 false at once"}; !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", tool, got, want)
		}
	}
}
