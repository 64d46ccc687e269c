package e2e

import (
	"testing"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A look at a host costs one connection, whose tests count its round trips,
// and one command; the next look costs one more command.
func TestInspectCost(t *testing.T) {
	lab.Require(t, "sshd", "ssh")
	l := lab.Open(t)
	proxy := lab.DelayProxy(t, l.Server.Addr, 0)
	host := sshhost.New("lab-dash", sshhost.Config{ConfigFile: l.Via(t, proxy.Addr)})
	t.Cleanup(func() { host.Close() })
	box := newBox(t, place{engine: "process", sh: func(*testing.T, string) string { return "" }})
	for looks := 1; looks <= 3; looks++ {
		if _, err := box.Inspect(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		if proxy.Connections() != 1 || host.Stats().Execs != looks {
			t.Errorf("after %d looks: got %d connections and %d commands, want 1 and %d", looks, proxy.Connections(), host.Stats().Execs, looks)
		}
	}
}
