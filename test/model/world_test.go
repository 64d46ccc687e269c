package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

// A world is a machine, what the model knows of it, and what has been done.
type world struct {
	t      testing.TB
	m      *machine
	engine engine
	box    *sandboxer.Sandboxer
	rng    *rand.Rand

	base time.Time     // no clock goes below it
	now  time.Time     // controller's clock
	skew time.Duration // of the host's clock against it

	boxes    []*box
	things   []*thing
	trash    []*kept
	disposal disposal              // of the operation under way
	obs      sandboxer.Observation // the last look

	cutAs string          // the cut, as it was made
	calm  bool            // nothing is cut off any more
	cuts  map[string]bool // what an operation that was cut off was about

	trace   []string
	removed map[sandboxer.ID]int // audit lines
	returns map[sandboxer.ID]int // from the dead
	read    int                  // bytes of the audit log
}

func newWorld(t testing.TB, seed uint64, with func(testing.TB, *machine) engine) *world {
	t.Helper()
	var key [32]byte
	copy(key[:], fmt.Sprintf("%032x", seed))
	w := &world{
		t: t, m: newMachine(t), rng: rand.New(rand.NewPCG(seed, 1)), cuts: map[string]bool{},
		removed: map[sandboxer.ID]int{}, returns: map[sandboxer.ID]int{}, disposal: disposal{settled: true},
		base: time.Now().Truncate(time.Second).Add(24 * time.Hour),
	}
	w.now, w.engine = w.base, with(t, w.m)
	var random io.Reader
	if w.engine.alone {
		random = rand.NewChaCha8(key)
	}
	w.box = &sandboxer.Sandboxer{
		Provisioners: []sandboxer.Provisioner{w.engine}, Collector: probe.Collector{}, Root: w.m.root(),
		Controller: "model@test", Now: func() time.Time { return w.now }, Random: random,
	}
	for _, dir := range []string{"/outside", "/aside"} {
		must(t, os.Mkdir(w.m.dir+dir, 0o755))
	}
	must(t, errors.Join(os.WriteFile(w.m.dir+"/outside/file", []byte("mine"), 0o644), w.setClocks()))
	w.keep(&thing{path: w.m.dir + "/outside", behind: true})
	return w
}

// host is the host's clock.
func (w *world) host() time.Time { return w.now.Add(w.skew) }

// setClocks keeps the clocks above the base, and tells the host its own.
func (w *world) setClocks() error {
	if w.now.Before(w.base) {
		w.now = w.base
	}
	if w.host().Before(w.base) {
		w.skew = 0
	}
	return w.m.setClock(w.host())
}

func (w *world) judge(policy sandboxer.StalePolicy) judge {
	return judge{policy, w.host(), w.skew.Abs() > sandboxer.MaxClockOffset}
}

func (w *world) somePolicy() sandboxer.StalePolicy {
	return sandboxer.StalePolicy{
		OlderThan:        pick(w, []time.Duration{0, 0, 0, time.Nanosecond, 2 * time.Hour, 48 * time.Hour}),
		KeepTrash:        pick(w, []time.Duration{0, 0, -1, time.Nanosecond, 2 * time.Hour, 48 * time.Hour}),
		IncludeUnclaimed: w.chance(2), AllowYoung: w.chance(2),
	}
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

func pick[T any](w *world, from []T) T { return from[w.rng.IntN(len(from))] }

// some returns one of the sandboxes for which ok holds, or nil.
func (w *world) some(ok func(*box) bool) *box {
	var list []*box
	for _, b := range w.boxes {
		if ok(b) {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return pick(w, list)
}

// lose forgets a sandbox of which no record is left; what the engine has of it
// is a person's to find.
func (w *world) lose(b *box) error {
	w.boxes = slices.DeleteFunc(w.boxes, func(other *box) bool { return other == b })
	return errors.Join(w.engine.lose(b), os.RemoveAll(w.m.state()+"/locks/"+string(b.id)))
}

// checkAudit reads what is new in the audit log: whole lines, and of each
// sandbox one removal.
func (w *world) checkAudit() error {
	log, err := os.ReadFile(w.m.state() + "/audit.jsonl")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(log) < w.read {
		return fmt.Errorf("audit log: got %d bytes, want the %d that were there", len(log), w.read)
	}
	for line := range bytes.Lines(log[w.read:]) {
		var entry struct {
			Act       string       `json:"act"`
			SandboxID sandboxer.ID `json:"sandbox_id"`
			Result    string       `json:"result"`
			At        time.Time    `json:"at"`
		}
		if err := json.Unmarshal(line, &entry); err != nil || !bytes.HasSuffix(line, []byte("\n")) || entry.At.IsZero() {
			return fmt.Errorf("audit log: got %q, %v, want a line of JSON", line, err)
		}
		if entry.Result == "removed" && entry.SandboxID != "" {
			w.removed[entry.SandboxID]++
		} else if entry.Result == "restored" {
			w.returns[entry.SandboxID]++
		}
	}
	w.read = len(log)
	for id, n := range w.removed {
		if n > 1+w.returns[id] {
			return fmt.Errorf("audit log: got %d removals of %s, which came back %d times", n, id, w.returns[id])
		}
	}
	return nil
}

// step does one thing and checks all that the model knows.
func (w *world) step(all []operation) error {
	if w.skew.Abs() > sandboxer.MaxClockOffset && w.chance(6) { // doubt that lasts hides all else
		all = []operation{{"skew", 1, (*world).rightClock}}
	}
	total := 0
	for _, o := range all {
		total += o.weight
	}
	at := w.rng.IntN(total)
	for _, o := range all {
		if at -= o.weight; at >= 0 {
			continue
		}
		said, err := o.run(w)
		if said == "" && err == nil {
			return nil // there is nothing to do it to
		}
		w.disposal.settled = w.cutOff() == ""
		w.trace = append(w.trace, fmt.Sprintf("%s %s: %s", w.host().Format("02 15:04:05"), o.name, said))
		w.m.cut = nil
		w.now = w.now.Add(time.Second)
		return errors.Join(err, w.setClocks(), w.check())
	}
	return nil
}

// story is what has been done: all of it where that was asked for by its seed.
func (w *world) story() string {
	from := max(0, len(w.trace)-20)
	if *seed != 0 {
		from = 0
	}
	var b strings.Builder
	for i, line := range w.trace[from:] {
		fmt.Fprintf(&b, "%4d %s\n", from+i+1, line)
	}
	return b.String()
}
