package sandboxer

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/internal/fanout"
)

// A StaleClass is why something is stale. The set is open.
type StaleClass string

// Classes of stale things. Corrupt, Foreign and Undecided are only ever
// reported, never removed.
const (
	Expired       StaleClass = "expired"        // its TTL has passed
	Aged          StaleClass = "aged"           // no TTL, and not active for StalePolicy.OlderThan
	OrphanDir     StaleClass = "orphan_dir"     // our metadata, no engine resource left, nobody is creating it
	OrphanProject StaleClass = "orphan_project" // a record or our labels, the directory gone
	Interrupted   StaleClass = "interrupted"    // an operation died half-way
	Unclaimed     StaleClass = "unclaimed"      // an entry of the root without our metadata
	Trashed       StaleClass = "trashed"        // removed by a reap that kept its directory, which is to go now
	Corrupt       StaleClass = "corrupt"        // records that cannot be read or disagree
	Foreign       StaleClass = "foreign"        // another machine's, user's or root's
	Undecided     StaleClass = "unknown"        // a source that decides it did not answer
)

// Ages and doubts that gate removal, never listing.
const (
	DefaultOlderThan = 24 * time.Hour   // StalePolicy.OlderThan when zero
	MinAge           = 15 * time.Minute // no class is removed younger than this
	MinOrphanAge     = time.Hour        // nor an orphan or unclaimed directory younger than this
	MaxClockOffset   = 5 * time.Minute  // beyond it a host's clock condemns nothing
	DefaultKeepTrash = 24 * time.Hour   // StalePolicy.KeepTrash when zero
	MaxKeepTrash     = 720 * time.Hour  // StalePolicy.KeepTrash counts as no more: records of what is gone are kept as long
)

// A StalePolicy says what is stale and what may be removed. The zero value
// is the default: 24 hours, all floors, unclaimed directories kept.
type StalePolicy struct {
	// OlderThan is the age from which a sandbox without TTL is aged. Zero
	// is DefaultOlderThan. If set, it is also a floor for every class.
	OlderThan time.Duration

	// IncludeUnclaimed lets unclaimed directories be removed.
	IncludeUnclaimed bool

	// AllowYoung lifts the floors MinAge and MinOrphanAge.
	AllowYoung bool

	// KeepTrash is how long a reap keeps the directories that it removes, so
	// that Restore can bring them back. Zero is DefaultKeepTrash. If negative,
	// nothing is kept, neither what is removed now nor what others kept.
	KeepTrash time.Duration
}

// A StaleReport lists everything under a host's root that is not a live
// sandbox.
type StaleReport struct {
	Policy          AppliedPolicy  `json:"policy"`
	EvaluatedAt     *time.Time     `json:"evaluated_at"`     // host clock that ages were taken from; null: it could not be read
	Complete        bool           `json:"complete"`         // every source of the inventory answered in full
	StaleCandidates []StaleSandbox `json:"stale_candidates"` // by ref
}

// An AppliedPolicy is a StalePolicy as it was applied.
type AppliedPolicy struct {
	OlderThanSeconds float64 `json:"older_than_seconds"` // age from which a sandbox without TTL is aged
	FloorForAll      bool    `json:"floor_for_all"`      // older_than was given, so it holds for every class
	IncludeUnclaimed bool    `json:"include_unclaimed"`  // unclaimed directories may be removed
	AllowYoung       bool    `json:"allow_young"`        // no floors
	KeepTrashSeconds float64 `json:"keep_trash_seconds"` // how long directories that are removed are kept; 0: not at all, and none that is kept already
}

// A StaleSandbox is one thing that is not a live sandbox: a recommendation,
// not a decision.
type StaleSandbox struct {
	SandboxID  *ID        `json:"sandbox_id"` // null where it has no proven id
	Ref        string     `json:"ref"`        // id, or the directory's name, or the path below the root of what is in the trash
	Class      StaleClass `json:"class"`
	Detail     string     `json:"detail"`      // for a person
	AgeSeconds *float64   `json:"age_seconds"` // since it was last active, on the host's clock
	Resources  int64      `json:"resources"`   // how many things the engine holds of it
	SizeBytes  *int64     `json:"size_bytes"`  // what its directory holds; null: not measured, see Measure
	BlockedBy  []string   `json:"blocked_by"`  // why it may not be removed now; empty: it may

	// Proof is what blocked_by rests on, check by check. It is null in
	// telemetry.stale_candidates, which only recommends.
	Proof []ProofCheck `json:"proof"`
}

// FindStale lists everything in obs that is not a live sandbox, with the
// reasons why it may not be removed yet. It is pure: ages are on the host's
// clock as obs saw it.
func FindStale(obs Observation, policy StalePolicy) StaleReport {
	f := staleFinder{obs: obs, policy: policy, now: obs.Snapshot.ObservedAt}
	report := StaleReport{
		Policy:          policy.applied(),
		EvaluatedAt:     f.now,
		Complete:        obs.Inventory.Complete,
		StaleCandidates: f.sandboxes(),
	}
	for _, d := range obs.Inventory.Directories {
		report.StaleCandidates = append(report.StaleCandidates, f.directory(d))
	}
	report.StaleCandidates = append(report.StaleCandidates, f.leftovers()...)
	report.StaleCandidates = append(report.StaleCandidates, f.trash()...)
	slices.SortStableFunc(report.StaleCandidates, func(a, b StaleSandbox) int {
		return cmp.Compare(a.Ref, b.Ref)
	})
	return report
}

func (p StalePolicy) olderThan() time.Duration {
	if p.OlderThan == 0 {
		return DefaultOlderThan
	}
	return p.OlderThan
}

func (p StalePolicy) keepTrash() time.Duration {
	if p.KeepTrash == 0 {
		return DefaultKeepTrash
	}
	return min(max(p.KeepTrash, 0), MaxKeepTrash)
}

func (p StalePolicy) applied() AppliedPolicy {
	return AppliedPolicy{
		KeepTrashSeconds: p.keepTrash().Seconds(),
		OlderThanSeconds: p.olderThan().Seconds(),
		FloorForAll:      p.OlderThan != 0,
		IncludeUnclaimed: p.IncludeUnclaimed,
		AllowYoung:       p.AllowYoung,
	}
}

type staleFinder struct {
	obs    Observation
	policy StalePolicy
	now    *time.Time
}

// sandboxes makes the rows of those that are stale; of very many, on all cores.
func (f *staleFinder) sandboxes() []StaleSandbox {
	rows := []StaleSandbox{}
	parts := slices.Collect(slices.Chunk(f.obs.Inventory.Sandboxes, 1000))
	for _, part := range fanout.Run(context.Background(), runtime.GOMAXPROCS(0), parts, f.some) {
		rows = append(rows, part.Value...)
	}
	return rows
}

func (f *staleFinder) some(_ context.Context, part []Sandbox) ([]StaleSandbox, error) {
	rows := make([]StaleSandbox, 0, len(part))
	for i := range part {
		if row, stale := f.sandbox(&part[i]); stale {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// elsewhere reports whether s is a sandbox of the same user under another
// root, known here by its registry record alone.
func (f *staleFinder) elsewhere(s *Sandbox) bool {
	rec := s.Evidence.Record
	return s.Metadata == RecordMissing && s.Registry == RecordForeign && rec != nil && rec.Root != f.obs.Inventory.Root
}

func (f *staleFinder) sandbox(s *Sandbox) (StaleSandbox, bool) {
	if f.elsewhere(s) {
		return StaleSandbox{}, false
	}
	age := f.age(s.LastActiveAt)
	class, detail := f.classify(s, age)
	if class == "" {
		return StaleSandbox{}, false
	}
	id := s.SandboxID
	row := StaleSandbox{
		SandboxID: &id, Ref: string(id), Class: class, Detail: detail,
		AgeSeconds: seconds(age), Resources: int64(len(s.Resources)), SizeBytes: s.SizeBytes,
	}
	row.rest(f.proveSandbox(s, class, detail, age))
	return row, true
}

// classify returns the class of s and the reason in words, or "" for a live
// sandbox. The order is that of certainty: what cannot be trusted, then what
// cannot be known, then what is known.
func (f *staleFinder) classify(s *Sandbox, age *time.Duration) (StaleClass, string) {
	if class, detail := untrusted(s); class != "" {
		return class, detail
	}
	if s.Metadata == RecordCorrupt { // enough for a destroy that was asked for by id
		return Corrupt, "its metadata cannot be read; its registry record can"
	}
	rec := s.Evidence.Record
	if s.Locked != nil && *s.Locked {
		return "", "" // an operation is at it right now
	}
	if rec.Op != nil || rec.State == StateDestroying || rec.State == StateProvisioning {
		return f.interrupted(s, rec)
	}
	if why := f.silent(rec.Engine); why != "" {
		return Undecided, fmt.Sprintf("engine %s: %s", rec.Engine, why)
	}
	if root, other := rec.otherEngine(f.obs.Snapshot); other {
		return Undecided, fmt.Sprintf("it is with the %s of %s, and that of %s answered", rec.Engine, rec.EngineRoot, root)
	}
	switch {
	case s.DirPresent != nil && !*s.DirPresent:
		return OrphanProject, "its directory is gone"
	case s.ExpiresAt != nil && f.now != nil && !f.now.Before(*s.ExpiresAt):
		return Expired, "its TTL passed at " + s.ExpiresAt.Format(time.RFC3339)
	case !running(s):
		if len(s.Resources) > 0 {
			return OrphanDir, "only its image is left in engine " + string(rec.Engine)
		}
		return OrphanDir, "nothing of it is left in engine " + string(rec.Engine)
	case s.ExpiresAt == nil && age != nil && *age >= f.policy.olderThan():
		return Aged, "not active since " + s.LastActiveAt.Format(time.RFC3339)
	}
	return "", ""
}

// silent says why an engine told nothing of a sandbox that it is recorded to
// have, or "". One that is gone from the host told nothing: what it holds may
// run on.
func (f *staleFinder) silent(engine Engine) string {
	if engine == EngineProcess {
		return ""
	}
	source := f.obs.Inventory.Source(string(engine))
	if info := f.obs.Snapshot.Engine(engine); source.Complete() && info != nil && info.Status == EngineAbsent {
		return "it is not on the host any more"
	}
	if source.Complete() {
		return ""
	}
	return source.Status
}

// untrusted returns the class of a sandbox whose records prove nothing.
func untrusted(s *Sandbox) (StaleClass, string) {
	detail := fmt.Sprintf("metadata %s, registry record %s", s.Metadata, s.Registry)
	if s.Reason != nil {
		detail += ": " + *s.Reason
	}
	switch {
	case s.Metadata == RecordForeign || s.Registry == RecordForeign:
		return Foreign, detail
	case s.Metadata == RecordCorrupt && s.Registry != RecordOK,
		s.Metadata == RecordMismatch || s.Registry == RecordMismatch,
		s.Registry == RecordCorrupt,
		s.Evidence.Record == nil && s.Metadata != RecordUnknown && s.Registry != RecordUnknown:
		return Corrupt, detail
	case s.Metadata == RecordUnknown || s.Registry == RecordUnknown:
		return Undecided, detail
	case s.DirPresent == nil:
		return Undecided, "its directory could not be looked at"
	}
	return "", ""
}

func (f *staleFinder) interrupted(s *Sandbox, rec *Record) (StaleClass, string) {
	kind, since := "destroy", rec.UpdatedAt
	if rec.Op != nil {
		kind, since = rec.Op.Kind, rec.Op.Deadline
	} else if rec.State == StateProvisioning {
		kind = "create"
	}
	if f.now == nil {
		return Undecided, "the host's clock could not be read"
	}
	// A destroy is one command that holds the lock to its end.
	dead := s.Locked != nil && kind == "destroy"
	if rec.Op != nil && f.now.Before(rec.Op.Deadline) && !dead {
		return "", "" // between two steps of a running operation
	}
	if dead && since.After(*f.now) {
		return Interrupted, "a destroy stopped half-way"
	}
	return Interrupted, fmt.Sprintf("a %s stopped half-way before %s", kind, since.Format(time.RFC3339))
}

// running reports whether an engine still holds something that makes s more
// than a directory. Its image alone does not.
func running(s *Sandbox) bool {
	return slices.ContainsFunc(s.Resources, func(r Resource) bool { return r.Kind != KindImage })
}

func (f *staleFinder) directory(d Directory) StaleSandbox {
	age := f.age(d.LastChange)
	row := StaleSandbox{
		Ref: d.Name, Class: Unclaimed, AgeSeconds: seconds(age), SizeBytes: d.SizeBytes,
		Detail: d.Kind + " without sandboxer's metadata",
	}
	if f.untouched(d.Inode, d.Path) {
		row.Detail = "not looked at, as something is mounted there"
	}
	row.rest(f.proveDirectory(d, age))
	return row
}

// leftovers makes one row of each id that labels claim without any record.
func (f *staleFinder) leftovers() []StaleSandbox {
	count := map[ID]int64{}
	for _, r := range f.obs.Inventory.Leftovers {
		if r.SandboxID == nil {
			continue
		}
		if s := f.obs.Inventory.withID(*r.SandboxID); s == nil || !f.elsewhere(s) {
			count[*r.SandboxID]++
		}
	}
	var rows []StaleSandbox
	for id, n := range count {
		row := StaleSandbox{Ref: string(id), Class: OrphanProject, Resources: n, Detail: "labels name a sandbox that no record knows"}
		row.rest(f.proveLeftovers(n))
		rows = append(rows, row)
	}
	return rows
}

// trash makes a row of each directory that reaps have kept for long enough.
// The others are no candidates for anything: see Inventory.Trash.
func (f *staleFinder) trash() []StaleSandbox {
	var rows []StaleSandbox
	for _, t := range f.obs.Inventory.Trash {
		if t.KeptUntil != nil && f.policy.KeepTrash >= 0 && (f.now == nil || f.now.Before(*t.KeptUntil)) {
			continue
		}
		age := f.age(t.TrashedAt)
		row := StaleSandbox{
			SandboxID: t.SandboxID, Ref: t.Entry, Class: Trashed, AgeSeconds: seconds(age), SizeBytes: t.SizeBytes,
			Detail: "a reap removed " + t.Ref + " and kept its directory until now",
		}
		switch {
		case t.KeptUntil == nil:
			row.Detail = "an operation removed " + t.Ref + " and could not delete its directory"
		case f.now != nil && f.now.Before(*t.KeptUntil):
			row.Detail = "a reap removed " + t.Ref + " and keeps its directory until " + t.KeptUntil.Format(time.RFC3339)
		}
		row.rest(f.proveTrash(t))
		rows = append(rows, row)
	}
	return rows
}

func (f *staleFinder) age(since *time.Time) *time.Duration {
	if since == nil || f.now == nil {
		return nil
	}
	age := f.now.Sub(*since)
	return &age
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/')
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := d.Seconds()
	return &s
}
