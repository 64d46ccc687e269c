package e2e

import (
	"flag"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

var creates = flag.Int("creates", 12, "sandboxes that TestSideBySide creates on each engine")

const atOnce = 8

// Creates and destroys of several controllers beside each other on one host:
// all ready, all gone, and the host's own books tell the same story.
func TestSideBySide(t *testing.T) {
	for _, s := range sites() {
		if !s.remote || s.name == "docker-v1/ssh" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			c := s.open(t)
			c.ownRoot()
			before := c.objects()
			ids := c.createAndDestroy(*creates)
			if now := c.objects(); now != before {
				t.Errorf("the engine holds\n%sand held before\n%s", now, before)
			}
			if left := c.unfinished(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
			c.checkBooks(ids)
		})
	}
}

// createAndDestroy returns the ids of the n sandboxes that were ready and are
// gone.
func (c *console) createAndDestroy(n int) []sandboxer.ID {
	turns := make(chan struct{}, n)
	for range n {
		turns <- struct{}{}
	}
	close(turns)
	var mu sync.Mutex
	var ids []sandboxer.ID
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for range turns {
				id, err := c.once()
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
				if err != nil {
					c.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return ids
}

// once creates and destroys one sandbox, each with a process and a connection
// of its own.
func (c *console) once() (sandboxer.ID, error) {
	out, err := c.output(c.sandboxer("create --wait-timeout 5m"))
	if err != nil {
		return "", err
	}
	status, err := read[sandboxer.SandboxStatus](out)
	if err != nil || status.State != sandboxer.StateReady {
		return status.SandboxID, fmt.Errorf("create: got state %s, %v, want ready", status.State, err)
	}
	out, err = c.output(c.sandboxer("destroy " + string(status.SandboxID)))
	if err != nil {
		return status.SandboxID, err
	}
	gone, err := read[sandboxer.SandboxStatus](out)
	if err != nil || gone.State != sandboxer.StateDestroyed {
		return status.SandboxID, fmt.Errorf("destroy: got state %s, %v, want destroyed", gone.State, err)
	}
	return status.SandboxID, nil
}

// output runs a command line from any goroutine. Exit code 9 is a canary that
// found the host wanting, which a crowd of them may well make it.
func (c *console) output(line string) (string, error) {
	cmd := c.command(line)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 9 {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", line, err, errs.String())
	}
	return string(out), nil
}

// checkBooks compares the last records and the audit log of the site's user
// with what was done.
func (c *console) checkBooks(ids []sandboxer.ID) {
	c.t.Helper()
	records := c.onSite("cd; ls .local/state/sandboxer/registry/destroyed")
	audit := c.onSite("cd; cat .local/state/sandboxer/audit.jsonl")
	for _, id := range ids {
		if id == "" {
			continue // its create has failed
		}
		if !strings.Contains(records, string(id)+".json\n") {
			c.t.Errorf("%s: got no last record, want one", id)
		}
		removed := 0
		for line := range strings.Lines(audit) {
			if strings.Contains(line, `"sandbox_id":"`+string(id)+`"`) && strings.Contains(line, `"result":"removed"`) {
				removed++
			}
		}
		if removed != 1 {
			c.t.Errorf("%s: got %d audit lines of its removal, want 1", id, removed)
		}
	}
}
