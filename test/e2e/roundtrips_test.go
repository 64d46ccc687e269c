package e2e

import (
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestInspectRoundTrips counts what the user of a long wire waits for, and what
// a look costs the host: the server's own log says how many shells it started.
func TestInspectRoundTrips(t *testing.T) {
	for _, alias := range []string{"lab-dash", "lab-docker"} {
		t.Run(alias, func(t *testing.T) {
			server := lab.SSHD(t, lab.SSHDOptions{})
			// The proxy never counts too few. It counts one too many where the host
			// looks around for longer than the wire takes there and back: meanwhile
			// the client has said that the command gets no input, and what comes
			// after that looks like an answer to it. A longer wire shows that it is
			// none.
			for delay := 50 * time.Millisecond; ; delay *= 4 {
				cold, warm := inspectOver(t, server, alias, delay)
				t.Logf("%v each way: connect and inspect: %d round trips; inspect: %d", delay, cold, warm)
				if cold <= 9 && warm <= 2 {
					break
				}
				if delay > time.Second {
					t.Fatalf("got %d round trips to connect and inspect, %d to inspect again, want at most 9 and 2", cold, warm)
				}
			}
		})
	}
}

// inspectOver looks twice at a host at the other end of a long wire.
func inspectOver(t *testing.T, server *lab.Server, alias string, delay time.Duration) (cold, warm int) {
	t.Helper()
	l := lab.Open(t)
	l.Server.HostKeys = server.HostKeys
	proxy := lab.DelayProxy(t, server.Addr, delay)
	host := sshhost.New(alias, sshhost.Config{ConfigFile: l.Via(t, proxy.Addr), Timeout: 5 * time.Minute})
	t.Cleanup(func() { host.Close() })
	box := newBox(t, place{engine: "process", sh: func(*testing.T, string) string { return "" }})
	started, ended := logged(t, server, shellStarted), logged(t, server, connectionEnded)
	var trips []int // after each look
	for looks := 1; looks <= 2; looks++ {
		if _, err := box.Inspect(t.Context(), host); err != nil {
			t.Fatal(err)
		}
		if proxy.Connections() != 1 || host.Stats().Execs != looks {
			t.Errorf("after %d looks: got %d connections and %d commands, want 1 and %d",
				looks, proxy.Connections(), host.Stats().Execs, looks)
		}
		trips = append(trips, proxy.RoundTrips())
	}
	host.Close()
	// The log is complete when it says that the connection is over.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); logged(t, server, connectionEnded) == ended && time.Now().Before(deadline); {
		<-tick.C
	}
	if got := logged(t, server, shellStarted) - started; got != 2 {
		t.Errorf("got %d shells started, want 1 for each of 2 looks", got)
	}
	return trips[0], trips[1] - trips[0]
}

// Lines of an sshd's log. The end of a connection that nobody had logged in on is
// of no interest: it would say [preauth] after the port.
var (
	shellStarted    = regexp.MustCompile(`(?m)^Starting session: `)
	connectionEnded = regexp.MustCompile(`(?m)^Connection closed by \S+ port \d+\r?$`)
)

// logged returns how many such lines the server's log has.
func logged(t *testing.T, server *lab.Server, line *regexp.Regexp) int {
	t.Helper()
	data, err := os.ReadFile(server.Log)
	if err != nil {
		t.Fatal(err)
	}
	return len(line.FindAll(data, -1))
}
