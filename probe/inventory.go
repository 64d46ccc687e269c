package probe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	inv.Trash = r.trash()
	r.giveSizes()
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
	r.cost(engines)
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
	case r.self.home != "" && strings.HasPrefix(r.self.home+"/", r.self.root+"/"):
		return sandboxer.RootHome
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
