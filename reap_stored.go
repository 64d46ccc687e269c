package sandboxer

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxPlan is more than any host has to be rid of: a plan has some hundred bytes
// for each thing.
const maxPlan = 64 << 20

// ReadReapPlan reads a plan that was stored as the document that
// [Sandboxer.NewReapPlanDocument] makes. It is a *RefusedError where the plan
// is not as it was written, or says of no machine that it is for that one.
// Whether it is for a certain host, and good still, Reap sees.
func ReadReapPlan(r io.Reader) (ReapPlanDocument, error) {
	const doing = "read the plan"
	var doc ReapPlanDocument
	data, err := io.ReadAll(io.LimitReader(r, maxPlan+1))
	if err != nil {
		return doc, fmt.Errorf("%s: %w", doing, err)
	}
	if len(data) > maxPlan {
		return doc, fmt.Errorf("%s: larger than %d MiB", doing, maxPlan>>20)
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, fmt.Errorf("%s: %w", doing, err)
	}
	if doc.Kind != KindReapPlan {
		return doc, fmt.Errorf("%s: it is a document of kind %q, not %s", doing, doc.Kind, KindReapPlan)
	}
	digest, err := doc.ReapPlan.digest()
	switch {
	case err != nil:
		return doc, fmt.Errorf("%s: %w", doing, err)
	case digest != doc.Digest:
		return doc, &RefusedError{
			Doing: doing, Reasons: []Reason{{"plan_edited", "it is not as it was written: its digest is another one"}},
			Hint: "make a new plan; reap-stale --except leaves things out of one",
		}
	case doc.MachineID == nil:
		return doc, &RefusedError{Doing: doing, Reasons: []Reason{{"plan_of_no_machine", "the machine it was made on could not be told from others"}}}
	}
	return doc, nil
}

// digest is of all that a plan says, as it is encoded.
func (p ReapPlan) digest() (string, error) {
	text, err := json.Marshal(p)
	return digestOf(text), err
}

// expired refuses a plan that is older than its maker wanted.
func (p ReapPlan) expired(now *time.Time) error {
	if p.ExpiresAt == nil || now == nil || !now.After(*p.ExpiresAt) {
		return nil
	}
	return &RefusedError{
		Doing: "reap", Reasons: []Reason{{"plan_expired", "the plan expired at " + p.ExpiresAt.UTC().Format(time.RFC3339)}},
		Hint: "make a new plan",
	}
}

// approver is who approved it, or empty.
func (p ReapPlan) approver() string {
	if p.Approval == nil {
		return ""
	}
	return p.Approval.By
}

// maxApprover is the length of a name that a line of the audit log has room for.
const maxApprover = 200

// check keeps from the audit log what is no name.
func (a *Approval) check() error {
	if a == nil {
		return nil
	}
	odd := len(a.By) > maxApprover || !utf8.ValidString(a.By)
	for _, r := range a.By {
		odd = odd || unicode.IsControl(r)
	}
	if odd {
		return &RefusedError{Doing: "reap", Reasons: []Reason{{"approver", fmt.Sprintf("%.40q is not the name of anybody who approves", a.By)}}}
	}
	return nil
}
