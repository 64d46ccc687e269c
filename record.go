package sandboxer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// State is a stored state of a sandbox. Whatever else can be said of one
// (expired, interrupted, …) is derived when it is read. The set is open.
type State string

// Stored states.
const (
	StateProvisioning State = "provisioning"
	StateReady        State = "ready"
	StateFailed       State = "failed"
	StateDestroying   State = "destroying"
	StateDestroyed    State = "destroyed"
	StateUnknown      State = "unknown" // never stored: no record could be read
)

// A Phase is a step of an operation, named in progress events and failures.
type Phase string

// Phases of create, in order, then those of destroy.
const (
	PhaseValidate Phase = "validate"
	PhaseObserve  Phase = "observe"
	PhasePrepare  Phase = "prepare" // choose engine and files
	PhaseReserve  Phase = "reserve" // records, directory, upload
	PhaseBuild    Phase = "build"
	PhaseStart    Phase = "start"
	PhaseWait     Phase = "wait" // until ready
	PhaseRecord   Phase = "record"
	PhaseReport   Phase = "report"
	PhaseUndo     Phase = "undo" // of a create that failed
	PhaseDestroy  Phase = "destroy"
	PhaseVerify   Phase = "verify"
)

// RecordSchema is the version of Record's form. Readers refuse others.
const RecordSchema = 1

// MaxRecord bounds the size of a stored record in bytes.
const MaxRecord = 8 << 10

// A Record is what a host stores about a sandbox: the bytes of
// <root>/<id>/.sandboxer/meta.json and of the registry record, which are
// equal. It is written by sandboxer only. It holds no secret, no argv and no
// path that is ever acted on.
type Record struct {
	Schema        int               `json:"schema"`
	SandboxID     ID                `json:"sandbox_id"`
	Nonce         string            `json:"nonce"` // 128 random bits in hex; labels carry it
	Name          string            `json:"name,omitempty"`
	Profile       string            `json:"profile"`
	ProfileDigest string            `json:"profile_digest,omitempty"` // of the files uploaded
	Labels        map[string]string `json:"labels,omitempty"`
	Owner         Owner             `json:"owner"`
	MachineID     string            `json:"machine_id"` // Identity.MachineID
	BootID        string            `json:"boot_id"`    // of its creation
	Root          string            `json:"root"`       // compared, never used as a path
	Device        int64             `json:"device,omitempty"`
	Inode         int64             `json:"inode,omitempty"`
	Birth         int64             `json:"birth,omitempty"` // of the directory, in nanoseconds of the epoch; 0: not known
	Engine        Engine            `json:"engine"`
	EngineVersion string            `json:"engine_version,omitempty"`
	EngineRoot    string            `json:"engine_root,omitempty"` // EngineInfo.RootDir: tells engines of one name apart; compared, never used as a path
	EngineID      string            `json:"engine_id,omitempty"`   // EngineInfo.EngineID, likewise
	Compose       string            `json:"compose,omitempty"`     // Started.Compose, for people
	CreatedAt     time.Time         `json:"created_at"`            // host clock
	ExpiresAt     *time.Time        `json:"expires_at,omitempty"`
	State         State             `json:"state"`
	Phase         Phase             `json:"phase,omitempty"`  // of a failure
	Forced        bool              `json:"forced,omitempty"` // Admit had refused the host, and Spec.Force overrode it
	UpdatedAt     time.Time         `json:"updated_at"`       // end of the last operation's last step, host clock
	Op            *Operation        `json:"op,omitempty"`
	Hold          *Hold             `json:"hold,omitempty"`
	Resources     []RecordedRef     `json:"resources,omitempty"`
	Ports         []Port            `json:"ports,omitempty"`
}

// An Operation is what is being done to a sandbox. One whose deadline has
// passed while nobody holds the sandbox's lock was interrupted.
type Operation struct {
	OpID     string    `json:"op_id"`    // names it in the audit log and in the trash
	Kind     string    `json:"kind"`     // create, destroy, restore
	Deadline time.Time `json:"deadline"` // when it has ended or died, host clock
}

// An Owner is who made a sandbox.
type Owner struct {
	User       string `json:"user"`       // on the host
	UID        int64  `json:"uid"`        // on the host
	Controller string `json:"controller"` // user@host that ran sandboxer
}

// A Hold keeps a sandbox from being removed, whatever its age.
type Hold struct {
	Until  *time.Time `json:"until"`  // host clock; null: until it is released
	Reason string     `json:"reason"` // for a person; at most MaxHoldReason bytes
	By     string     `json:"by"`     // who asked for it, as Owner.Controller
	At     time.Time  `json:"at"`     // when, host clock
}

// MaxHoldReason bounds Hold.Reason in bytes.
const MaxHoldReason = 200

// holds reports whether the hold is good at that time; one is, if nobody knows
// the time.
func (h *Hold) holds(now *time.Time) bool {
	return h != nil && (h.Until == nil || now == nil || now.Before(*h.Until))
}

// words is the hold for a person.
func (h *Hold) words() string {
	s := h.By + " holds it"
	if h.Until != nil {
		s += " until " + h.Until.UTC().Format(time.RFC3339)
	}
	if h.Reason != "" {
		s += ": " + h.Reason
	}
	return s
}

// A RecordedRef is an engine resource by what identifies it.
type RecordedRef struct {
	Kind ResourceKind `json:"kind"`
	Ref  string       `json:"ref"`
}

// isAnother reports whether a directory that is there is not the one that the
// record is about. Numbers of devices may change at a boot, and those of inodes
// are given out again: one of another user's, or of another time, is another one.
func (r *Record) isAnother(dir DirFacts, now HostSnapshot) bool {
	if !dir.Present || r.Inode == 0 { // not recorded yet
		return false
	}
	sameBoot := deref(now.Identity.BootID) == r.BootID
	return dir.UID != r.Owner.UID || dir.Inode != r.Inode || sameBoot && dir.Device != r.Device ||
		r.Birth != 0 && dir.Birth != 0 && dir.Birth != r.Birth
}

// dir is what the record says of its directory.
func (r *Record) dir() DirFacts { return DirFacts{UID: r.Owner.UID, Inode: r.Inode, Birth: r.Birth} }

// words tell one directory from another.
func (d DirFacts) words() string {
	s := fmt.Sprintf("inode %d of uid %d", d.Inode, d.UID)
	if d.Birth != 0 {
		s += " from " + time.Unix(0, d.Birth).UTC().Format(time.RFC3339Nano)
	}
	return s
}

// otherEngine reports whether the engine that answers under the name of r's is
// another one, and where that keeps its things: root's podman is not a user's.
func (r *Record) otherEngine(snap HostSnapshot) (root string, other bool) {
	info := snap.Engine(r.Engine)
	switch {
	case info == nil:
		return "", false
	case r.EngineID != "" && info.EngineID != nil && *info.EngineID != r.EngineID:
		return "engine_id " + *info.EngineID, true
	case info.RootDir == nil || r.EngineRoot == "":
		return "", false
	}
	return *info.RootDir, *info.RootDir != r.EngineRoot
}

// ParseRecord reads a stored record. It refuses one that is too large, not
// of RecordSchema, or lacks what identifies a sandbox.
func ParseRecord(data []byte) (*Record, error) {
	if len(data) > MaxRecord {
		return nil, fmt.Errorf("record of %d bytes, want at most %d", len(data), MaxRecord)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if r.Schema != RecordSchema {
		return nil, fmt.Errorf("record schema %d, want %d", r.Schema, RecordSchema)
	}
	if _, err := ParseID(string(r.SandboxID)); err != nil {
		return nil, err
	}
	switch {
	case !isHex(r.Nonce, 32):
		return nil, errors.New("record without a nonce")
	case r.CreatedAt.IsZero():
		return nil, errors.New("record without created_at")
	case r.State == "":
		return nil, errors.New("record without a state")
	case r.Engine == "":
		return nil, errors.New("record without an engine")
	}
	return &r, nil
}

// Encode returns the bytes that are stored.
func (r *Record) Encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if len(data) > MaxRecord {
		return nil, fmt.Errorf("record of %d bytes, want at most %d", len(data), MaxRecord)
	}
	return data, nil
}

func isHex(s string, n int) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == n
}

// Labels that every container, network, volume and image of a sandbox
// carries. A label is a claim; Record is what it is checked against.
const (
	LabelID     = "sandboxer.id"
	LabelNonce  = "sandboxer.nonce"
	LabelOwner  = "sandboxer.owner"
	LabelSchema = "sandboxer.schema"
)
