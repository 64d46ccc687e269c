package faults

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/faults/steps"
)

// A tryout is one operation that is tried.
type tryout struct {
	target
	logged int64 // length of the log before
	seen   []sandboxer.ID
}

func (w *world) begin(op operation) *tryout {
	w.t.Helper()
	before := w.logSize()
	c := &tryout{target: op.prepare(w), logged: before}
	if !op.resumes {
		c.logged = w.logSize()
	}
	return c
}

func (w *world) logSize() int64 {
	st, err := os.Stat(w.home() + auditLog)
	if err != nil {
		return 0
	}
	return st.Size()
}

// die runs an operation that dies.
func (w *world) die(op operation, what target, d death) {
	w.t.Helper()
	if d.how == steps.Client {
		w.dieAsClient(op, what)
	} else {
		host, end := w.reach()
		defer end()
		host = w.watched(host)
		if d.alone {
			host = mortal{host, w.run()}
		}
		_ = op.run(w.t.Context(), w.box(), host, what) // whatever it says, the state counts
	}
	w.settle()
}

// A mortal is the host of a client that dies with its script.
type mortal struct {
	sandboxer.Host
	run steps.Dir
}

func (m mortal) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	dead := &sandboxer.HostError{Host: m.Name(), Op: "run", Err: errors.New("this client is dead")}
	if fired, err := m.run.Fired(); fired || err != nil {
		return sandboxer.Result{}, dead
	}
	res, err := m.Host.Run(ctx, cmd)
	if fired, _ := m.run.Fired(); fired {
		return sandboxer.Result{}, dead
	}
	return res, err
}

// readable expects that the host can be looked at, whatever has been left
// there, that all of it is known for what it is, and nobody else's touched.
func (w *world) readable(c *tryout) {
	w.t.Helper()
	w.look().untouched(w.t, w.still)
	obs, err := w.box().Inspect(w.t.Context(), w.host())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, source := range obs.Inventory.Sources {
		// Engines may be this user's or not.
		if was := w.seen.Inventory.Source(source.Name); source.Status != was.Status {
			w.t.Errorf("got %s %s, want it %s as before", source.Name, source.Status, was.Status)
		}
	}
	for _, s := range obs.Inventory.Sandboxes {
		if s.SandboxID == w.bystander {
			continue
		}
		c.seen = append(c.seen, s.SandboxID)
		for _, status := range []sandboxer.RecordState{s.Metadata, s.Registry} {
			if status != sandboxer.RecordOK && status != sandboxer.RecordMissing {
				w.t.Errorf("sandbox %s: got metadata %s, registry record %s, want each ok or missing", s.SandboxID, s.Metadata, s.Registry)
			}
		}
	}
	for _, s := range sandboxer.FindStale(obs, sandboxer.StalePolicy{AllowYoung: true}).StaleCandidates {
		switch s.Class {
		case sandboxer.Corrupt, sandboxer.Foreign, sandboxer.Undecided:
			w.t.Errorf("got %s of class %s (%s), want none", s.Ref, s.Class, s.Detail)
		}
	}
}

// finish expects that one more run does what is left to do, and leaves nothing
// else but the last records and lines in the log.
func (w *world) finish(op operation, c *tryout) {
	w.t.Helper()
	if c.seen == nil {
		w.readable(c)
	}
	again, what := op.again, c.target
	if again == nil {
		again = op.run
	}
	if len(what.names()) == 0 {
		what.IDs = c.seen
	}
	if err := again(w.t.Context(), w.box(), w.host(), what); err != nil {
		w.t.Errorf("one more run: %v", err)
	}
	if op.then != nil {
		op.then(w, what)
	}
	if op.clean != nil {
		if err := op.clean(w.t.Context(), w.box(), w.host(), what); err != nil {
			w.t.Errorf("afterwards: %v", err)
		}
	}
	later := w.tidied()
	w.logged(what, c, later, strings.Fields(cmp.Or(op.lines, "removed")))
	now := w.look()
	now.untouched(w.t, w.still)
	now.nothingElse(w.t, w.still)
	if running := w.processes(); !slices.Equal(running, w.running) {
		w.t.Errorf("got processes %q, want only the bystander's: %q", running, w.running)
	}
	w.sameObjects()
	if w.t.Failed() {
		w.tidy()
	}
}

// tidied lets days go by, and what is tidied up now and then be tidied up: what
// no record tells of is found by nobody else. It returns the sandbox that was
// destroyed for that, if one was.
func (w *world) tidied() sandboxer.ID {
	w.t.Helper()
	past, left := time.Now().Add(-72*time.Hour), false
	for name := range w.look() {
		if w.still[name] != "" {
			continue
		}
		left = left || filepath.Base(name) == ".trash" // an empty one goes with the next
		if strings.HasSuffix(name, ".tmp") || filepath.Base(filepath.Dir(name)) == "locks" {
			left = true
			if err := os.Chtimes(w.home()+name, past, past); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	if !left {
		return ""
	}
	box := w.box()
	box.Random = even{}
	id := w.create(brief, 0)
	if _, err := box.Destroy(w.t.Context(), w.host(), id); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// even is randomness by which every operation is one that tidies up.
type even struct{}

func (even) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	for i := range p {
		p[i] &= 0xf0
	}
	return n, err
}

// logged expects one line for each thing that was done to each thing, and none
// of others, but the one that was destroyed later. What was cut off while it was
// deleted is purged later, which is another line.
func (w *world) logged(what target, c *tryout, later sandboxer.ID, want []string) {
	w.t.Helper()
	data, err := os.ReadFile(w.home() + auditLog)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	got := map[string]map[string]int{}
	for _, name := range what.names() {
		got[name] = map[string]int{}
	}
	for line := range strings.Lines(string(data[min(c.logged, int64(len(data))):])) {
		var l struct {
			SandboxID string `json:"sandbox_id"`
			Path      string `json:"path"`
			Result    string `json:"result"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			w.t.Errorf("log: got %q: %v", line, err)
		}
		ref, _, _ := strings.Cut(cmp.Or(l.SandboxID, filepath.Base(l.Path)), ".")
		if ref == string(later) {
			continue
		}
		switch l.Result {
		case "removed", "purged", "restored": // the others say why something was not done
			if got[ref] == nil { // or the client has undone what never came into sight
				got[ref] = map[string]int{}
				if len(c.names()) > 0 || ref == string(w.bystander) {
					w.t.Errorf("log: got a line about %s, want none: %s", ref, line)
				}
			}
			got[ref][l.Result]++
		}
	}
	for ref, counts := range got {
		for _, result := range want {
			if counts[result] != 1 {
				w.t.Errorf("log: got %v of %s, want one of each of %v", counts, ref, want)
			}
		}
		if counts["purged"] > 1 {
			w.t.Errorf("log: got %v of %s, want it purged once", counts, ref)
		}
	}
}

// tidy takes away what a failure has left, so that it fails no other test.
func (w *world) tidy() {
	for name := range w.look() {
		if w.still[name] == "" {
			_ = os.RemoveAll(w.home() + name)
		}
	}
}
