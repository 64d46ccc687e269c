package probe

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
)

// The provisioners of a sandboxer, of which doctor asks only the name.
type named struct {
	sandboxer.Provisioner
	engine sandboxer.Engine
}

func (n named) Engine() sandboxer.Engine { return n.engine }

// What doctor makes of hosts that no lab can be: with systemd, with SELinux,
// with docker as a snap, at the end of its address pools.
func TestDoctorOnCaptures(t *testing.T) {
	all := []sandboxer.Provisioner{named{engine: sandboxer.EngineDocker}, named{engine: sandboxer.EnginePodman}, named{engine: sandboxer.EngineProcess}}
	for _, name := range []string{"traps-rootless", "traps-storage", "traps-docker"} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, f := range sandboxer.Doctor(parseCapture(readCapture(t, name)), all) {
				fmt.Fprintf(&b, "%s %s: %s\n", f.Verdict, f.Check, f.Message)
				if f.Mend != nil {
					fmt.Fprintf(&b, "\t%s\n", *f.Mend)
				}
			}
			path := "testdata/" + name + ".doctor.golden"
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
