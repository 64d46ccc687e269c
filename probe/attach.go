package probe

import (
	"slices"
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
	name, _, _ = strings.Cut(name, ":") // services have tags
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
		return nil // a nonce comes with each copy that somebody commits
	}
	if t.Kind == sandboxer.KindPod && t.members == 0 {
		return o.ofPod(t)
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

// podPrefix is what podman-compose puts before a project's name for its pod.
const podPrefix = "pod_"

// ofPod returns the sandbox that a pod in which nothing is left is named after.
func (o owners) ofPod(t thing) *sandboxer.Sandbox {
	name, ok := strings.CutPrefix(t.Name, podPrefix)
	s := o.boxes[sandboxer.ID(name)]
	if rec := trusted(s); !ok || rec == nil || rec.Engine != t.Engine {
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
// no entry. An engine that is stopped, or closed to this user, is in none of
// them and spoils none: nothing the user does can change what it holds.
func (r *reading) objects(engines ...engine) {
	sets := sandboxer.ObjectSets{}
	spoilt := slices.ContainsFunc(engines, func(e engine) bool {
		closed := e.info.Status == sandboxer.EngineForbidden || e.info.Status == sandboxer.EngineDown
		return !closed && !e.source.Complete()
	})
	if !spoilt {
		for _, kind := range thingKinds {
			sets[kind] = []string{}
		}
		for _, e := range engines {
			for _, t := range e.things {
				kind, ok := thingKinds[t.Kind]
				if !ok {
					continue
				}
				sets[kind] = append(sets[kind], string(e.info.Name)+":"+t.Ref)
			}
		}
	}
	if len(r.mounts) > 0 {
		for _, m := range r.mounts {
			sets[sandboxer.Mounts] = append(sets[sandboxer.Mounts], m.point)
		}
		for _, path := range r.held { // which may be gone again, or be there by another path
			sets[sandboxer.Mounts] = append(sets[sandboxer.Mounts], r.self.root+"/"+path)
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
