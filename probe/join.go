package probe

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A joiner puts the sources of an inventory together.
type joiner struct {
	*reading
	archive
	processes map[sandboxer.ID]sandboxer.Resource
	locks     map[string]bool
	boxes     map[sandboxer.ID]*sandboxer.Sandbox
	ports     map[sandboxer.ID][]sandboxer.Port // published now
}

// ids returns the sandboxes that there is a record of, readable or not.
func (j *joiner) ids() map[sandboxer.ID]bool {
	ids := map[sandboxer.ID]bool{}
	for id := range j.registry {
		ids[id] = true
	}
	for name, e := range j.entries {
		id, err := sandboxer.ParseID(name)
		if err == nil && (e.kind() == "directory" && !e.unclaimed || e.mount != "") {
			ids[id] = true
		}
	}
	registry := j.self.state + "/registry/"
	for name := range j.facts {
		base, under := strings.CutPrefix(name, registry)
		base, record := strings.CutSuffix(base, ".json")
		if !under || !record {
			continue
		}
		if id, err := sandboxer.ParseID(base); err == nil {
			ids[id] = true
		}
	}
	return ids
}

// sandbox returns what the directory and the records say of a sandbox.
func (j *joiner) sandbox(id sandboxer.ID) sandboxer.Sandbox {
	s := sandboxer.Sandbox{
		SandboxID: id, State: sandboxer.StateUnknown, Dir: path.Join(j.self.root, string(id)), Locked: j.locked(id),
		Metadata: sandboxer.RecordMissing, Registry: sandboxer.RecordMissing,
		Resources: []sandboxer.Resource{}, Ports: []sandboxer.Port{},
	}
	e, present := j.entries[string(id)]
	if e.known {
		s.Evidence.Dir = sandboxer.DirFacts{
			Present: true, IsDir: e.kind() == "directory",
			UID: e.uid, Mode: int64(e.mode & 0o7777), Device: e.dev, Inode: e.inode, Birth: e.birth,
		}
	}
	if j.directoriesSource(j.archive).Complete() || present {
		s.DirPresent = &present
	}
	meta, inTar := j.metadata[id]
	var metaRec, regRec *sandboxer.Record
	var odd string
	switch {
	case !present || e.unclaimed:
	case e.mount != "":
		s.Metadata, odd = sandboxer.RecordUnknown, j.mountedIn(e.mount)
	case !s.Evidence.Dir.IsDir:
		s.Metadata, odd = sandboxer.RecordCorrupt, "its directory is none"
	case !inTar && !j.whole:
		s.Metadata, odd = sandboxer.RecordUnknown, "its metadata was not read"
	case !inTar:
		s.Metadata, odd = sandboxer.RecordCorrupt, "metadata: not a plain file of that size"
	default:
		metaRec, s.Metadata, odd = j.judge(id, meta)
		s.Evidence.Metadata = meta.data
		if s.Metadata == sandboxer.RecordOK {
			s.Metadata, odd = j.judgeDir(metaRec, e)
		}
		odd = prefixed("metadata", odd)
	}
	reg, inRegistry := j.registry[id]
	listing, listed := j.facts[j.self.state+"/registry/"+string(id)+".json"]
	switch {
	case inRegistry:
		var oddReg string
		regRec, s.Registry, oddReg = j.judge(id, reg)
		s.Evidence.Registry = reg.data
		odd = cmp.Or(odd, prefixed("registry", oddReg))
	case !j.whole:
		s.Registry = sandboxer.RecordUnknown
	case listed && listing.mode&modeType == modeFile && listing.links == 1 && listing.size <= sandboxer.MaxRecord:
		s.Registry = sandboxer.RecordUnknown // while others come and go there, one may be passed over
	case listed:
		s.Registry, odd = sandboxer.RecordCorrupt, cmp.Or(odd, "registry: not a plain file of that size")
	}
	if s.Metadata == sandboxer.RecordOK && s.Registry == sandboxer.RecordOK && !sameSandbox(metaRec, regRec) {
		s.Metadata, s.Registry, odd = sandboxer.RecordMismatch, sandboxer.RecordMismatch, "its two records disagree"
	}
	s.Evidence.Record = choose(metaRec, s.Metadata, regRec, s.Registry)
	if rec := s.Evidence.Record; rec == regRec && rec != nil && s.Metadata == sandboxer.RecordMissing && rec.Root != j.self.root {
		// It lives under another root, which was not looked at.
		s.Dir, s.DirPresent = path.Join(rec.Root, string(id)), nil
	}
	describe(&s, odd)
	return s
}

func prefixed(where, text string) string {
	if text == "" {
		return ""
	}
	return where + ": " + text
}

// choose returns the record to act on: the newer one of two good ones, which is
// mostly the metadata; a foreign one only to show it.
func choose(meta *sandboxer.Record, ms sandboxer.RecordState, reg *sandboxer.Record, rs sandboxer.RecordState) *sandboxer.Record {
	good := func(s sandboxer.RecordState) bool { return s == sandboxer.RecordOK || s == sandboxer.RecordMismatch }
	switch {
	case meta != nil && good(ms) && reg != nil && rs == sandboxer.RecordOK && reg.UpdatedAt.After(meta.UpdatedAt):
		return reg // its directory was away when it was renewed
	case meta != nil && good(ms):
		return meta
	case reg != nil && good(rs):
		return reg
	case meta != nil && ms == sandboxer.RecordForeign:
		return meta
	case reg != nil && rs == sandboxer.RecordForeign:
		return reg
	}
	return nil
}

// judge reads one record and says what it is worth, and why.
func (j *joiner) judge(id sandboxer.ID, s stored) (*sandboxer.Record, sandboxer.RecordState, string) {
	if s.bad {
		return nil, sandboxer.RecordCorrupt, "not a plain file of that size"
	}
	rec, err := s.rec, s.err
	me := j.obs.Snapshot.Identity
	switch {
	case err != nil:
		return nil, sandboxer.RecordCorrupt, err.Error()
	case rec.SandboxID != id:
		return nil, sandboxer.RecordCorrupt, fmt.Sprintf("it is about %q", rec.SandboxID)
	case me.MachineID != nil && rec.MachineID != "" && rec.MachineID != *me.MachineID:
		return rec, sandboxer.RecordForeign, "it is another machine's"
	case me.UID != nil && (rec.Owner.UID != *me.UID || s.uid != *me.UID):
		return rec, sandboxer.RecordForeign, "it is another user's"
	case rec.Root != "" && rec.Root != j.self.root:
		return rec, sandboxer.RecordForeign, fmt.Sprintf("it belongs to the root %q", rec.Root)
	}
	return rec, sandboxer.RecordOK, ""
}

// judgeDir compares a good record with the directory it lies in: a copy of a
// directory is not the sandbox. Numbers of devices may change at a boot.
func (j *joiner) judgeDir(rec *sandboxer.Record, e entry) (sandboxer.RecordState, string) {
	me := j.obs.Snapshot.Identity
	sameBoot := me.BootID != nil && rec.BootID == *me.BootID
	switch {
	case me.UID != nil && e.uid != *me.UID:
		return sandboxer.RecordForeign, "its directory is another user's"
	case rec.Inode != 0 && rec.Inode != e.inode, rec.Device != 0 && rec.Device != e.dev && sameBoot,
		rec.Birth != 0 && e.birth != 0 && rec.Birth != e.birth:
		return sandboxer.RecordCorrupt, "its directory is another one"
	}
	return sandboxer.RecordOK, ""
}

// sameSandbox reports whether two records are of one creation. In between two
// writes they may differ in what changes later.
func sameSandbox(a, b *sandboxer.Record) bool {
	return a == b || a.SandboxID == b.SandboxID && a.Nonce == b.Nonce && a.CreatedAt.Equal(b.CreatedAt) &&
		a.MachineID == b.MachineID && a.Engine == b.Engine && a.Owner.UID == b.Owner.UID
}

// describe fills in what the record says.
func describe(s *sandboxer.Sandbox, odd string) {
	if odd != "" {
		s.Reason = &odd
	}
	rec := s.Evidence.Record
	if rec == nil {
		return
	}
	s.Name, s.Profile = nonEmpty(rec.Name), nonEmpty(rec.Profile)
	s.State, s.Engine, s.Owner = rec.State, &rec.Engine, &rec.Owner
	s.CreatedAt, s.ExpiresAt, s.Operation, s.Hold = &rec.CreatedAt, rec.ExpiresAt, rec.Op, rec.Hold
	s.Ports = append(s.Ports, rec.Ports...)
	if s.Reason == nil && rec.State == sandboxer.StateFailed {
		s.Reason = nonEmpty(string(rec.Phase))
	}
	if rec.UpdatedAt.After(rec.CreatedAt) {
		s.LastActiveAt = &rec.UpdatedAt
	} else {
		s.LastActiveAt = &rec.CreatedAt
	}
}
