package sshhost_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestCrowd: forty hosts go at once to a server that has two logins under way
// at a time and turns everybody else away. All get in.
func TestCrowd(t *testing.T) {
	// Of MaxStartups, unlike of other keywords, sshd takes the last one.
	strict := []string{"sh", "-c", `sed -i 's/^MaxStartups .*/MaxStartups 2:100:3/' "$5" && exec "$@"`, "sh"}
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Prefix: strict})
	hosts := make([]*sshhost.Host, 40)
	for i := range hosts {
		hosts[i] = open(t, "lab-dash", srv.SSHConfig, nil)
	}
	errs := make([]error, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() {
			res, err := h.Run(t.Context(), trueCmd)
			if err == nil {
				err = res.Err("true")
			}
			errs[i] = err
		})
	}
	all.Wait()
	dials, failed := 0, 0
	for i, h := range hosts {
		dials += h.Stats().Dials
		if errs[i] != nil {
			failed++
			t.Log(errs[i])
		}
	}
	if failed > 0 {
		t.Errorf("got %d of %d hosts failed, want none", failed, len(hosts))
	}
	if dials <= len(hosts) {
		t.Errorf("got %d dials: nobody was turned away, so that this shows nothing", dials)
	}
}

// TestTurnedAwayWithAWord: past MaxStartups, sshd says so before it closes.
// What is not a greeting is no reason not to come again.
func TestTurnedAwayWithAWord(t *testing.T) {
	l := lab.Open(t)
	addr, _ := answer(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.WriteString(c, "Exceeded MaxStartups\r\n")
		c.Close()
	})
	h := open(t, "lab-dash", l.Via(t, addr), func(c *sshhost.Config) { c.Timeout = 2 * time.Second })
	unreachable(t, h, "dial", nil)
	if n := h.Stats().Dials; n < 2 {
		t.Errorf("got %d dials, want it tried again", n)
	}
}
