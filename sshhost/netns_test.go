package sshhost_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// clients returns the children that run the OpenSSH client. Servers are children
// as well here.
func clients(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(children(t), func(args string) bool { return !strings.HasPrefix(args, "ssh ") })
}

// TestJumpsAcrossNetworks: a way over other hosts leads where no other does.
func TestJumpsAcrossNetworks(t *testing.T) {
	n := lab.NewHops(t)
	for alias, at := range map[string]int{"net-a": 0, "net-b": 1, "net-c": 2, "net-c-list": 2} {
		h := open(t, alias, n.SSHConfig, nil)
		res, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "echo $SSH_CONNECTION"}})
		// In `198.18.0.5 34567 198.18.0.6 22` the host's own address is third.
		want := strings.Replace(n.Hosts[at].Addr, ":", " ", 1)
		if err != nil || !strings.HasSuffix(string(res.Stdout), " "+want+"\n") {
			t.Errorf("%s: got %q, %v, want a connection to %s", alias, res.Stdout, err, want)
		}
		if clients := clients(t); len(clients) == 0 && at > 0 {
			t.Errorf("%s: got no ssh among the children, want the way's", alias)
		}
		h.Close()
		if clients := clients(t); len(clients) > 0 {
			t.Errorf("%s: after Close: got children %q, want none of the way's", alias, clients)
		}
	}
	for _, alias := range []string{"net-b-direct", "net-c-direct"} {
		unreachable(t, open(t, alias, n.SSHConfig, nil), "dial", syscall.EHOSTUNREACH)
	}
}

// TestJumpAcrossNetworksDies: what becomes of a command whose way ends is not
// known, whichever part of the way it was, and nothing of the way is left.
func TestJumpAcrossNetworksDies(t *testing.T) {
	for _, tt := range []struct {
		name, alias string
		end         func(t *testing.T, n *lab.Hops)
	}{
		{"the only jump is killed", "net-b", func(_ *testing.T, n *lab.Hops) { n.Hosts[0].Stop() }},
		{"the first of two is killed", "net-c", func(_ *testing.T, n *lab.Hops) { n.Hosts[0].Stop() }},
		{"the second of two is killed", "net-c", func(_ *testing.T, n *lab.Hops) { n.Hosts[1].Stop() }},
		{"the wire is cut", "net-c-list", func(t *testing.T, n *lab.Hops) { n.Unplug(t) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := lab.NewHops(t)
			h := open(t, tt.alias, n.SSHConfig, func(c *sshhost.Config) { c.LostAfter = time.Second })
			end := sync.OnceFunc(func() { tt.end(t, n) })
			_, err := h.Run(t.Context(), sandboxer.Cmd{
				Args:   []string{"sh", "-c", "echo; exec sleep 60"},
				Stdout: writerFunc(func(p []byte) (int, error) { end(); return len(p), nil }),
			})
			var he *sandboxer.HostError
			if !errors.As(err, &he) || !he.Started || he.Killed || !errors.Is(err, sshhost.ErrConnLost) {
				t.Errorf("got %v, want ErrLost, outcome unknown", err)
			}
			if err := h.Close(); err != nil {
				t.Errorf("Close: got %v, want nil", err)
			}
			if clients := clients(t); len(clients) > 0 {
				t.Errorf("after Close: got children %q, want none of the way's", clients)
			}
		})
	}
}
