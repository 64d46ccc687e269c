package sshhost_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A record is all that a Trace was told, and all that was logged.
type record struct {
	mu    sync.Mutex
	dials []sshhost.DialEvent
	execs []sshhost.ExecEvent
	again []sshhost.RetryEvent
	lost  []error
	log   bytes.Buffer
}

// note makes an append that is safe for concurrent use.
func note[T any](r *record, to *[]T) func(T) {
	return func(e T) {
		r.mu.Lock()
		defer r.mu.Unlock()
		*to = append(*to, e)
	}
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *record) into(c *sshhost.Config) {
	c.Trace = sshhost.Trace{Dial: note(r, &r.dials), Exec: note(r, &r.execs), Retry: note(r, &r.again), Lost: note(r, &r.lost)}
	c.Logger = slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestTrace: every dial, command, repetition and loss is told once.
func TestTrace(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, 0)
	var r record
	h := open(t, "lab-dash", l.Via(t, p.Addr), r.into)
	runs(t, h)
	p.Cut()
	runs(t, h)
	if _, err := h.Run(t.Context(), sandboxer.Cmd{Args: []string{"sh", "-c", "exit 7"}}); err != nil {
		t.Fatal(err)
	}
	h.Close()
	if len(r.dials) != 2 || r.dials[0].Err != nil || r.dials[0].Address != p.Addr || r.dials[0].Took <= 0 {
		t.Errorf("got dials %+v, want two to %s", r.dials, p.Addr)
	}
	if len(r.execs) != 3 || r.execs[2].ExitCode != 7 || r.execs[2].Program != "sh" || !r.execs[2].Started || r.execs[0].Waited < r.execs[2].Waited {
		t.Errorf("got commands %+v, want three, the last one exit 7 of sh, the first one with the longest wait", r.execs)
	}
	if len(r.lost) != 2 || !errors.Is(r.lost[0], sshhost.ErrConnLost) || !errors.Is(r.lost[1], sshhost.ErrClosed) {
		t.Errorf("got losses %v, want one by the network and one by Close", r.lost)
	}
}

// TestTraceOfFailures: what never came to a command is told as well.
func TestTraceOfFailures(t *testing.T) {
	l := lab.Open(t)
	var r record
	h := open(t, "lab-dash", l.Via(t, doorkeeper(t, l.Server.Addr, 2)), r.into)
	runs(t, h)
	if len(r.dials) != 3 || r.dials[0].Err == nil || r.dials[2].Err != nil || len(r.again) != 2 || r.again[0].Op != "dial" {
		t.Errorf("got dials %+v, repeated %+v, want three and two", r.dials, r.again)
	}
	var denied record
	h = open(t, "lab-denied", l.SSHConfig, denied.into)
	_, err := h.Run(t.Context(), trueCmd)
	if len(denied.execs) != 1 || denied.execs[0].Started || denied.execs[0].Err != err || len(denied.again) != 0 {
		t.Errorf("got %+v, repeated %+v, want one command that never started, with error %v", denied.execs, denied.again, err)
	}
}

// TestTraceKeepsSecrets: neither events nor the log hold what a command was
// given or has said, nor a proxy's command line.
func TestTraceKeepsSecrets(t *testing.T) {
	l := lab.Open(t)
	cfg := config(t, l.SSHConfig, "Host lab-bash", "    ProxyCommand env TOKEN=s3cret ssh -F "+l.SSHConfig+" -W %h:%p lab-hop")
	var r record
	h := open(t, "lab-bash", cfg, r.into)
	if _, err := h.Run(t.Context(), sandboxer.Cmd{
		Args: []string{"sh", "-c", "echo s3cret; echo s3cret >&2; exit 1", "s3cret"}, Env: []string{"TOKEN=s3cret"}, Stdin: strings.NewReader("s3cret"),
	}); err != nil {
		t.Fatal(err)
	}
	h.Close()
	told := fmt.Sprintf("%+v %+v %+v %v %s", r.dials, r.execs, r.again, r.lost, &r.log)
	if strings.Contains(told, "s3cret") || len(r.execs) != 1 || !strings.Contains(r.log.String(), "command ended") {
		t.Errorf("got %s, want the command in it and no secret", told)
	}
}
