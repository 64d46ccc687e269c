package sandboxer

import "time"

// A StaleClass is why something is stale. The set is open.
type StaleClass string

// Classes of stale things.
const (
	Expired       StaleClass = "expired"
	Aged          StaleClass = "aged"
	OrphanDir     StaleClass = "orphan_dir"
	OrphanProject StaleClass = "orphan_project"
	Interrupted   StaleClass = "interrupted"
	Unclaimed     StaleClass = "unclaimed"
	Corrupt       StaleClass = "corrupt"
	Foreign       StaleClass = "foreign"
	UnknownState  StaleClass = "unknown"
)

// A StalePolicy says what counts as stale. The zero value is 24 hours.
type StalePolicy struct {
	OlderThan time.Duration
	Floor     bool
}

// A StaleReport is what FindStale found.
type StaleReport struct {
	Policy          PolicyInfo     `json:"policy"`
	EvaluatedAt     *time.Time     `json:"evaluated_at"`
	StaleCandidates []StaleSandbox `json:"stale_candidates"`
}

// PolicyInfo is a StalePolicy as it was applied.
type PolicyInfo struct {
	OlderThanSeconds float64 `json:"older_than_seconds"`
}

// A StaleSandbox is one candidate.
type StaleSandbox struct {
	SandboxID  *ID        `json:"sandbox_id"`
	Ref        string     `json:"ref"`
	Class      StaleClass `json:"class"`
	Detail     string     `json:"detail"`
	AgeSeconds *float64   `json:"age_seconds"`
	BlockedBy  []string   `json:"blocked_by"`
}
