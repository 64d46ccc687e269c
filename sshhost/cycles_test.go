package sshhost_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// cycle opens a host, runs a command, and closes the host.
func cycle(t *testing.T, alias, cfg string) {
	t.Helper()
	h := sshhost.New(alias, sshhost.Config{ConfigFile: cfg})
	runs(t, h)
	if err := h.Close(); err != nil {
		t.Errorf("Close: got %v, want nil", err)
	}
}

// cycles counts what n hosts leave that were opened, used and closed.
func cycles(t *testing.T, n int, alias, cfg string) {
	t.Helper()
	cycle(t, alias, cfg) // what the runtime opens once stays
	before := countResources(t)
	for range n {
		cycle(t, alias, cfg)
	}
	before.mustBeAll(t)
}

// TestCyclesLeaveNothing: a thousand hosts leave no goroutine, no descriptor
// and no process. The server is in this process, so that what they leave on
// the other side counts as well.
func TestCyclesLeaveNothing(t *testing.T) {
	cycles(t, 1000, "open-house", openHouse(t))
}

// TestWaysLeaveNothing is the same for each way to a real sshd. It pays two
// processes for a login, so there are fewer of them.
func TestWaysLeaveNothing(t *testing.T) {
	l := lab.Open(t)
	controlled, _ := master(t)
	for _, tt := range []struct {
		name       string
		cycles     int
		alias, cfg string
	}{
		{"directly", 15, "lab-dash", l.SSHConfig},
		{"by a jump", 6, "lab-jump", l.SSHConfig},
		{"over a control connection", 15, "lab-bash", controlled},
	} {
		t.Run(tt.name, func(t *testing.T) { cycles(t, tt.cycles, tt.alias, tt.cfg) })
	}
}

// TestDialsGivenUpLeaveNothing ends the caller's patience at every stage of
// the way in.
func TestDialsGivenUpLeaveNothing(t *testing.T) {
	cfg := openHouse(t)
	cycle(t, "open-house", cfg)
	before := countResources(t)
	for i := range 150 {
		h := sshhost.New("open-house", sshhost.Config{ConfigFile: cfg})
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*200*time.Microsecond)
		if _, err := h.Run(ctx, trueCmd); err != nil && ctx.Err() == nil {
			t.Errorf("with %d times 200µs: got %v, want success or the end of the context", i, err)
		}
		cancel()
		h.Close()
	}
	before.mustBeAll(t)
}

// resources are what a process may leak.
type resources struct{ goroutines, descriptors, children int }

func countResources(t *testing.T) resources {
	t.Helper()
	lab.Require(t, "proc")
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return resources{runtime.NumGoroutine(), len(fds), len(children(t))}
}

// mustBeAll waits until no more is there than before.
func (r resources) mustBeAll(t *testing.T) {
	t.Helper()
	allEnd(t, r.goroutines)
	deadline, tick := time.After(10*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		now := countResources(t)
		if now.goroutines <= r.goroutines && now.descriptors <= r.descriptors && now.children <= r.children {
			return
		}
		select {
		case <-deadline:
			t.Errorf("got %+v, %+v before: want no more", now, r)
			return
		case <-tick.C:
		}
	}
}
