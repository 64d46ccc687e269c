package probe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// inventory joins what was found of each sandbox: its directory, its records,
// what the engines hold, and the process it left a note of.
func (r *reading) inventory(engines ...engine) {
	inv := &r.obs.Inventory
	inv.Root, inv.RootState = r.self.root, r.rootState()
	a := r.archive()
	r.entries = r.readEntries()
	j := joiner{
		reading: r, archive: a, processes: r.runningProcesses(a), locks: r.locks(),
		boxes: map[sandboxer.ID]*sandboxer.Sandbox{}, ports: map[sandboxer.ID][]sandboxer.Port{},
	}
	ids := slices.Sorted(maps.Keys(j.ids()))
	inv.Sandboxes = make([]sandboxer.Sandbox, len(ids))
	for i, id := range ids {
		inv.Sandboxes[i] = j.sandbox(id)
		j.boxes[id] = &inv.Sandboxes[i]
	}
	j.attach(engines)
	for i := range inv.Sandboxes {
		j.finish(&inv.Sandboxes[i])
	}
	inv.Directories = j.directories()
	inv.ComposeProjects = j.projects(engines)
	slices.SortFunc(inv.Leftovers, compareResources)
	if inv.Leftovers == nil {
		inv.Leftovers = []sandboxer.Resource{}
	}
	inv.Sources = []sandboxer.Source{r.directoriesSource(a), r.registrySource(a)}
	for _, e := range engines {
		inv.Sources = append(inv.Sources, e.source)
	}
	inv.Sources = append(inv.Sources, r.processesSource(a))
	inv.Complete = !slices.ContainsFunc(inv.Sources, func(s sandboxer.Source) bool { return !s.Complete() })
	r.obs.Report = a.report
	if a.destroyed != nil {
		if rec, err := sandboxer.ParseRecord(a.destroyed); err == nil && rec.SandboxID == r.sandbox {
			r.obs.Destroyed = rec
		} else {
			r.warn("the record of the destroyed sandbox " + string(r.sandbox) + " cannot be read")
		}
	}
}

func compareResources(a, b sandboxer.Resource) int {
	return cmp.Or(cmp.Compare(a.Engine, b.Engine), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Name, b.Name))
}

func comparePorts(a, b sandboxer.Port) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ContainerPort, b.ContainerPort),
		cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
}

// rootState judges the directory that holds the sandboxes.
func (r *reading) rootState() sandboxer.RootState {
	f, known := r.facts[r.self.root]
	uid := r.obs.Snapshot.Identity.UID
	switch {
	case r.self.link != "":
		r.warn(fmt.Sprintf("root %s: %s is a symbolic link", r.self.root, r.self.link))
		return sandboxer.RootSymlink
	case r.self.exists != nil && !r.self.there:
		return sandboxer.RootAbsent
	case !known || uid == nil:
		return ""
	case f.mode&modeType != modeDir:
		return sandboxer.RootNotDir
	case f.uid == 0 && f.mode&0o7777 == 0o1777:
		return sandboxer.RootOK // shared by several users
	case f.uid != *uid:
		r.warn(fmt.Sprintf("root %s: belongs to uid %d", r.self.root, f.uid))
		return sandboxer.RootForeign
	case !r.self.readable:
		return sandboxer.RootUnreadable
	case f.mode&0o022 != 0:
		r.warn(fmt.Sprintf("root %s: others may write to it", r.self.root))
		return sandboxer.RootWritable
	}
	return sandboxer.RootOK
}

// locks returns the inodes on which somebody holds an flock, by device and
// inode as /proc/locks has them; nil where that cannot be read.
//
//	1: FLOCK  ADVISORY  WRITE 708 00:16:22 0 EOF
//	1: -> FLOCK  ADVISORY  WRITE 718 00:16:22 0 EOF
func (r *reading) locks() map[string]bool {
	if s := r.sections["proc"]; !s.whole || !r.self.opens["/proc/locks"] {
		return nil
	}
	held := map[string]bool{}
	for line := range strings.Lines(r.files["/proc/locks"]) {
		words := strings.Fields(line)
		if len(words) < 6 || words[1] != "FLOCK" {
			continue
		}
		var major, minor uint64
		var inode int64
		if _, err := fmt.Sscanf(words[5], "%x:%x:%d", &major, &minor, &inode); err == nil {
			held[fmt.Sprintf("%d:%d:%d", major, minor, inode)] = true
			held[fmt.Sprintf("btrfs:%d", inode)] = true
		}
	}
	return held
}

// locked reports whether an operation holds the sandbox. A lock file that is
// not there is not locked.
func (j *joiner) locked(id sandboxer.ID) *bool {
	if j.locks == nil || j.facts == nil {
		return nil
	}
	name := j.self.state + "/locks/" + string(id)
	f, ok := j.facts[name]
	if !ok {
		return new(false)
	}
	if j.locks[fmt.Sprintf("%s:%d", deviceID(f.dev), f.inode)] {
		return new(true)
	}
	// The kernel names btrfs's own device here, and stat a subvolume's.
	m := mountOf(j.mounts, name)
	return new(m != nil && m.fstype == "btrfs" && j.locks[fmt.Sprintf("btrfs:%d", f.inode)])
}

// An entry is one name directly under the root.
type entry struct {
	fact
	known     bool // the fact is
	unclaimed bool // a directory without metadata
	change    *time.Time
}

// readEntries returns what is under the root, by name.
func (r *reading) readEntries() map[string]entry {
	entries := map[string]entry{}
	for name, f := range r.facts {
		if base, ok := strings.CutPrefix(name, "./"); ok && isSafe(base) {
			e := entry{fact: f, known: true}
			if e.kind() != "directory" {
				e.change = new(time.Unix(f.ctime, 0).UTC())
			}
			entries[base] = e
		}
	}
	newest := r.walked()
	for line := range strings.Lines(string(r.sections["unclaimed"].body)) {
		name := strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "./")
		if e, ok := entries[name]; ok {
			e.unclaimed, e.change = true, newest[name]
			entries[name] = e
		}
	}
	for _, o := range parseOdd(r.sections["odd"].body) {
		e := entry{fact: o.fact, known: o.known}
		if e.known && e.kind() != "directory" {
			e.change = new(time.Unix(o.ctime, 0).UTC())
		}
		entries[o.name] = e
	}
	return entries
}

func isSafe(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// maxWalk is the number of bytes after which the script ends its walk.
const maxWalk = 1_000_000

// walked returns the newest change in each directory that was walked to its
// end. Lines are of the form
//
//	1795467183 41ed 0 ./fake99/data
//
// A file whose name holds a line end can forge one, which makes a directory
// look younger, and so protects it.
func (r *reading) walked() map[string]*time.Time {
	newest := map[string]*time.Time{}
	s := r.sections["walk"]
	if !s.whole {
		return newest
	}
	uid := r.obs.Snapshot.Identity.UID
	last := ""
	closed := map[string]bool{}
	for line := range strings.Lines(string(s.body)) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(words) != 4 || !strings.HasPrefix(words[3], "./") {
			continue
		}
		f, _, ok := parseFact([]byte(words[1] + " " + words[2] + " 0 " + words[0] + " 0 0 0 0 -"))
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(words[3][2:], "/")
		last = name
		others := f.mode&0o5 == 0o5
		if f.mode&modeType == modeDir && (uid == nil || *uid != 0 && f.uid != *uid && !others) {
			closed[name] = true // it could not be looked into
		}
		at := time.Unix(f.ctime, 0).UTC()
		if have := newest[name]; have == nil || have.Before(at) {
			newest[name] = &at
		}
	}
	if len(s.body) >= maxWalk {
		closed[last] = true
	}
	for name := range closed {
		delete(newest, name)
	}
	return newest
}

// An oddEntry is one whose name is not safe as a line.
type oddEntry struct {
	fact
	name  string
	known bool
}

// parseOdd reads what find printed with -print0 and, from time to time, stat
// about the same names in the same order:
//
//	./A B\0./new\nline\041ed 0 0 1795467183 65024 2 21 4096 ./A B\n41ed ... ./new\nline\n
//
// The names come first, so that no name can pass for a line of stat's.
func parseOdd(body []byte) []oddEntry {
	var all []oddEntry
	next := 0 // first of those that stat has not answered for
	for text := string(body); text != ""; {
		if name, rest, ok := strings.Cut(text, "\x00"); ok && strings.HasPrefix(text, "./") {
			all = append(all, oddEntry{name: name[2:]})
			text = rest
			continue
		}
		f, after, ok := parseFact([]byte(text))
		if !ok {
			return all
		}
		rest := string(after)
		for next < len(all) && !strings.HasPrefix(rest, "./"+all[next].name+"\n") {
			next++ // gone before stat came to it
		}
		if next == len(all) {
			return all
		}
		all[next].fact, all[next].known = f, true
		text = rest[len("./")+len(all[next].name)+1:]
		next++
	}
	return all
}
