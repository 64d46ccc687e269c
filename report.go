package sandboxer

import "time"

// SchemaBase is the prefix of every document's Header.Schema.
const SchemaBase = "https://tegwick.github.io/sand-boxer/schema/v1/"

// SchemaVersion is the version all documents carry. While it is 0.x, fields
// may still move.
const SchemaVersion = "0.1.0"

// Kind is the type of a document. The set is open.
type Kind string

// Kinds of documents.
const (
	KindHostSnapshot        Kind = "HostSnapshot"
	KindHostSnapshotList    Kind = "HostSnapshotList"
	KindInventory           Kind = "Inventory"
	KindInventoryList       Kind = "InventoryList"
	KindStaleReport         Kind = "StaleReport"
	KindStaleReportList     Kind = "StaleReportList"
	KindSandboxStatus       Kind = "SandboxStatus"
	KindSandboxStatusList   Kind = "SandboxStatusList"
	KindIntrospectionReport Kind = "IntrospectionReport"
	KindBaseline            Kind = "Baseline"
	KindDoctorReport        Kind = "DoctorReport"
	KindReapPlan            Kind = "ReapPlan"
	KindReapResult          Kind = "ReapResult"
	KindAuditLog            Kind = "AuditLog"
	KindAlert               Kind = "Alert"
	KindError               Kind = "Error"
)

// SchemaFile returns the name of the file that describes documents of kind k,
// or "" for a kind without one.
func (k Kind) SchemaFile() string {
	switch k {
	case KindHostSnapshot:
		return "host-snapshot.v1.schema.json"
	case KindHostSnapshotList:
		return "host-snapshot-list.v1.schema.json"
	case KindInventory:
		return "inventory.v1.schema.json"
	case KindInventoryList:
		return "inventory-list.v1.schema.json"
	case KindStaleReport:
		return "stale.v1.schema.json"
	case KindStaleReportList:
		return "stale-list.v1.schema.json"
	case KindSandboxStatus:
		return "sandbox-status.v1.schema.json"
	case KindSandboxStatusList:
		return "sandbox-status-list.v1.schema.json"
	case KindIntrospectionReport:
		return "introspection-report.v1.schema.json"
	case KindBaseline:
		return "baseline.v1.schema.json"
	case KindDoctorReport:
		return "doctor-report.v1.schema.json"
	case KindReapPlan:
		return "reap-plan.v1.schema.json"
	case KindReapResult:
		return "reap-result.v1.schema.json"
	case KindAlert:
		return "alert.v1.schema.json"
	case KindAuditLog:
		return "audit-log.v1.schema.json"
	case KindError:
		return "error.v1.schema.json"
	}
	return ""
}

// A Document is what is printed, stored and exported: anything that begins
// with a Header.
type Document interface {
	DocumentHeader() Header
}

// A Header stands once, at the top of a document.
type Header struct {
	Schema        string    `json:"schema"`         // $id of the schema that describes the document
	SchemaVersion string    `json:"schema_version"` // see SchemaVersion; while it is 0.x, fields may move
	Kind          Kind      `json:"kind"`
	ReportID      string    `json:"report_id"`    // of this document; unique
	RunID         string    `json:"run_id"`       // of the operation; its documents share it
	GeneratedAt   time.Time `json:"generated_at"` // controller's clock
	Producer      Producer  `json:"producer"`
	Host          HostRef   `json:"host"`
}

// DocumentHeader returns h; embedding a Header makes a type a Document.
func (h Header) DocumentHeader() Header { return h }

// A Producer is the program that wrote a document.
type Producer struct {
	Name    string `json:"name"`    // of the program
	Version string `json:"version"` // of the program, as it was built
	Commit  string `json:"commit"`  // of its source; "unknown" where the build does not say
}

// A HostRef names the host a document is about. A list of several hosts has
// the machine that it was made on: each of its items and errors names its own.
type HostRef struct {
	Name      string  `json:"name"`       // as the caller named it
	Hostname  *string `json:"hostname"`   // as the kernel of the host gives it
	MachineID *string `json:"machine_id"` // hash of it, the same as in Identity
}

// A SandboxStatus is the state of one sandbox and what it has done to its
// host. Create, Destroy and Status return it; it is complete as far as the
// operation got, also beside an error.
type SandboxStatus struct {
	Header
	SandboxID  ID                  `json:"sandbox_id"`
	Name       *string             `json:"name"`    // second name, if it was given one
	Profile    string              `json:"profile"` // what it was made from, such as "profile.sandbox-canary"
	State      State               `json:"state"`
	Reason     *string             `json:"reason"` // why it is not ready
	Engine     *Engine             `json:"engine"`
	Ports      []Port              `json:"ports"`      // what the host publishes of it
	CreatedAt  *time.Time          `json:"created_at"` // host clock
	ExpiresAt  *time.Time          `json:"expires_at"` // host clock; null: no TTL
	Hold       *Hold               `json:"hold"`       // keeps it from being removed until its time is over; null: nothing does
	Telemetry  IntrospectionReport `json:"telemetry"`
	Conditions []Condition         `json:"conditions"` // facts that a program may wait for
	Export     []ExportOutcome     `json:"export"`     // null but on stdout
	Artifacts  []Artifact          `json:"artifacts"`  // local files that hold this document
}

// An IntrospectionReport is the telemetry of one sandbox: the host before
// and after, what differs, and what else is on it.
type IntrospectionReport struct {
	Before          *HostSnapshot  `json:"before"`
	After           *HostSnapshot  `json:"after"`
	ProvisionDelta  *Delta         `json:"provision_delta"`
	DestroyDelta    *Delta         `json:"destroy_delta"` // null until destroyed
	Residual        *Residual      `json:"residual"`      // null until destroyed
	Inventory       *Inventory     `json:"inventory"`
	StaleCandidates []StaleSandbox `json:"stale_candidates"` // what else on the host is no live sandbox; recommendations only
	Canary          *CanaryResult  `json:"canary"`           // null for other profiles
	Admission       Admission      `json:"admission"`
}

// A Condition is one fact about a sandbox that a program may wait for.
type Condition struct {
	Type    string `json:"type"`    // Provisioned, HostHealthy, CanaryPassed, LeakFree
	Status  string `json:"status"`  // True, False, Unknown
	Reason  string `json:"reason"`  // one word for why, for programs
	Message string `json:"message"` // the same, for a person
}

// An ExportOutcome is what one exporter made of a document.
type ExportOutcome struct {
	Sink   string  `json:"sink"`   // name of the exporter
	Status string  `json:"status"` // done, spooled, failed
	Error  *string `json:"error"`  // null unless it failed
}

// An Artifact is a local file that holds a document.
type Artifact struct {
	Path string `json:"path"` // absolute, on the controller
}

// A SnapshotDocument is a HostSnapshot printed by itself.
type SnapshotDocument struct {
	Header
	HostSnapshot
	Admission Admission `json:"admission"`
	Alerts    []Alert   `json:"alerts"` // one for each rule, in their order; null where nobody gave any
}

// An InventoryDocument is an Inventory printed by itself.
type InventoryDocument struct {
	Header
	Inventory
}

// A StaleDocument is a StaleReport printed by itself.
type StaleDocument struct {
	Header
	StaleReport
}

// An IntrospectionDocument is an IntrospectionReport printed by itself.
type IntrospectionDocument struct {
	Header
	IntrospectionReport
}

// A SandboxStatusList is the answer to a command that was given several
// sandboxes.
type SandboxStatusList struct {
	Header
	Items  []SandboxStatus `json:"items"`  // one for each sandbox that answered
	Errors []ErrorInfo     `json:"errors"` // one for each that did not
}

// A HostSnapshotList is the answer to a command that was given several hosts.
type HostSnapshotList struct {
	Header
	Items  []SnapshotDocument `json:"items"`  // one for each host that answered, in the order they were named
	Errors []ErrorInfo        `json:"errors"` // one for each that did not, in the same order
}

// An InventoryList is the answer to a command that was given several hosts.
type InventoryList struct {
	Header
	Items  []InventoryDocument `json:"items"`  // one for each host that answered, in the order they were named
	Errors []ErrorInfo         `json:"errors"` // one for each that did not, in the same order
}

// A StaleReportList is the answer to a command that was given several hosts.
type StaleReportList struct {
	Header
	Items  []StaleDocument `json:"items"`  // one for each host that answered, in the order they were named
	Errors []ErrorInfo     `json:"errors"` // one for each that did not, in the same order
}

// A ReapPlanDocument is a ReapPlan printed by itself.
type ReapPlanDocument struct {
	Header
	ReapPlan
	Digest string `json:"digest"` // of the plan, so that one which was stored is known not to be edited
}

// An AlertDocument is one Alert by itself, for whoever tells of changes.
type AlertDocument struct {
	Header
	Alert Alert `json:"alert"`
}

// An AuditDocument is an AuditLog printed by itself.
type AuditDocument struct {
	Header
	AuditLog
}

// A ReapResultDocument is a ReapResult printed by itself.
type ReapResultDocument struct {
	Header
	ReapResult
}

// A BaselineDocument is a Baseline printed by itself.
type BaselineDocument struct {
	Header
	Baseline
}

// A DoctorReport lists what would stop a create or a destroy on a host.
type DoctorReport struct {
	Header
	Findings []Finding `json:"findings"` // in the order they were looked at
}

// A Finding is one thing doctor looked at.
type Finding struct {
	Check   string  `json:"check"` // stable name, such as "engine.docker"
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"` // for a person
	Mend    *string `json:"mend"`    // what to do about it
}

// An ErrorDocument is what a command that failed prints in place of its own
// document.
type ErrorDocument struct {
	Header
	Error ErrorInfo `json:"error"`
}

// ErrorInfo is an error for programs.
type ErrorInfo struct {
	Code    string   `json:"code"`    // usage, refused, unreachable, incomplete, locked, not_found, remains, interrupted, failed
	Message string   `json:"message"` // for a person
	Hint    *string  `json:"hint"`    // what mends it, in one line
	Host    *string  `json:"host"`    // name of the host it happened on
	Phase   *string  `json:"phase"`   // step of the operation it happened in
	Reasons []Reason `json:"reasons"` // each cause of a refusal
	Log     []string `json:"log"`     // last lines of the service at fault
}

// A Verdict is the outcome of one check. The set is open.
type Verdict string

// Verdicts.
const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn"
	Fail    Verdict = "fail"
	Skip    Verdict = "skip"    // not applicable here, with the reason
	Errored Verdict = "error"   // the check itself broke
	Unknown Verdict = "unknown" // no answer either way
)
