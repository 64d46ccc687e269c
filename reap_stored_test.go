package sandboxer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// store returns a plan as it lies in a file.
func (w *world) store(plan sandboxer.ReapPlan) []byte {
	w.t.Helper()
	doc, err := w.box.NewReapPlanDocument(w.host, sandboxer.Observation{}, plan)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.MarshalIndent(doc, "", "\t")
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func refusedWith(t *testing.T, err error, code string) {
	t.Helper()
	var refused *sandboxer.RefusedError
	if !errors.As(err, &refused) || !refused.Has(code) {
		t.Errorf("got %v, want it refused with %s", err, code)
	}
}

// TestStoredPlan: what somebody has approved goes, and nothing that came to be
// stale since; the audit log says who it was.
func TestStoredPlan(t *testing.T) {
	w := newWorld(t, dummy{})
	first, second := w.create(shortLived()), w.create(shortLived())
	text := w.store(w.plan(young))
	later := w.create(shortLived())
	doc, err := sandboxer.ReadReapPlan(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plan := doc.Without(second)
	plan.Approval = &sandboxer.Approval{By: "Ann Ode"}
	result, err := w.box.Reap(t.Context(), w.host, plan)
	if err != nil || row(result, string(first)) != "removed" || len(result.Items) != 1 {
		t.Errorf("got %+v, %v, want only %s removed", result.Items, err, first)
	}
	for _, id := range []sandboxer.ID{second, later} {
		if _, err := os.Stat(w.home + "/root/" + string(id)); err != nil {
			t.Errorf("%s: got %v, want it there still", id, err)
		}
	}
	audit, err := os.ReadFile(w.home + "/.local/state/sandboxer/audit.jsonl")
	if err != nil || !strings.Contains(string(audit), `"approved_by":"Ann Ode"`) {
		t.Errorf("got audit log %s, %v, want who approved it", audit, err)
	}
}

// TestStoredPlanWhoseThingsChanged: each thing goes only as it was read.
func TestStoredPlanWhoseThingsChanged(t *testing.T) {
	w := newWorld(t, dummy{})
	gone, same := w.create(shortLived()), w.create(shortLived())
	plan := w.plan(young)
	if err := os.MkdirAll(w.home+"/root/fake99", 0o755); err != nil {
		t.Fatal(err)
	}
	doc, err := sandboxer.ReadReapPlan(bytes.NewReader(w.store(plan)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, gone); err != nil {
		t.Fatal(err)
	}
	doc.Approval = &sandboxer.Approval{}
	result, err := w.box.Reap(t.Context(), w.host, doc.ReapPlan)
	if err != nil || row(result, string(gone)) != "skipped gone" || row(result, string(same)) != "removed" {
		t.Errorf("got %+v, %v, want %s gone and %s removed", result.Items, err, gone, same)
	}
	if _, err := os.Stat(w.home + "/root/fake99"); err != nil {
		t.Errorf("fake99: got %v, want it there: it is not in the plan", err)
	}
}

// TestStoredPlanIsRefused: a plan that is not what somebody read, or not for
// here and now.
func TestStoredPlanIsRefused(t *testing.T) {
	w := newWorld(t, dummy{})
	id := w.create(shortLived())
	plan := w.plan(young)
	text := string(w.store(plan))
	for name, edit := range map[string][2]string{
		"another thing":    {string(id), "canary-somebodyelse"},
		"another class":    {`"class": "expired"`, `"class": "aged"`},
		"another evidence": {`"evidence": "sha256:`, `"evidence": "sha256:00`},
		"more time":        {`"expires_at": "`, `"expires_at": "9`},
		"the guards off":   {`"approval": null`, `"approval": {"by": "me"}`},
		"another policy":   {`"include_unclaimed": true`, `"include_unclaimed": false`},
	} {
		edited := strings.Replace(text, edit[0], edit[1], 1)
		if edited == text {
			t.Fatalf("%s: nothing to edit in %s", name, text)
		}
		if _, err := sandboxer.ReadReapPlan(strings.NewReader(edited)); err == nil {
			t.Errorf("%s: got it read, want it refused", name)
		} else if !strings.Contains(err.Error(), "cannot parse") { // a year of five digits
			refusedWith(t, err, "plan_edited")
		}
	}
	nameless := plan
	nameless.MachineID = nil
	_, err := sandboxer.ReadReapPlan(bytes.NewReader(w.store(nameless)))
	refusedWith(t, err, "plan_of_no_machine")
	for _, nonsense := range []string{"", "null", "{}", "[]", `{"kind":"Inventory"}`, text[:len(text)-2]} {
		if _, err := sandboxer.ReadReapPlan(strings.NewReader(nonsense)); err == nil {
			t.Errorf("%.20q: got a plan, want an error", nonsense)
		}
	}

	reap := func(change func(*sandboxer.ReapPlan)) error {
		p := plan
		change(&p)
		_, err := w.box.Reap(t.Context(), w.host, p)
		return err
	}
	refusedWith(t, reap(func(p *sandboxer.ReapPlan) { p.MachineID = new("elsewhere") }), "another_host")
	refusedWith(t, reap(func(p *sandboxer.ReapPlan) { p.ExpiresAt = new(p.EvaluatedAt.Add(-time.Hour)) }), "plan_expired")
	refusedWith(t, reap(func(p *sandboxer.ReapPlan) { p.Approval = &sandboxer.Approval{By: "a\nb"} }), "approver")
	if _, err := os.Stat(w.home + "/root/" + string(id)); err != nil {
		t.Errorf("got %v, want nothing removed", err)
	}
}

// TestPlanIsGoodForADay, where nobody says otherwise.
func TestPlanIsGoodForADay(t *testing.T) {
	plan := newWorld(t, dummy{}).plan(young)
	if plan.ExpiresAt == nil || plan.ExpiresAt.Sub(*plan.EvaluatedAt) != sandboxer.DefaultPlanTTL {
		t.Errorf("got %v after %v, want it a day later", plan.ExpiresAt, plan.EvaluatedAt)
	}
}

// TestApprovedPlanNeedsNoMax: the guards are for what nobody has read.
func TestApprovedPlanNeedsNoMax(t *testing.T) {
	plan := sandboxer.ReapPlan{Candidates: make([]sandboxer.ReapCandidate, 500)}
	refusedWith(t, plan.Guard(), "too_many")
	plan.Approval = &sandboxer.Approval{}
	if err := plan.Guard(); err != nil {
		t.Errorf("approved: got %v, want nil", err)
	}
}

func FuzzReadReapPlan(f *testing.F) {
	sample, err := os.ReadFile("schema/examples/reap-plan.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := sandboxer.ReadReapPlan(bytes.NewReader(text))
		if err == nil && (doc.MachineID == nil || doc.Kind != sandboxer.KindReapPlan) {
			t.Errorf("%q: got a plan of kind %q for machine %v", text, doc.Kind, doc.MachineID)
		}
	})
}

// TestSamplePlanIsRead: the published sample is a plan.
func TestSamplePlanIsRead(t *testing.T) {
	sample, err := os.ReadFile("schema/examples/reap-plan.json")
	if err != nil {
		t.Fatal(err)
	}
	if doc, err := sandboxer.ReadReapPlan(bytes.NewReader(sample)); err != nil || len(doc.Candidates) == 0 {
		t.Errorf("got %+v, %v, want a plan", doc, err)
	}
}
