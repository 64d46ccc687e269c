package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tegwick/sand-boxer"
)

// A long list is printed as a short one is, to the byte.
func TestStream(t *testing.T) {
	var rows []sandboxer.StaleSandbox
	for i := range streamFrom {
		rows = append(rows, sandboxer.StaleSandbox{
			Ref: fmt.Sprint("row-<&>-", i), Detail: "\"kept\": null", BlockedBy: []string{"held"},
			Proof: []sandboxer.ProofCheck{{Check: "hold", Status: sandboxer.Fail, Code: new("held")}},
		})
	}
	stale := sandboxer.StaleDocument{StaleReport: sandboxer.StaleReport{StaleCandidates: rows}}
	plan := sandboxer.ReapPlanDocument{ReapPlan: sandboxer.ReapPlan{Kept: rows, Root: "\"kept\": null"}}
	for _, doc := range []any{stale, plan} {
		var out bytes.Buffer
		a := &app{out: &out}
		done, err := a.stream(doc)
		want, wantErr := indented(doc, "")
		if !done || err != nil || wantErr != nil || !a.answered || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%T: got done %v, %v, %.300q, want %.300q", doc, done, err, out.String(), want)
		}
	}
	stale.StaleCandidates = rows[1:]
	if done, err := (&app{out: new(bytes.Buffer)}).stream(stale); done || err != nil {
		t.Errorf("a short list: got done %v, %v, want it left to others", done, err)
	}
}
