package sandboxer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Guards against a plan that is larger than anybody meant.
const (
	MaxReap      = 20 // removals that need no ReapPlan.Max
	MaxReapShare = 5  // removals that need none though they are more than half of all sandboxes
)

// DefaultPlanTTL is how long a plan may be carried out, where its maker says
// nothing else.
const DefaultPlanTTL = 24 * time.Hour

// A ReapPlan is what a reap would remove, and what it would leave and why.
// PlanReap makes one; Max, ExpiresAt and Approval are for the caller to set. It
// can be shown, stored ([Sandboxer.NewReapPlanDocument], [ReadReapPlan]), and
// carried out later: what has changed by then is skipped.
type ReapPlan struct {
	Root           string          `json:"root"`            // where the sandboxes live on the host
	MachineID      *string         `json:"machine_id"`      // the only machine it may be carried out on; null: it could not be read
	Policy         AppliedPolicy   `json:"policy"`          // what was asked for
	EvaluatedAt    *time.Time      `json:"evaluated_at"`    // host clock that ages were taken from
	ExpiresAt      *time.Time      `json:"expires_at"`      // host clock after which it is not carried out any more; null: it is good for no later look
	Complete       bool            `json:"complete"`        // every source of the inventory answered in full
	SandboxesCount int64           `json:"sandboxes_count"` // the user's sandboxes under root, canaries not counted
	Max            int64           `json:"max"`             // removals allowed beyond the guards; 0: none
	Approval       *Approval       `json:"approval"`        // null: nobody has read it, so the guards hold
	Candidates     []ReapCandidate `json:"candidates"`      // what goes, by ref
	Kept           []StaleSandbox  `json:"kept"`            // what is no live sandbox and stays; blocked_by says why
}

// An Approval says that a person has read a plan and wants just that.
type Approval struct {
	By string `json:"by"` // who, for the audit log; empty: it was not said
}

// A ReapCandidate is one thing that a plan removes.
type ReapCandidate struct {
	SandboxID  *ID        `json:"sandbox_id"`  // null for an unclaimed directory
	Ref        string     `json:"ref"`         // id, or the directory's name, or the path below the root of what is in the trash
	Name       *string    `json:"name"`        // second name, if it was given one
	Profile    *string    `json:"profile"`     // what it was made from
	Engine     *Engine    `json:"engine"`      // that holds it
	Class      StaleClass `json:"class"`       // why it is stale
	Detail     string     `json:"detail"`      // the same, for a person
	AgeSeconds *float64   `json:"age_seconds"` // since it was last active, on the host's clock
	Resources  []string   `json:"resources"`   // "KIND NAME" of what the engine holds of it
	SizeBytes  *int64     `json:"size_bytes"`  // what its directory holds; null: not measured, see Measure
	Evidence   string     `json:"evidence"`    // digest of all that this rests on: records, directory, resources

	// Proof is why it may be removed, check by check. All of it holds; it is
	// proven again, on the host, right before the removal.
	Proof []ProofCheck `json:"proof"`
}

// PlanReap returns what a reap by the policy of stale removes: every candidate
// that nothing blocks. It is pure. stale is what FindStale made of obs.
func PlanReap(obs Observation, stale StaleReport) ReapPlan {
	plan := ReapPlan{
		Root: obs.Inventory.Root, MachineID: obs.Snapshot.Identity.MachineID,
		Policy: stale.Policy, EvaluatedAt: stale.EvaluatedAt, Complete: stale.Complete,
		Candidates: candidates(obs, stale), Kept: []StaleSandbox{},
	}
	if plan.EvaluatedAt != nil {
		plan.ExpiresAt = new(plan.EvaluatedAt.Add(DefaultPlanTTL))
	}
	f := staleFinder{obs: obs}
	for _, s := range obs.Inventory.Sandboxes {
		class, _ := untrusted(&s) // of what is elsewhere, too, it is one
		if class == "" && !f.elsewhere(&s) && !isCanary(s.Profile) {
			plan.SandboxesCount++
		}
	}
	for _, s := range stale.StaleCandidates {
		if len(s.BlockedBy) > 0 {
			plan.Kept = append(plan.Kept, s)
		}
	}
	return plan
}

// canaryProfile is not counted by the guards: schedulers make canaries by the
// hundred.
const canaryProfile = "profile.sandbox-canary"

func isCanary(profile *string) bool { return profile != nil && *profile == canaryProfile }

func candidates(obs Observation, stale StaleReport) []ReapCandidate {
	list := []ReapCandidate{}
	for _, s := range stale.StaleCandidates {
		if len(s.BlockedBy) > 0 {
			continue
		}
		c := ReapCandidate{
			SandboxID: s.SandboxID, Ref: s.Ref, Class: s.Class, Detail: s.Detail, AgeSeconds: s.AgeSeconds,
			Resources: []string{}, SizeBytes: s.SizeBytes, Proof: s.Proof,
		}
		if s.Class == Trashed {
			at := slices.IndexFunc(obs.Inventory.Trash, func(t TrashEntry) bool { return t.Entry == s.Ref })
			if at < 0 {
				continue
			}
			c.Evidence = obs.Inventory.Trash[at].evidence()
		} else if s.SandboxID == nil {
			at := slices.IndexFunc(obs.Inventory.Directories, func(d Directory) bool { return d.Name == s.Ref })
			if at < 0 {
				continue
			}
			c.Evidence = obs.Inventory.Directories[at].evidence()
		} else if box := obs.Inventory.Find(*s.SandboxID); box != nil {
			c.Name, c.Profile, c.Engine, c.Evidence = box.Name, box.Profile, box.Engine, box.evidence()
			for _, r := range box.Resources {
				c.Resources = append(c.Resources, string(r.Kind)+" "+r.Name)
			}
		}
		list = append(list, c)
	}
	return list
}

// evidence is a digest of what a removal of s rests on.
func (s *Sandbox) evidence() string {
	head := fmt.Appendf(nil, "%d %d\n%d %d %d %d\n", len(s.Evidence.Metadata), len(s.Evidence.Registry), s.Evidence.Dir.UID, s.Evidence.Dir.Device, s.Evidence.Dir.Inode, s.Evidence.Dir.Birth)
	refs := make([]string, len(s.Resources))
	for i, r := range s.Resources {
		refs[i] = fmt.Sprintf("%s %s %q %s", r.Engine, r.Kind, r.Ref, deref(r.State))
	}
	slices.Sort(refs)
	tail := []byte(strings.Join(refs, "\n"))
	if s.LastActiveAt != nil {
		tail = fmt.Appendf(tail, "\n%d", s.LastActiveAt.UnixNano())
	}
	return digestOf(head, s.Evidence.Metadata, s.Evidence.Registry, tail)
}

func (t TrashEntry) evidence() string {
	return digestOf(fmt.Appendf(nil, "%q %d %d %d", t.Entry, t.Device, t.Inode, t.Birth))
}

func (d Directory) evidence() string {
	change := int64(0)
	if d.LastChange != nil {
		change = d.LastChange.UnixNano()
	}
	return digestOf(fmt.Appendf(nil, "%q %s %d %d %d %d", d.Name, d.Kind, d.Device, d.Inode, d.Birth, change))
}

// Answers reports whether ref means c: by its id, its second name or its
// directory's name, also of what is in the trash by now.
func (c ReapCandidate) Answers(ref ID) bool {
	base := c.Ref[strings.LastIndexByte(c.Ref, '/')+1:]
	base, _, _ = strings.Cut(base, ".")
	return string(ref) == c.Ref || c.Name != nil && string(ref) == *c.Name || c.Class == Trashed && string(ref) == base
}

// Without returns the plan with the things of these ids or names kept. What is
// not in the plan is passed over.
func (p ReapPlan) Without(refs ...ID) ReapPlan {
	candidates := []ReapCandidate{}
	for _, c := range p.Candidates {
		if slices.ContainsFunc(refs, c.Answers) {
			kept := StaleSandbox{
				SandboxID: c.SandboxID, Ref: c.Ref, Class: c.Class, Detail: c.Detail, AgeSeconds: c.AgeSeconds,
				Resources: int64(len(c.Resources)), SizeBytes: c.SizeBytes,
			}
			kept.rest(append(proof{{Check: ProofAsked, Status: Fail, Code: new(BlockExcepted), Detail: "it was left out of the plan"}}, c.Proof...))
			p.Kept = append(slices.Clone(p.Kept), kept)
			continue
		}
		candidates = append(candidates, c)
	}
	p.Candidates = candidates
	slices.SortStableFunc(p.Kept, func(a, b StaleSandbox) int { return strings.Compare(a.Ref, b.Ref) })
	return p
}

// Guard returns a *RefusedError if the plan removes more than anybody is likely
// to mean and Max does not allow that: over MaxReap things, or over
// MaxReapShare that are more than half of all sandboxes. Canaries, and what a
// reap has removed before and kept until now, are not counted. A plan that was
// approved is what somebody means.
func (p ReapPlan) Guard() error {
	if p.Approval != nil {
		return nil
	}
	n := int64(0)
	for _, c := range p.Candidates {
		if !isCanary(c.Profile) && c.Class != Trashed {
			n++
		}
	}
	why := fmt.Sprintf("that is more than %d", MaxReap)
	switch {
	case n <= p.Max, n <= MaxReapShare:
		return nil
	case n > MaxReap:
	case 2*n > p.SandboxesCount:
		why = fmt.Sprintf("that is more than half of %s", count(int(p.SandboxesCount), "sandbox"))
	default:
		return nil
	}
	return &RefusedError{
		Doing:   fmt.Sprintf("reap %d things", n),
		Reasons: []Reason{{"too_many", why}},
		Hint:    fmt.Sprintf("read the list; if it is right: --max %d", n),
	}
}

// policy is the one the plan was made by.
func (p ReapPlan) policy() StalePolicy {
	policy := StalePolicy{IncludeUnclaimed: p.Policy.IncludeUnclaimed, AllowYoung: p.Policy.AllowYoung}
	if policy.KeepTrash = time.Duration(p.Policy.KeepTrashSeconds * float64(time.Second)); policy.KeepTrash <= 0 {
		policy.KeepTrash = -1
	}
	if p.Policy.FloorForAll {
		policy.OlderThan = time.Duration(p.Policy.OlderThanSeconds * float64(time.Second))
	}
	return policy
}
