package sandboxer_test

import (
	"os"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Each act and refusal has its line: who, what, why, what came of it.
func TestAudit(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Controller = "ann@laptop"
	if log, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{}); err != nil || !log.Complete || len(log.Entries) > 0 {
		t.Fatalf("before anything: got %+v, %v, want none", log, err)
	}
	id, other := w.create(dummySpec()), w.create(shortLived())
	for _, err := range []error{
		result(w.box.Hold(t.Context(), w.host, id, sandboxer.Hold{Reason: "why not"})),
		result(w.box.Extend(t.Context(), w.host, id, time.Hour)),
		result(w.box.Touch(t.Context(), w.host, id)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _ = w.box.Destroy(t.Context(), w.host, id) // refused
	if err := result(w.box.Release(t.Context(), w.host, id)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, id); err != nil {
		t.Fatal(err)
	}
	log, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{SandboxID: id})
	if err != nil || !log.Complete {
		t.Fatalf("got %+v, %v, want all of it", log, err)
	}
	var acts []string
	ops := map[string]bool{}
	for _, e := range log.Entries {
		acts = append(acts, e.Act+" "+e.Result)
		if e.Controller != "ann@laptop" || e.User == "" || e.Why == "" || e.Evidence == nil || e.OpID == nil || e.At.IsZero() {
			t.Errorf("got %+v, want who, why, on what and when", e)
		}
		ops[*e.OpID] = true
	}
	want := "create ready,hold done,extend done,touch done,destroy held,release done,destroy removed"
	if got := strings.Join(acts, ","); got != want || len(ops) != 7 {
		t.Errorf("got %s of %d operations, want %s, each of its own", got, len(ops), want)
	}
	all, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{Limit: 3})
	if err != nil || len(all.Entries) != 3 || all.Entries[2].Result != "removed" {
		t.Errorf("got %+v, %v, want the newest three", all.Entries, err)
	}
	if later, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{Since: time.Now().Add(time.Hour)}); err != nil || len(later.Entries) > 0 {
		t.Errorf("since later: got %+v, %v, want none", later.Entries, err)
	}
	if everything, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{Limit: -1}); err != nil || len(everything.Entries) != 8 {
		t.Errorf("got %d entries, %v, want 8, of which one is %s's", len(everything.Entries), err, other)
	}
}

func result(_ sandboxer.SandboxStatus, err error) error { return err }

// A line that is none hides no other, and is not hidden itself.
func TestAuditIncomplete(t *testing.T) {
	w := newWorld(t, dummy{})
	w.create(dummySpec())
	path := w.home + "/.local/state/sandboxer/audit.jsonl"
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a torn line":       `{"act":"crea` + "\n" + string(whole),
		"a torn end":        string(whole) + `{"act":"des`,
		"a line of another": "hello\n" + string(whole),
		"longer than read":  strings.Repeat(string(whole), 5<<20/len(whole)),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := w.box.Audit(t.Context(), w.host, sandboxer.AuditQuery{Limit: 1})
		if err != nil || log.Complete || len(log.Entries) != 1 {
			t.Errorf("%s: got complete %v and %d entries, %v, want one, and incomplete", name, log.Complete, len(log.Entries), err)
		}
	}
}
