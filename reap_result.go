package sandboxer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// A ReapOutcome is what became of one thing in a plan. The set is open.
type ReapOutcome string

// What can become of a thing in a plan.
const (
	ReapRemoved ReapOutcome = "removed" // and the host shows nothing of it
	ReapSkipped ReapOutcome = "skipped" // nothing was touched: it was not as the plan says, or not proven
	ReapFailed  ReapOutcome = "failed"  // some of it is left; the next reap or destroy goes on
	ReapUnknown ReapOutcome = "unknown" // nobody knows: the host or an engine stopped answering
)

// A ReapResult says what became of everything in a plan.
type ReapResult struct {
	Policy          AppliedPolicy  `json:"policy"`           // of the plan
	Complete        bool           `json:"complete"`         // every source of the inventory answered in full, before
	RemovedCount    int64          `json:"removed_count"`    // items removed
	SkippedCount    int64          `json:"skipped_count"`    // items skipped
	FailedCount     int64          `json:"failed_count"`     // items failed
	UnknownCount    int64          `json:"unknown_count"`    // items unknown
	Items           []ReapItem     `json:"items"`            // as the plan's candidates; empty where a guard stopped all of it
	DestroyDelta    *Delta         `json:"destroy_delta"`    // what it did to the host; null where nothing was tried
	StaleCandidates []StaleSandbox `json:"stale_candidates"` // what is no live sandbox afterwards
}

// A ReapItem is what became of one candidate of a plan.
type ReapItem struct {
	SandboxID *ID         `json:"sandbox_id"` // null for an unclaimed directory
	Ref       string      `json:"ref"`        // as in the plan
	Class     StaleClass  `json:"class"`      // as in the plan
	Result    ReapOutcome `json:"result"`
	Code      *string     `json:"code"`    // one word for why it was not removed, such as evidence_changed, locked, mount_present
	Message   *string     `json:"message"` // the same, for a person
	Remains   []string    `json:"remains"` // "KIND REF REASON" of what an engine still holds

	// KeptUntil is when its directory, which is in the trash, may be deleted;
	// until then Restore brings it back. Null: it is gone, or it was not
	// removed.
	KeptUntil *time.Time `json:"kept_until"`
}

// Codes of ReapItem that this package itself looks for.
const (
	codeGone     = "gone"      // somebody else removed it: nothing is left to do
	codeNoAnswer = "no_answer" // the host's answer broke off before it

	codeEngineUnknown = "engine_unknown" // the engine did not answer when it was asked to remove it
)

func (i *ReapItem) noAnswer() bool { return i.Code != nil && *i.Code == codeNoAnswer }

func (i *ReapItem) set(result ReapOutcome, code, message string) {
	i.Result, i.Code, i.Message = result, nil, nil
	if code != "" {
		i.Code, i.Message = &code, &message
	}
}

// fail takes the error for which an item was not even tried.
func (i *ReapItem) fail(err error) {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused) && len(refused.Reasons) > 0:
		i.set(ReapSkipped, refused.Reasons[0].Code, refused.Reasons[0].Message)
	case errors.Is(err, ErrIncomplete):
		i.set(ReapSkipped, "incomplete", err.Error())
	default:
		i.set(ReapFailed, "error", err.Error())
	}
}

// judge takes what the host's script said of the item.
func (i *ReapItem) judge(got onhost.ItemAnswer) {
	message := strings.Join(append([]string{got.Message}, got.Errors...), "; ")
	i.Remains = append([]string{}, got.Remains...)
	switch got.Result {
	case onhost.Destroyed:
		i.set(ReapRemoved, "", "")
	case onhost.Gone:
		i.set(ReapSkipped, codeGone, "somebody else removed it first")
	case onhost.Locked, onhost.Changed, onhost.Refused:
		i.set(ReapSkipped, got.Code, message)
	case onhost.Unknown:
		i.set(ReapUnknown, codeEngineUnknown, message)
	case "":
		i.set(ReapUnknown, codeNoAnswer, "nobody knows what became of it: run it again")
	default:
		i.set(ReapFailed, got.Code, message)
	}
}

// result sums up; rows without a result were never come to.
func (r *reaping) result() ReapResult {
	result := ReapResult{Policy: r.plan.Policy, Complete: r.before.Inventory.Complete, Items: []ReapItem{}, StaleCandidates: []StaleSandbox{}}
	for _, row := range r.rows {
		if row.Result == "" {
			row.set(ReapSkipped, "not_tried", "it was not come to")
		}
		result.Items = append(result.Items, row)
		switch row.Result {
		case ReapRemoved:
			result.RemovedCount++
		case ReapSkipped:
			result.SkippedCount++
		case ReapFailed:
			result.FailedCount++
		default:
			result.UnknownCount++
		}
	}
	seen := r.before
	if r.after != nil {
		seen = *r.after
		delta := r.b.diff(r.host, r.before.Snapshot, r.after.Snapshot)
		result.DestroyDelta = &delta
	}
	if r.began {
		result.StaleCandidates = FindStale(seen, r.plan.policy()).StaleCandidates
	}
	return result
}

// verdict is the error that the rows amount to.
func (r *reaping) verdict(result ReapResult) error {
	if !r.began {
		return nil
	}
	doing := "reap on " + r.host.Name()
	var errs []error
	left := int64(len(result.Items)) - result.RemovedCount
	for _, i := range result.Items {
		if i.Code != nil && *i.Code == codeGone {
			left--
		}
	}
	if left > 0 {
		errs = append(errs, fmt.Errorf("%s: %d of %d not removed: %w", doing, left, len(result.Items), ErrRemains))
	}
	if slices.ContainsFunc(result.Items, func(i ReapItem) bool { return i.Code != nil && *i.Code == codeEngineUnknown }) {
		errs = append(errs, fmt.Errorf("%s: an engine stopped answering: %w", doing, ErrIncomplete))
	}
	if silent := r.silent(); len(silent) > 0 {
		errs = append(errs, fmt.Errorf("%s: what these hold is not known, and was left alone (%s): %w", doing, strings.Join(silent, ", "), ErrIncomplete))
	}
	return errors.Join(errs...)
}

// silent lists the sources that should have answered and did not. An engine
// that this user may not use holds nothing that the user has made, unless a
// record of that user's says so.
func (r *reaping) silent() []string {
	var all []string
	inv := r.before.Inventory
	for _, s := range inv.Sources {
		engine := Engine(s.Name)
		info := r.before.Snapshot.Engine(engine)
		closed := info != nil && info.Status == EngineForbidden &&
			!slices.ContainsFunc(inv.Sandboxes, func(box Sandbox) bool {
				class, _ := untrusted(&box)
				return class == "" && box.Engine != nil && *box.Engine == engine || class == Undecided
			})
		if !s.Complete() && !closed {
			all = append(all, s.Name+": "+s.Status)
		}
	}
	return all
}
