package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/schema/validate"
)

const runbook = "../../docs/runbooks/profile-sandbox-canary.md"

// A step is a command line of the runbook.
type step struct {
	line string
	tags []string // what the site must be; none: any
}

// readRunbook returns the lines of all blocks of shell, in order. The words
// after "sh" at a fence say for which sites the block is.
func readRunbook(t *testing.T) []step {
	t.Helper()
	text, err := os.ReadFile(runbook)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	var tags []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```sh"):
			inside, tags = true, strings.Fields(line)[1:]
		case line == "```":
			inside = false
		case inside && line != "":
			steps = append(steps, step{line, tags})
		}
	}
	return steps
}

// isFor reports whether the step is to be taken on s.
func (st step) isFor(s site) bool {
	way := "local"
	if s.remote {
		way = "ssh"
	}
	for _, tag := range st.tags {
		if tag != way && tag != s.tool {
			return false
		}
	}
	return true
}

// The commands of the runbook, as they stand there and in their order, on every
// engine; then nothing is left.
func TestRunbookToTheLetter(t *testing.T) {
	steps := readRunbook(t)
	if len(steps) < 15 {
		t.Fatalf("got %d commands in %s, want all of the runbook's", len(steps), runbook)
	}
	for _, s := range sites() {
		t.Run(s.name, func(t *testing.T) {
			c := s.open(t)
			defaultRoot(t)
			r := &reader{c: c}
			before := c.objects()
			for _, st := range steps {
				if st.isFor(s) {
					r.follow(st.line)
				}
			}
			if !r.created || !r.destroyed || !r.removed {
				t.Errorf("got created %v, destroyed %v, created and removed %v, want all of it", r.created, r.destroyed, r.removed)
			}
			if now := c.objects(); now != before {
				t.Errorf("the engine holds\n%sand held before\n%s", now, before)
			}
			if left := c.unfinished(); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// defaultRoot keeps the directory of the runbook for this test alone.
func defaultRoot(t *testing.T) {
	t.Helper()
	if entries, err := os.ReadDir(sandboxer.DefaultRoot); err == nil && len(entries) > 0 {
		// Somebody's own sandboxes: they are not a test's to move. .ci/run fails on a skip.
		t.Skipf("%s is in use on this machine: %s", sandboxer.DefaultRoot, entries[0].Name())
	}
	_ = os.Remove(sandboxer.DefaultRoot) // another user's
	t.Cleanup(func() { os.RemoveAll(sandboxer.DefaultRoot) })
}

// A reader does what the runbook says, and looks at what comes.
type reader struct {
	c       *console
	exports string
	status  sandboxer.SandboxStatus // of the sandbox that was created

	created, destroyed, removed bool
}

var lastLine = regexp.MustCompile(`(?m)^Telemetry: load Δ ([+-]\d+\.\d\d|n/a), mem avail Δ ([+-]\d+ MB|n/a), stale candidates: \d+\n\z`)

func (r *reader) follow(line string) {
	t := r.c.t
	t.Helper()
	if strings.HasPrefix(line, "export ") {
		r.exports += line + "\n"
		return
	}
	line = strings.ReplaceAll(line, "<sandbox_id>", string(r.status.SandboxID))
	out, errs, code := r.c.run(r.exports + line)
	if code != 0 {
		t.Fatalf("%s: got exit code %d, want 0\n%s\n%s", line, code, out, errs)
	}
	verb, isOurs := strings.CutPrefix(line, "sandboxer ")
	if isOurs {
		if _, err := validate.Document([]byte(out)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	switch {
	case strings.HasPrefix(verb, "create"):
		if !lastLine.MatchString(errs) {
			t.Errorf("%s: got standard error\n%swant the telemetry line at its end", line, errs)
		}
		status := decode[sandboxer.SandboxStatus](t, out)
		if verb == "create --rm" {
			r.removed = true
			checkDestroyed(t, status)
			return
		}
		r.created, r.status = true, status
		checkReady(t, status)
		if status.Telemetry.Before == nil || status.Telemetry.Inventory == nil || string(*status.Engine) != r.c.site.engine {
			t.Errorf("%s: got engine %v, want %s with a report", line, status.Engine, r.c.site.engine)
		}
	case strings.HasPrefix(verb, "inspect host"):
		snap := decode[sandboxer.HostSnapshot](t, out)
		after := r.status.Telemetry.After
		if *snap.Identity.BootID != *after.Identity.BootID || *snap.Memory.TotalBytes != *after.Memory.TotalBytes ||
			!cmp.Equal(snap.Engine(*r.status.Engine).ContainersRunning, after.Engine(*r.status.Engine).ContainersRunning) {
			t.Errorf("%s does not agree with the create report", line)
		}
	case verb == "list":
		inv := decode[sandboxer.Inventory](t, out)
		if found := inv.Find(r.status.SandboxID); found == nil || len(found.Ports) != 1 {
			t.Errorf("%s: got %+v, want %s with its port", line, found, r.status.SandboxID)
		}
	case strings.HasPrefix(verb, "inspect stale"), strings.HasPrefix(verb, "reap-stale --dry-run"):
		if !strings.Contains(out, "fake99") {
			t.Errorf("%s: got\n%swant fake99 in it", line, out)
		}
	case strings.HasPrefix(verb, "status"):
		if status := decode[sandboxer.SandboxStatus](t, out); status.State != sandboxer.StateReady {
			t.Errorf("%s: got state %s, want ready", line, status.State)
		}
	case strings.HasPrefix(verb, "destroy"):
		r.destroyed = true
		checkDestroyed(t, decode[sandboxer.SandboxStatus](t, out))
	}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	value, err := read[T](text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func read[T any](text string) (T, error) {
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return value, fmt.Errorf("got %q, want a document: %w", text, err)
	}
	return value, nil
}

// Each site has steps of its own kind, or the runbook does not say how to get
// there.
func TestRunbookServesEverySite(t *testing.T) {
	steps := readRunbook(t)
	for _, s := range sites() {
		if s.tool != "" && !slices.ContainsFunc(steps, func(st step) bool { return slices.Contains(st.tags, s.tool) }) {
			t.Errorf("the runbook does not say how to choose %q", s.tool)
		}
	}
}
