package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
)

// A long list says what a short one would.
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
		want, wantErr := json.Marshal(doc)
		var got, same bytes.Buffer
		err = errors.Join(err, wantErr, json.Compact(&got, out.Bytes()), json.Compact(&same, want))
		text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(same.String())
		if !done || err != nil || !a.answered || got.String() != text {
			t.Errorf("%T: got done %v, %v, %.300q, want %.300q", doc, done, err, got.String(), text)
		}
		if lines := strings.Count(out.String(), "\n    {"); lines != streamFrom {
			t.Errorf("%T: got %d rows on lines of their own, want %d", doc, lines, streamFrom)
		}
	}
	stale.StaleCandidates = rows[1:]
	if done, err := (&app{out: new(bytes.Buffer)}).stream(stale); done || err != nil {
		t.Errorf("a short list: got done %v, %v, want it left to others", done, err)
	}
}
