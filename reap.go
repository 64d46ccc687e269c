package sandboxer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// verifyLimit bounds the look at the host after a reap, also one that was
// interrupted.
const verifyLimit = time.Minute

// reapBatch is how many things are removed by one command.
const reapBatch = 100

// Reap removes what plan lists and nothing else, one after the other, each
// under its own lock from the proof to the audit line. It looks at the host
// first: what is not as the plan saw it, or may not be removed by the plan's
// policy any more, is skipped. It looks again in the end, and counts as removed
// only what is gone then.
//
// The result has a row for everything in the plan, also beside an error. The
// error is nil if all of it is gone, by this reap or somebody else. It is a
// *RefusedError where a guard stopped all of it before anything was touched,
// ErrLocked where another reap is at work on the host, ErrIncomplete where a
// source of the inventory did not answer (what the others prove is removed all
// the same), and ErrRemains where something in the plan was not removed.
func (b *Sandboxer) Reap(ctx context.Context, host Host, plan ReapPlan) (ReapResult, error) {
	r := &reaping{b: b, host: host, plan: plan}
	err := r.run(ctx)
	result := r.result()
	return result, errors.Join(err, r.verdict(result))
}

// A reaping is one Reap under way.
type reaping struct {
	b    *Sandboxer
	host Host
	plan ReapPlan

	op     onhost.Op
	before Observation
	looked time.Time // controller's clock, when before was had
	after  *Observation
	rows   []ReapItem // as the plan's candidates
	began  bool       // past the guards
}

func (r *reaping) run(ctx context.Context) error {
	if err := r.b.canChange(); err != nil {
		return err
	}
	if err := errors.Join(r.plan.Approval.check(), r.plan.Guard()); err != nil {
		return err
	}
	r.emit(PhaseObserve, "", "reading the host")
	before, err := r.b.collect(ctx, r.host, "")
	if err != nil {
		return err
	}
	r.before, r.looked = before, r.b.now()
	if r.op, err = r.b.newOp(); err != nil {
		return err
	}
	if err := r.mayReap(); err != nil {
		r.b.auditRefusal(ctx, r.host, r.op, r.line(ReapCandidate{}, "", fmt.Sprintf("a plan with %s", count(len(r.plan.Candidates), "candidate"))), err)
		return err
	}
	r.began = true
	r.rows = make([]ReapItem, len(r.plan.Candidates))
	items := r.match()
	err = r.remove(ctx, items)
	if len(items) == 0 {
		return err
	}
	return errors.Join(err, r.verify(ctx))
}

func (r *reaping) emit(phase Phase, id ID, message string) {
	r.b.emit(Event{Phase: phase, SandboxID: id, Host: r.host.Name(), Message: message})
}

// mayReap holds the guards that concern the host as a whole.
func (r *reaping) mayReap() error {
	refuse := func(code, format string, args ...any) error {
		return &RefusedError{Doing: "reap on " + r.host.Name(), Reasons: []Reason{{code, fmt.Sprintf(format, args...)}}}
	}
	machine := deref(r.before.Snapshot.Identity.MachineID)
	if r.plan.MachineID != nil && *r.plan.MachineID != machine {
		return refuse("another_host", "the plan is for another machine")
	}
	if root := r.before.Inventory.Root; r.plan.Root != root {
		return refuse("another_root", "the plan is for %s, and this is %s", r.plan.Root, root)
	}
	if err := r.plan.expired(r.before.Snapshot.ObservedAt); err != nil {
		return err
	}
	if err := r.rootTrusted(); err != nil {
		return err
	}
	f := staleFinder{obs: r.before}
	if f.clockInDoubt() || r.before.Snapshot.ObservedAt == nil {
		err := refuse(BlockClock, "the host's clock cannot be trusted, so no age can").(*RefusedError)
		err.Hint = "set the clocks: timedatectl set-ntp true"
		return err
	}
	for _, s := range r.before.Inventory.Sandboxes {
		if class, _ := untrusted(&s); class != "" {
			continue // what somebody else wrote must not stop the reaping
		}
		for _, at := range []*time.Time{s.CreatedAt, s.LastActiveAt} {
			if at != nil && at.Sub(*r.before.Snapshot.ObservedAt) > MaxClockOffset {
				return refuse(BlockClock, "%s was active in the future, at %s: the host's clock has been set back", s.SandboxID, at.Format(time.RFC3339))
			}
		}
	}
	return nil
}

// rootTrusted refuses where somebody else may say what the root is, and where
// nothing can be locked.
func (r *reaping) rootTrusted() error {
	doing := "reap on " + r.host.Name()
	inv := r.before.Inventory
	switch inv.RootState {
	case RootOK, RootWritable, RootAbsent: // see floors
	default:
		return refusal(doing, &onhost.Refusal{Code: "root_" + string(inv.RootState), Message: fmt.Sprintf("%s cannot be trusted: %s", inv.Root, inv.RootState)})
	}
	if has, asked := r.before.Facts.Tools["flock"]; asked && !has {
		return refusal(doing, &onhost.Refusal{Code: "no_flock", Message: "the host has no flock in PATH"})
	}
	return nil
}

// An errand is one thing to remove, and where its row is.
type errand struct {
	row  int
	item onhost.Item
}

// match finds each candidate again. What is not as it was is skipped.
func (r *reaping) match() []errand {
	stale := FindStale(r.before, r.plan.policy())
	now := candidates(r.before, stale)
	var errands []errand
	for i, c := range r.plan.Candidates {
		row := &r.rows[i]
		*row = ReapItem{SandboxID: c.SandboxID, Ref: c.Ref, Class: c.Class, Remains: []string{}}
		at := slices.IndexFunc(now, func(n ReapCandidate) bool { return n.Ref == c.Ref && n.Class == c.Class })
		if at < 0 || now[at].Evidence != c.Evidence {
			code, why := r.whyNot(c, stale)
			row.set(ReapSkipped, code, why)
			continue
		}
		item, err := r.item(c)
		var refused *RefusedError
		if errors.As(err, &refused) && len(refused.Reasons) > 0 && item.Audit != nil {
			item.Refusal, item.Message, err = refused.Reasons[0].Code, refused.Reasons[0].Message, nil
		}
		if err != nil {
			row.fail(err)
			continue
		}
		errands = append(errands, errand{i, item})
	}
	return errands
}

// whyNot says why a candidate of the plan is none now.
func (r *reaping) whyNot(c ReapCandidate, stale StaleReport) (code, why string) {
	for _, s := range stale.StaleCandidates {
		if s.Ref != c.Ref {
			continue
		}
		if len(s.BlockedBy) > 0 {
			return s.BlockedBy[0], "it may not go any more: " + strings.Join(BlockReasons(s.BlockedBy), "; ")
		}
		return "evidence_changed", fmt.Sprintf("it has changed since the plan was made, and is %s now", s.Class)
	}
	if s := r.before.Inventory.withID(ID(c.Ref)); s != nil && s.Locked != nil && *s.Locked {
		return "locked", "another operation holds it"
	} else if s != nil {
		return "evidence_changed", "it is in use again"
	}
	return codeGone, "it is not there any more"
}

func (r *reaping) item(c ReapCandidate) (onhost.Item, error) {
	switch c.Class {
	case Unclaimed:
		return r.unclaimed(c)
	case Trashed:
		return r.trashed(c)
	}
	d := &destruction{
		b: r.b, host: r.host, before: r.before, looked: r.looked, s: r.before.Inventory.Find(ID(c.Ref)),
		act: "reap", why: string(c.Class) + ": " + c.Detail, approvedBy: r.plan.approver(),
	}
	teardown, err := d.mayGo()
	if err != nil {
		head, _ := d.auditHead(r.op.ID) // without one it is not noted
		return onhost.Item{ID: c.Ref, Audit: head}, err
	}
	item, err := d.item(r.op, teardown)
	item.Keep = r.keepUntil()
	return item, err
}

// unclaimed is an errand for a directory that has no record.
func (r *reaping) unclaimed(c ReapCandidate) (onhost.Item, error) {
	at := slices.IndexFunc(r.before.Inventory.Directories, func(d Directory) bool { return d.Name == c.Ref })
	dir := r.before.Inventory.Directories[at]
	if dir.Inode == 0 {
		return onhost.Item{}, &RefusedError{Doing: "reap " + c.Ref, Reasons: []Reason{{"no_inode", "nobody knows which directory was seen"}}}
	}
	head, err := r.line(c, dir.Path, string(Unclaimed)+": asked for with include_unclaimed").head()
	return onhost.Item{ID: c.Ref, Unclaimed: true, Device: dir.Device, Inode: dir.Inode, Birth: dir.Birth, Audit: head, Keep: r.keepUntil()}, err
}

// trashed is an errand for what an earlier reap has kept.
func (r *reaping) trashed(c ReapCandidate) (onhost.Item, error) {
	at := slices.IndexFunc(r.before.Inventory.Trash, func(t TrashEntry) bool { return t.Entry == c.Ref })
	entry := r.before.Inventory.Trash[at]
	line := r.line(c, entry.Path, string(Trashed)+": "+c.Detail)
	if entry.SandboxID != nil {
		line.SandboxID = *entry.SandboxID
	}
	head, err := line.head()
	return onhost.Item{ID: c.Ref, Trashed: true, Device: entry.Device, Inode: entry.Inode, Birth: entry.Birth, Audit: head}, err
}

// line is the audit line about something that has no record.
func (r *reaping) line(c ReapCandidate, path, why string) auditLine {
	return auditLine{
		Act: "reap", OpID: r.op.ID, Path: path, User: deref(r.before.Snapshot.Identity.User),
		Controller: r.b.controller(), ApprovedBy: r.plan.approver(), Why: why, Evidence: c.Evidence,
	}
}

// keepUntil is when what is removed now may be deleted, in seconds of the
// host's epoch; 0: at once.
func (r *reaping) keepUntil() int64 {
	keep := r.plan.policy().keepTrash()
	if keep == 0 {
		return 0
	}
	return r.before.Snapshot.ObservedAt.Add(keep).Unix()
}

// remove runs the errands, some to a command.
func (r *reaping) remove(ctx context.Context, errands []errand) error {
	for batch := range slices.Chunk(errands, reapBatch) {
		if err := r.removeBatch(ctx, batch); err != nil {
			return err // rows without a result were not come to
		}
	}
	return nil
}

func (r *reaping) removeBatch(ctx context.Context, batch []errand) error {
	items := make([]onhost.Item, len(batch))
	for i, e := range batch {
		items[i] = e.item
	}
	r.emit(PhaseDestroy, "", fmt.Sprintf("removing %s", count(len(items), "thing")))
	out := &itemStream{tell: func(id string) { r.emit(PhaseDestroy, ID(id), "done with "+id) }}
	cmd := r.op.Reap(items)
	res, err := r.host.Run(ctx, Cmd{Args: cmd.Args, Stdin: cmd.Stdin, Stdout: out})
	answer, parseErr := onhost.ParseAnswer(out.all.Bytes())
	doing := "reap on " + r.host.Name()
	switch {
	case answer.Refused != nil: // before the first item
		r.skip(batch, answer.Refused.Code, answer.Refused.Message)
		return refusal(doing, answer.Refused)
	case answer.Locked:
		r.skip(batch, "locked", "another reap is at work on the host")
		return fmt.Errorf("%s: another reap is at work there: %w", doing, ErrLocked)
	case neverRan(err):
		return err // the rows that have no result were not come to
	}
	for _, e := range batch {
		row := &r.rows[e.row]
		row.judge(r.b.purge(ctx, r.host, r.before, e.item, answer.Item(e.item.ID)))
		if row.Result == ReapRemoved && e.item.Keep > 0 {
			row.KeptUntil = new(time.Unix(e.item.Keep, 0).UTC())
		}
	}
	if err != nil || parseErr != nil {
		return errors.Join(err, parseErr)
	}
	return res.Err(doing)
}

// skip gives the rows of a batch that was stopped before its first item.
func (r *reaping) skip(batch []errand, code, message string) {
	for _, e := range batch {
		r.rows[e.row].set(ReapSkipped, code, message)
	}
}

// verify believes only what the host shows afterwards.
func (r *reaping) verify(ctx context.Context) error {
	r.emit(PhaseVerify, "", "reading the host again")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), verifyLimit)
	defer cancel()
	after, err := r.b.collect(ctx, r.host, "")
	if err != nil {
		return fmt.Errorf("the look at the host afterwards: %w", err)
	}
	r.after = &after
	for i := range r.rows {
		row := &r.rows[i]
		late := r.late(row.Ref)
		there := row.Class == Trashed && slices.ContainsFunc(after.Inventory.Trash, func(t TrashEntry) bool { return t.Entry == row.Ref }) ||
			row.Class != Trashed && r.seen(*row) || len(late) > 0
		switch {
		case there && row.Result == ReapRemoved:
			row.set(ReapFailed, "still_there", "the host still shows it")
			row.Remains = append(row.Remains, late...)
		case !there && row.noAnswer() && after.Inventory.Complete:
			row.set(ReapRemoved, "", "") // only the word of it was lost
		}
	}
	return nil
}

// seen reports whether the host shows something where it was.
func (r *reaping) seen(row ReapItem) bool {
	inv := &r.after.Inventory
	return slices.ContainsFunc(inv.Directories, func(d Directory) bool { return d.Name == row.Ref }) ||
		row.SandboxID != nil && inv.withID(*row.SandboxID) != nil
}

// late lists what an engine holds with the labels of a sandbox that has no
// record any more, and did not hold before: what was started behind the back
// of a reap. What bore them before and was never the sandbox's does not count.
func (r *reaping) late(ref string) []string {
	var found []string
	for _, left := range r.after.Inventory.Leftovers {
		same := func(other Resource) bool {
			return other.Engine == left.Engine && other.Kind == left.Kind && other.Ref == left.Ref
		}
		if left.SandboxID == nil || string(*left.SandboxID) != ref || slices.ContainsFunc(r.before.Inventory.Leftovers, same) {
			continue
		}
		found = append(found, fmt.Sprintf("%s %s its labels name it", left.Kind, left.Ref))
	}
	return found
}

// An itemStream keeps what a script says and tells of each item that has come
// to its end.
type itemStream struct {
	all  bytes.Buffer
	told int
	tell func(id string)
}

func (s *itemStream) Write(p []byte) (int, error) {
	s.all.Write(p)
	for {
		line, _, whole := bytes.Cut(s.all.Bytes()[s.told:], []byte("\n"))
		if !whole {
			return len(p), nil
		}
		s.told += len(line) + 1
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == "end" {
			s.tell(f[1])
		}
	}
}

// count is "1 thing" or "3 things".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "x") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
