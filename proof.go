package sandboxer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A ProofCheck is one part of the proof that something may be removed: it is
// what it seems to be, it is the user's own, nobody uses it, and its time has
// come. What FindStale proves from one look at a host, a reap proves again on
// the host, under the lock, right before it acts.
type ProofCheck struct {
	Check  string  `json:"check"`  // such as "directory"
	Status Verdict `json:"status"` // pass; fail; unknown where nobody can tell, which counts as fail; skip where there is nothing to check
	Code   *string `json:"code"`   // why it is not proven, in one word; null where it is
	Detail string  `json:"detail"` // what was seen, for a person
}

// Names of proof checks. The set is open.
const (
	ProofAsked     = "asked"     // somebody asked for things of this class
	ProofName      = "name"      // its name is one that sandboxer gives
	ProofMetadata  = "metadata"  // the record in its directory can be read and is its own
	ProofRegistry  = "registry"  // the record outside of it can be read and is its own
	ProofRecords   = "records"   // both are of one creation, on this machine, by this user, under this root
	ProofEngine    = "engine"    // the engine that made it has told all it holds
	ProofResources = "resources" // each thing it holds is recorded by id or carries its nonce
	ProofOperation = "operation" // no operation is at it
	ProofUse       = "use"       // nothing else was started from it
	ProofDirectory = "directory" // its directory is the user's own and the one that was made for it
	ProofMounts    = "mounts"    // nothing is mounted in that
	ProofHold      = "hold"      // nobody holds it
	ProofAge       = "age"       // it is old enough
	ProofClock     = "clock"     // the host's clock, which its age is taken from, is right
	ProofRoot      = "root"      // nobody else can redirect the root
)

// A proof is the checks of one thing.
type proof []ProofCheck

func (p *proof) pass(check, format string, args ...any) {
	if len(args) > 0 { // of ten thousand sandboxes most say the same
		format = fmt.Sprintf(format, args...)
	}
	*p = append(*p, ProofCheck{Check: check, Status: Pass, Detail: format})
}

func (p *proof) fail(check, code, format string, args ...any) {
	*p = append(*p, ProofCheck{Check: check, Status: Fail, Code: &code, Detail: fmt.Sprintf(format, args...)})
}

func (p *proof) unknown(check, code, detail string) {
	*p = append(*p, ProofCheck{Check: check, Status: Unknown, Code: &code, Detail: detail})
}

func (p *proof) skip(check, detail string) {
	*p = append(*p, ProofCheck{Check: check, Status: Skip, Detail: detail})
}

// codes are those of the checks that do not hold, each once.
func (p proof) codes() []string {
	codes := []string{}
	for _, c := range p {
		if c.Code != nil && !slices.Contains(codes, *c.Code) {
			codes = append(codes, *c.Code)
		}
	}
	return codes
}

// rest lets the row rest on a proof.
func (s *StaleSandbox) rest(p proof) { s.Proof, s.BlockedBy = p, p.codes() }

// recommended is what FindStale finds by the default policy, without proofs: a
// report is kept with each sandbox.
func recommended(obs Observation) []StaleSandbox {
	all := FindStale(obs, StalePolicy{}).StaleCandidates
	for i := range all {
		all[i].Proof = nil
	}
	return all
}

func (f *staleFinder) proveSandbox(s *Sandbox, class StaleClass, detail string, age *time.Duration) proof {
	p := make(proof, 0, 13)
	switch class {
	case Corrupt, Foreign, Undecided:
		p.fail(ProofRecords, BlockReportOnly, "%s", detail)
		p.record(ProofMetadata, s.Metadata, s.Evidence.Metadata)
		p.record(ProofRegistry, s.Registry, s.Evidence.Registry)
		if at := f.mountIn(s.Dir); at != "" {
			p.mounted(at)
		}
		return p
	}
	f.proveRecords(&p, s, class)
	f.proveEngine(&p, s)
	f.proveOperation(&p, s, class)
	f.proveOwnDir(&p, s)
	if s.Hold.holds(f.now) && s.State != StateDestroying { // then it is half gone already
		p.fail(ProofHold, BlockHeld, "%s", s.Hold.words())
	} else {
		p.pass(ProofHold, "nobody holds it")
	}
	f.proveAge(&p, class, age)
	return p
}

// record is for what is only reported: its class says that already.
func (p *proof) record(check string, state RecordState, data []byte) {
	switch state {
	case RecordOK:
		p.pass(check, "%.19s", digestOf(data))
	case RecordMissing:
		p.skip(check, "there is none")
	default:
		*p = append(*p, ProofCheck{Check: check, Status: Fail, Code: new(BlockReportOnly), Detail: string(state)})
	}
}

func (f *staleFinder) proveRecords(p *proof, s *Sandbox, class StaleClass) {
	rec := s.Evidence.Record
	if s.Metadata == RecordOK {
		p.pass(ProofMetadata, "%.19s", digestOf(s.Evidence.Metadata))
	} else {
		p.skip(ProofMetadata, "there is none: the registry record decides")
	}
	switch {
	case s.Registry == RecordOK && bytes.Equal(s.Evidence.Metadata, s.Evidence.Registry):
		p.pass(ProofRegistry, "the same")
	case s.Registry == RecordOK:
		p.pass(ProofRegistry, "%.19s", digestOf(s.Evidence.Registry))
	case class == OrphanProject:
		p.fail(ProofRegistry, BlockNoRegistry, "there is none, nor a directory")
	default:
		p.skip(ProofRegistry, "there is none: the metadata decides")
	}
	p.pass(ProofRecords, "nonce %.8s…, made at %s by uid %d, for %s on machine %.12s", rec.Nonce,
		rec.CreatedAt.UTC().Format(time.RFC3339), rec.Owner.UID, rec.Root, rec.MachineID)
}

// proveEngine says what the sandbox's things are proven by. Those that are not
// proven are not among them, and stay.
func (f *staleFinder) proveEngine(p *proof, s *Sandbox) {
	rec := s.Evidence.Record
	if info := f.obs.Snapshot.Engine(rec.Engine); info != nil {
		p.pass(ProofEngine, "%s: %s", rec.Engine, info.Status)
	} else {
		p.pass(ProofEngine, "%s", rec.Engine)
	}
	if len(s.Resources) == 0 {
		p.skip(ProofResources, "it holds nothing of it")
		return
	}
	var told []string
	for _, r := range s.Resources {
		by := "by its nonce"
		if rec.lists(r) {
			by = "by its id"
		}
		told = append(told, fmt.Sprintf("%s %.12s %s", r.Kind, strings.TrimPrefix(r.Ref, "sha256:"), by))
	}
	p.pass(ProofResources, "%s", strings.Join(told, ", "))
}

// lists reports whether the record names a resource.
func (r *Record) lists(res Resource) bool {
	return slices.ContainsFunc(r.Resources, func(ref RecordedRef) bool {
		return ref.Kind == res.Kind && (ref.Ref == res.Ref || ref.Ref == res.Name)
	})
}

func (f *staleFinder) proveOperation(p *proof, s *Sandbox, class StaleClass) {
	switch {
	case class == Interrupted && s.Locked == nil:
		p.unknown(ProofOperation, BlockLockUnknown, "nobody can tell whether its lock is held")
	case s.Evidence.Record.Op != nil:
		op := s.Evidence.Record.Op
		p.pass(ProofOperation, "the %s %s is over: nobody holds the lock", op.Kind, op.OpID)
	default:
		p.pass(ProofOperation, "there is none")
	}
}

func (f *staleFinder) proveOwnDir(p *proof, s *Sandbox) {
	dir := s.Evidence.Dir
	switch {
	case !dir.Present:
		p.skip(ProofDirectory, "it is gone")
		return
	case !dir.IsDir:
		p.fail(ProofDirectory, BlockNotDir, "%s is none", s.Dir)
		return
	case s.Evidence.Record.isAnother(dir, f.obs.Snapshot):
		p.fail(ProofDirectory, BlockDirChanged, "%s, and %s was made for it", dir.words(), s.Evidence.Record.dir().words())
		return
	}
	p.pass(ProofDirectory, "uid %d, mode %04o, inode %d", dir.UID, dir.Mode, dir.Inode)
	f.proveMounts(p, s.Dir)
}

func (f *staleFinder) proveAge(p *proof, class StaleClass, age *time.Duration) {
	if age == nil {
		p.unknown(ProofAge, BlockAgeUnknown, "nobody can tell since when it is idle")
	} else if floor := f.floor(class); *age < floor {
		p.fail(ProofAge, BlockTooYoung, "%s, and it wants %s", age.Round(time.Second), floor)
	} else {
		p.pass(ProofAge, "%s, and it wants %s", age.Round(time.Second), floor)
	}
	f.proveClock(p, age)
	f.proveRoot(p)
}

func (f *staleFinder) proveClock(p *proof, age *time.Duration) {
	switch {
	case age == nil:
	case *age < 0:
		p.fail(ProofClock, BlockClock, "it was active in the future")
	case f.clockInDoubt():
		p.fail(ProofClock, BlockClock, "%d ms off the controller's", *f.obs.Snapshot.ClockOffsetMS)
	case f.obs.Snapshot.ClockOffsetMS != nil:
		p.pass(ProofClock, "%d ms off the controller's", *f.obs.Snapshot.ClockOffsetMS)
	}
}

func (f *staleFinder) proveRoot(p *proof) {
	switch state := f.obs.Inventory.RootState; state {
	case RootOK, RootWritable, RootAbsent: // the caller's own is mended before anything is removed
		p.pass(ProofRoot, "%s: %s", f.obs.Inventory.Root, state)
	default:
		p.fail(ProofRoot, BlockRootUntrusted, "%s: %s", f.obs.Inventory.Root, state)
	}
}

func (f *staleFinder) proveDirectory(d Directory, age *time.Duration) proof {
	var p proof
	if f.policy.IncludeUnclaimed {
		p.pass(ProofAsked, "unclaimed directories were asked for")
	} else {
		p.fail(ProofAsked, BlockUnclaimed, "unclaimed directories were not asked for")
	}
	if d.ValidID {
		p.pass(ProofName, "%s", d.Name)
	} else {
		p.fail(ProofName, BlockInvalidID, "%q is no name that sandboxer gives", d.Name)
	}
	f.proveOwnDirectory(&p, d)
	if slices.ContainsFunc(f.obs.Inventory.ComposeProjects, func(c ComposeProject) bool { return c.WorkingDir != nil && within(*c.WorkingDir, d.Path) }) {
		p.fail(ProofUse, BlockInUse, "a compose project was started from it")
	} else if silent := f.silentEngines(); silent != "" {
		p.unknown(ProofUse, BlockInUse, silent+" did not tell whether a compose project was started from it")
	} else {
		p.pass(ProofUse, "no compose project was started from it")
	}
	if err := f.obs.Inventory.recordsComplete(); err != nil {
		p.unknown(ProofRecords, BlockIncomplete, err.Error())
	} else {
		p.pass(ProofRecords, "all were read, and none is about it")
	}
	f.proveAge(&p, Unclaimed, age)
	return p
}

func (f *staleFinder) proveOwnDirectory(p *proof, d Directory) {
	if f.untouched(d.Inode, d.Path) {
		p.unknown(ProofDirectory, BlockMount, "it was not looked at")
		f.proveMounts(p, d.Path)
		return
	}
	if !d.Own {
		p.fail(ProofDirectory, BlockNotOwn, "it is another user's")
	}
	if d.Kind != "directory" {
		p.fail(ProofDirectory, BlockNotDir, "it is no directory")
	}
	if d.Own && d.Kind == "directory" {
		p.pass(ProofDirectory, "uid %s, inode %d", number(d.OwnerUID), d.Inode)
		f.proveMounts(p, d.Path)
	}
}

// silentEngines names the engines that may hold something of this user's and
// did not tell all of it.
func (f *staleFinder) silentEngines() string {
	var names []string
	for _, e := range f.obs.Snapshot.Engines {
		if e.Name != EngineProcess && e.Status != EngineForbidden && !f.obs.Inventory.Source(string(e.Name)).Complete() {
			names = append(names, string(e.Name))
		}
	}
	return strings.Join(names, ", ")
}

func number(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

// proveLeftovers is for what labels claim and nothing proves.
func (f *staleFinder) proveLeftovers(n int64) proof {
	var p proof
	p.fail(ProofRegistry, BlockNoRegistry, "there is none, nor a directory: labels of %s are all there is", count(int(n), "thing"))
	p.unknown(ProofAge, BlockAgeUnknown, "nothing tells since when it is idle")
	return p
}

func (f *staleFinder) proveTrash(t TrashEntry) proof {
	var p proof
	switch {
	case f.untouched(t.Inode, t.Path):
		p.unknown(ProofDirectory, BlockMount, "it was not looked at")
		f.proveMounts(&p, t.Path)
	case !t.IsDir:
		p.fail(ProofDirectory, BlockNotDir, "%s is none", t.Path)
	case !t.Own:
		p.fail(ProofDirectory, BlockNotOwn, "%s is another user's", t.Path)
	default:
		p.pass(ProofDirectory, "inode %d", t.Inode)
		f.proveMounts(&p, t.Path)
	}
	switch {
	case t.KeptUntil == nil || f.policy.KeepTrash < 0:
		p.pass(ProofAge, "it is not to be kept")
	case f.clockInDoubt():
		p.fail(ProofClock, BlockClock, "%d ms off the controller's", *f.obs.Snapshot.ClockOffsetMS)
	default:
		p.pass(ProofAge, "kept until %s", t.KeptUntil.UTC().Format(time.RFC3339))
	}
	f.proveRoot(&p)
	return p
}
