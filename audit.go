package sandboxer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// An auditLine is what is known of an act before it. The host adds when it
// was, and the result.
type auditLine struct {
	Act        string `json:"act"` // create, destroy, reap, restore, …
	SandboxID  ID     `json:"sandbox_id,omitempty"`
	Path       string `json:"path,omitempty"` // of a directory that is no sandbox's
	Profile    string `json:"profile,omitempty"`
	Engine     Engine `json:"engine,omitempty"`
	User       string `json:"user"`
	Controller string `json:"controller"`
	ApprovedBy string `json:"approved_by,omitempty"` // who approved the plan
	Why        string `json:"why"`
	Evidence   string `json:"evidence,omitempty"`
	OpID       string `json:"op_id"`
}

// head is the line without its last brace.
func (l auditLine) head() ([]byte, error) {
	line, err := json.Marshal(l)
	return line[:max(0, len(line)-1)], err
}

// auditRefusal notes on the host that a guard here said no, and why. What the
// host's own guards refuse it notes itself.
func (b *Sandboxer) auditRefusal(ctx context.Context, host Host, op onhost.Op, line auditLine, err error) {
	var refused *RefusedError
	if !errors.As(err, &refused) || len(refused.Reasons) == 0 {
		return
	}
	head, err := line.head()
	if err == nil {
		_, err = b.runScript(ctx, host, "audit", op.Audit(head, refused.Reasons[0].Code))
	}
	if err != nil {
		b.logger().Warn("audit a refusal", "host", host.Name(), "error", err)
	}
}

// digestOf is how evidence is named.
func digestOf(parts ...[]byte) string {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(p)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// An AuditLog is what was done and refused on a host by this user, whoever ran
// sandboxer. It is the host's own log, so it tells of other controllers' acts,
// too.
type AuditLog struct {
	Complete bool         `json:"complete"` // nothing that was asked for is left out
	Entries  []AuditEntry `json:"entries"`  // oldest first
}

// An AuditEntry is one act or refusal.
type AuditEntry struct {
	At         time.Time `json:"at"`          // host clock, to the second
	Act        string    `json:"act"`         // create, destroy, reap, restore, extend, hold, release, touch
	Result     string    `json:"result"`      // ready, failed, removed, purged from the trash, restored, done; else the code of why it was refused
	SandboxID  *ID       `json:"sandbox_id"`  // null where it was about none
	Path       *string   `json:"path"`        // of a directory that is no sandbox's; null: it was none
	Profile    *string   `json:"profile"`     // what the sandbox was made from
	Engine     *Engine   `json:"engine"`      // that held it
	User       string    `json:"user"`        // on the host
	Controller string    `json:"controller"`  // user@host that ran sandboxer
	ApprovedBy *string   `json:"approved_by"` // who approved the plan; null: there was none
	Why        string    `json:"why"`         // class and detail, or what was asked for
	Evidence   *string   `json:"evidence"`    // digest of what the act rested on
	OpID       *string   `json:"op_id"`       // of the operation; its lines share it
}

// An AuditQuery says which entries of an audit log are wanted. The zero value
// wants the newest DefaultAuditLimit.
type AuditQuery struct {
	SandboxID ID        // only of this sandbox; empty: all
	Since     time.Time // not older; host clock
	Limit     int       // the newest so many; zero is DefaultAuditLimit, negative no limit
}

// DefaultAuditLimit is AuditQuery.Limit when zero.
const DefaultAuditLimit = 100

// maxAuditBytes is how much of the end of the log is read.
const maxAuditBytes = 4 << 20

// Audit reads the audit log of host's user. A line that is none is passed over
// and makes the log incomplete, as does an end of the log that is too long to
// be read whole.
func (b *Sandboxer) Audit(ctx context.Context, host Host, q AuditQuery) (AuditLog, error) {
	log := AuditLog{Entries: []AuditEntry{}}
	cmd := onhost.ReadAudit(maxAuditBytes)
	res, err := host.Run(ctx, Cmd{Args: cmd.Args})
	if err == nil {
		err = res.Err("read the audit log")
	}
	if err != nil {
		return log, err
	}
	size, text, ok := strings.Cut(string(res.Stdout), "\n")
	if !ok {
		return log, fmt.Errorf("read the audit log: %w", onhost.ErrGarbled)
	}
	log.Complete = size == fmt.Sprint(len(text)) && !res.Truncated
	for line := range strings.Lines(text) {
		e, err := parseAudit([]byte(line))
		switch {
		case err != nil:
			log.Complete = false
		case q.SandboxID != "" && (e.SandboxID == nil || *e.SandboxID != q.SandboxID):
		case e.At.Before(q.Since):
		default:
			log.Entries = append(log.Entries, e)
		}
	}
	limit := q.Limit
	if limit == 0 {
		limit = DefaultAuditLimit
	}
	if n := len(log.Entries); limit > 0 && n > limit {
		log.Entries = log.Entries[n-limit:]
	}
	return log, nil
}

func parseAudit(line []byte) (AuditEntry, error) {
	var e AuditEntry
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if e.Act == "" || e.Result == "" || e.At.IsZero() {
		return e, errors.New("it has no act, result or time")
	}
	return e, nil
}

// NewAuditDocument wraps what Audit read on host.
func (b *Sandboxer) NewAuditDocument(host Host, log AuditLog) (AuditDocument, error) {
	h, err := b.documentHeader(host, KindAuditLog, Observation{})
	return AuditDocument{Header: h, AuditLog: log}, err
}
