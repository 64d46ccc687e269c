package probe

import (
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// trusted returns the record that resources are compared with, or nil.
func trusted(s *sandboxer.Sandbox) *sandboxer.Record {
	if s == nil || s.Metadata == sandboxer.RecordMismatch {
		return nil
	}
	if s.Metadata != sandboxer.RecordOK && s.Registry != sandboxer.RecordOK {
		return nil
	}
	return s.Evidence.Record
}

// An owners index tells whose an engine's thing is.
type owners struct {
	boxes    map[sandboxer.ID]*sandboxer.Sandbox
	recorded map[string]sandboxer.ID // by engine, kind and ref
	images   map[string]string       // nonce labels of images, by full id
}

func recordKey(engine sandboxer.Engine, kind sandboxer.ResourceKind, ref string) string {
	return string(engine) + " " + string(kind) + " " + ref
}

// attach gives each thing to its sandbox. What has our labels, or an image
// name of ours, and is proven nobody's, is a leftover.
func (j *joiner) attach(engines []engine) {
	o := owners{boxes: j.boxes, recorded: map[string]sandboxer.ID{}, images: map[string]string{}}
	for id, s := range j.boxes {
		if rec := trusted(s); rec != nil {
			for _, ref := range rec.Resources {
				o.recorded[recordKey(rec.Engine, ref.Kind, ref.Ref)] = id
			}
		}
	}
	for _, e := range engines {
		clear(o.images)
		for _, t := range e.things {
			if t.Kind == sandboxer.KindImage && t.Nonce != "" {
				o.images[t.Ref] = t.Nonce
			}
		}
		for _, t := range e.things {
			switch s := o.of(t); {
			case s != nil:
				j.give(s, t)
			case t.SandboxID != nil || imageOf(t) != "":
				j.obs.Inventory.Leftovers = append(j.obs.Inventory.Leftovers, t.Resource)
			}
		}
	}
	for id, p := range j.processes {
		if s := j.boxes[id]; trusted(s) != nil {
			s.Resources = append(s.Resources, p)
			s.LastActiveAt = later(s.LastActiveAt, p.StartedAt)
		}
	}
}

// imagePrefix is what the name of every sandbox's own image begins with.
const imagePrefix = "localhost/sandboxer/"

// imageOf returns the sandbox that an image is named after, or "".
func imageOf(t thing) sandboxer.ID {
	name, ok := strings.CutPrefix(t.Name, imagePrefix)
	id, err := sandboxer.ParseID(name)
	if t.Kind != sandboxer.KindImage || !ok || err != nil {
		return ""
	}
	return id
}

// of returns the sandbox that t is proven to belong to, or nil: its record
// names t, or t bears the record's nonce. A container that took the nonce from
// its image proves nothing by it, since anybody may have started it.
func (o owners) of(t thing) *sandboxer.Sandbox {
	if id, ok := o.recorded[recordKey(t.Engine, t.Kind, t.Ref)]; ok {
		return o.boxes[id]
	}
	if t.Kind == sandboxer.KindImage {
		if id, ok := o.recorded[recordKey(t.Engine, t.Kind, t.Name)]; ok {
			return o.boxes[id]
		}
		if s := o.boxes[imageOf(t)]; trusted(s) != nil && trusted(s).Engine == t.Engine {
			return s
		}
	}
	if t.SandboxID == nil || t.Nonce == "" {
		return nil
	}
	s := o.boxes[*t.SandboxID]
	rec := trusted(s)
	inherited := t.Kind == sandboxer.KindContainer && t.image != "" && o.images[t.image] == t.Nonce
	if rec == nil || rec.Engine != t.Engine || rec.Nonce != t.Nonce || inherited {
		return nil
	}
	return s
}

// give adds t to s. What the engine publishes now stands before what was
// published when the sandbox was made.
func (j *joiner) give(s *sandboxer.Sandbox, t thing) {
	s.Resources = append(s.Resources, t.Resource)
	s.LastActiveAt = later(later(s.LastActiveAt, t.StartedAt), t.EndedAt)
	if len(t.ports) > 0 {
		j.ports[s.SandboxID] = append(j.ports[s.SandboxID], t.ports...)
	}
}

// finish puts what was collected for s in order.
func (j *joiner) finish(s *sandboxer.Sandbox) {
	if ports := j.ports[s.SandboxID]; len(ports) > 0 {
		s.Ports = ports
	}
	slices.SortFunc(s.Ports, comparePorts)
	s.Ports = slices.Compact(s.Ports)
	slices.SortFunc(s.Resources, compareResources)
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// runningProcesses returns the processes that the process engine started and
// that still run, by sandbox. A note is of the form "PID STARTTIME"; the start
// time tells a process from a later one of the same number. proc_pid_stat(5):
//
//	708 (name (any) bytes) S 1 708 708 0 -1 4194560 ...
func (r *reading) runningProcesses(a archive) map[sandboxer.ID]sandboxer.Resource {
	found := map[sandboxer.ID]sandboxer.Resource{}
	for id, note := range a.process {
		pid, start, ok := strings.Cut(strings.TrimSpace(string(note.data)), " ")
		if !ok || parseInt(pid) == nil || parseInt(start) == nil {
			continue
		}
		text := r.files["/proc/"+pid+"/stat"]
		left, right := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		if left < 0 || right < left {
			continue
		}
		words := strings.Fields(text[right+1:]) // from the third on
		if len(words) < 20 || words[19] != start || words[0] == "Z" || words[0] == "X" {
			continue
		}
		found[id] = sandboxer.Resource{
			Engine: sandboxer.EngineProcess, Kind: sandboxer.KindProcess, Ref: pid + ":" + start,
			Name: strings.ToValidUTF8(text[left+1:right], "?"), State: new("running"), SandboxID: new(id),
			StartedAt: r.startedAt(start),
		}
	}
	return found
}

// startedAt turns a process's start, in USER_HZ since boot, into a time.
func (r *reading) startedAt(ticks string) *time.Time {
	boot, n := r.obs.Snapshot.Identity.BootAt, parseInt(ticks)
	if boot == nil || n == nil {
		return nil
	}
	return new(boot.Add(time.Duration(*n) * (time.Second / 100)))
}

// projects returns the compose projects, sandboxer's or not.
func (j *joiner) projects(engines []engine) []sandboxer.ComposeProject {
	list := []sandboxer.ComposeProject{}
	for _, e := range engines {
		at := map[string]int{}
		for _, t := range e.things {
			if t.Project == "" || t.Kind == sandboxer.KindImage {
				continue
			}
			i, ok := at[t.Project]
			if !ok {
				i = len(list)
				at[t.Project] = i
				list = append(list, sandboxer.ComposeProject{Engine: e.info.Name, Name: t.Project, Services: []string{}})
			}
			list[i].SandboxID = j.sandboxOf(t.Project, e.info.Name)
			addToProject(&list[i], t)
		}
	}
	for i := range list {
		slices.Sort(list[i].Services)
		list[i].Services = slices.Compact(list[i].Services)
	}
	slices.SortFunc(list, func(a, b sandboxer.ComposeProject) int {
		if a.Engine != b.Engine {
			return strings.Compare(string(a.Engine), string(b.Engine))
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

func addToProject(p *sandboxer.ComposeProject, t thing) {
	if t.workingDir != "" && p.WorkingDir == nil {
		p.WorkingDir = new(t.workingDir)
	}
	switch t.Kind {
	case sandboxer.KindContainer:
		p.ContainersTotal++
		if *t.State == "running" {
			p.ContainersRunning++
		}
		if t.Service != nil {
			p.Services = append(p.Services, *t.Service)
		}
	case sandboxer.KindNetwork:
		p.NetworksTotal++
	case sandboxer.KindVolume:
		p.VolumesTotal++
	}
}

// sandboxOf returns the sandbox that owns part of the project of that name.
func (j *joiner) sandboxOf(project string, engine sandboxer.Engine) *sandboxer.ID {
	s := j.boxes[sandboxer.ID(project)]
	if s == nil {
		return nil
	}
	for _, res := range s.Resources {
		if res.Engine == engine && res.Project == project {
			return &s.SandboxID
		}
	}
	return nil
}

// thingKinds pairs what an engine holds with the sets of a
// snapshot.
var thingKinds = map[sandboxer.ResourceKind]sandboxer.ObjectKind{
	sandboxer.KindContainer: sandboxer.Containers, sandboxer.KindNetwork: sandboxer.Networks,
	sandboxer.KindVolume: sandboxer.Volumes, sandboxer.KindImage: sandboxer.Images,
}

// objects fills in the sets of identities. One that was not read in full has
// no entry.
func (r *reading) objects(engines ...engine) {
	sets := sandboxer.ObjectSets{}
	answered := !slices.ContainsFunc(engines, func(e engine) bool { return !e.source.Complete() })
	if answered {
		for _, kind := range thingKinds {
			sets[kind] = []string{}
		}
		for _, e := range engines {
			for _, t := range e.things {
				kind := thingKinds[t.Kind]
				sets[kind] = append(sets[kind], string(e.info.Name)+":"+t.Ref)
			}
		}
	}
	if len(r.mounts) > 0 {
		for _, m := range r.mounts {
			sets[sandboxer.Mounts] = append(sets[sandboxer.Mounts], m.point)
		}
	}
	tcp6 := !r.self.exists["/proc/net/tcp6"] || r.self.opens["/proc/net/tcp6"]
	if r.sections["proc"].whole && r.self.opens["/proc/net/tcp"] && tcp6 {
		sets[sandboxer.Ports] = r.listening()
	}
	inv := &r.obs.Inventory
	if inv.Source("directories").Complete() {
		sets[sandboxer.Directories] = []string{}
		for name := range r.entries {
			sets[sandboxer.Directories] = append(sets[sandboxer.Directories], inv.Root+"/"+name)
		}
	}
	if inv.Source("processes").Complete() {
		sets[sandboxer.Processes] = []string{}
		for _, s := range inv.Sandboxes {
			for _, res := range s.Resources {
				if res.Kind == sandboxer.KindProcess {
					sets[sandboxer.Processes] = append(sets[sandboxer.Processes], res.Ref)
				}
			}
		}
	}
	for kind := range sets {
		slices.Sort(sets[kind])
		sets[kind] = slices.Compact(sets[kind])
	}
	r.obs.Snapshot.Objects = sets
}

// directories returns the entries of the root that no sandbox accounts for.
func (j *joiner) directories() []sandboxer.Directory {
	list := []sandboxer.Directory{}
	uid := j.obs.Snapshot.Identity.UID
	for name, e := range j.entries {
		if j.boxes[sandboxer.ID(name)] != nil {
			continue
		}
		shown := printable(name)
		d := sandboxer.Directory{Name: shown, Path: j.self.root + "/" + shown, Kind: "other", LastChange: e.change}
		if e.known {
			d.Kind, d.OwnerUID = e.kind(), new(e.uid)
			d.Own = uid != nil && *uid == e.uid
		}
		_, err := sandboxer.ParseRef(name)
		d.ValidID = err == nil
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b sandboxer.Directory) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// printable escapes the bytes of a name that are not UTF-8.
func printable(name string) string {
	if name == strings.ToValidUTF8(name, "") {
		return name
	}
	var b strings.Builder
	for i, r := range name {
		if r == '\uFFFD' && !strings.HasPrefix(name[i:], "\uFFFD") {
			b.WriteString(`\x` + strconv.FormatUint(uint64(name[i])|0x100, 16)[1:])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// directoriesSource says whether the root was read in full.
func (r *reading) directoriesSource(a archive) sandboxer.Source {
	s := sandboxer.Source{Name: "directories", Status: sandboxer.SourceComplete}
	tool := r.lacking()
	switch {
	case !r.sections["self"].whole || r.facts == nil || !a.whole && tool == "":
		s.Status = truncated
	case tool != "":
		s.Status, s.Detail = parseError, new("the host has no "+tool)
	case !r.self.there || r.self.dangling:
		s.Status = sandboxer.SourceAbsent
	case !r.sections["unclaimed"].whole:
		f := r.facts[r.self.root]
		if f.mode&modeType == modeDir || f.mode&modeType == modeLink {
			s.Status, s.Detail = "forbidden", new("the root cannot be entered")
		} else {
			s.Status = sandboxer.SourceAbsent // no directory
		}
	case !r.self.readable:
		s.Status, s.Detail = "forbidden", new("the root cannot be read")
	}
	return s
}

// registrySource says whether the records outside the root were read in full.
func (r *reading) registrySource(a archive) sandboxer.Source {
	s := sandboxer.Source{Name: "registry", Status: sandboxer.SourceComplete}
	tool := r.lacking()
	switch {
	case r.sections["self"].whole && r.self.home == "":
		s.Status, s.Detail = parseError, new("HOME is not set")
	case tool != "":
		s.Status, s.Detail = parseError, new("the host has no "+tool)
	case !a.whole || r.facts == nil:
		s.Status = truncated
	}
	return s
}

// maxNotes is how many notes of processes the script follows.
const maxNotes = 5000

// processesSource says whether every note of a process could be followed.
func (r *reading) processesSource(a archive) sandboxer.Source {
	s := sandboxer.Source{Name: "processes", Status: sandboxer.SourceComplete}
	if !a.whole || !r.sections["proc"].whole || r.self.notes > maxNotes {
		s.Status = truncated
	}
	return s
}

// lacking returns a tool without which no sandbox can be read, if the host
// lacks one.
func (r *reading) lacking() string {
	for _, tool := range []string{"find", "stat", "tar"} {
		if there, known := r.self.tools[tool]; known && !there {
			return tool
		}
	}
	return ""
}
