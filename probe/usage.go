package probe

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// noGroup is SandboxCost.Source where no control group was read.
const noGroup = "none"

// cost says what the sandbox that was asked for has used.
func (r *reading) cost(engines []engine) {
	s := r.obs.Inventory.Find(r.sandbox)
	if s == nil || s.SandboxID != r.sandbox {
		return
	}
	b := newBill()
	r.obs.Cost = b.cost
	whole := absent
	for _, e := range engines {
		if s.Engine == nil || *s.Engine != e.info.Name {
			continue
		}
		if !e.source.Complete() {
			whole = e.reason()
		}
		groups := r.groups(string(e.info.Name) + "_usage")
		for _, t := range e.things {
			if t.Kind == sandboxer.KindContainer && slices.ContainsFunc(s.Resources, t.same) {
				b.add(t, groups)
			}
		}
	}
	if s.Engine != nil && *s.Engine == sandboxer.EngineProcess {
		whole = unsupported
	}
	b.sum(whole)
}

func (t thing) same(other sandboxer.Resource) bool {
	return t.Engine == other.Engine && t.Kind == other.Kind && t.Ref == other.Ref
}

// A bill adds up what the containers of a sandbox have used.
type bill struct {
	cost *sandboxer.SandboxCost
	why  []reasons // for each container, why its figures are unknown
}

func newBill() bill {
	return bill{cost: &sandboxer.SandboxCost{Source: noGroup, Containers: []sandboxer.ContainerCost{}, Missing: []sandboxer.Missing{}}}
}

// add adds a container, whose group is found by its id.
func (b *bill) add(t thing, groups controlGroups) {
	c := sandboxer.ContainerCost{Ref: t.Ref, Name: t.Name, Service: t.Service}
	why := reasons{}
	found := groups.of(t.Ref)
	for _, g := range found {
		g.fill(&c.Usage, why)
		if b.cost.Source != cgroupV1 { // beside it, version 2 has none of the controllers
			b.cost.Source = g.version()
		}
	}
	reason := unsupported // the kernel has no such file
	switch {
	case len(found) > 0:
	case groups.unread != "":
		reason = groups.unread
	case !groups.has[t.pid]: // it has ended
		reason = absent
	}
	for _, f := range figures(&c.Usage) {
		if f.isNil() {
			why.add(reason, f.name)
		} else {
			delete(why, f.name) // another group knew better
		}
	}
	b.cost.Containers = append(b.cost.Containers, c)
	b.why = append(b.why, why)
}

// fill sets the figures that are not known yet, and notes those that make no
// sense.
func (g controlGroup) fill(u *sandboxer.Usage, why reasons) {
	all := figures(u)
	for _, s := range groupSources {
		f := all[slices.IndexFunc(all, func(f figure) bool { return f.name == s.figure })]
		n, there := g.value(s)
		switch {
		case !there || !f.isNil():
		case n == nil:
			why.add(parseError, f.name)
		default:
			f.add(float64(*n) / s.parts)
		}
	}
}

// sum fills in the sums and lists what is missing; of no containers, that is
// all of it, for the reason given.
func (b *bill) sum(reason string) {
	c := b.cost
	why := reasons{}
	for i, total := range figures(&c.Usage) {
		for n := range c.Containers {
			f := figures(&c.Containers[n].Usage)[i]
			if f.isNil() {
				why.add(b.why[n][f.name], f.name)
				continue
			}
			total.add(f.number())
		}
		if !total.isNil() && total.number() > maxCount {
			why.add(parseError, total.name)
		}
		if len(c.Containers) == 0 {
			why.add(reason, total.name)
		}
		if why[total.name] != "" {
			total.unset()
		}
	}
	b.list("sandbox", why)
	for n, why := range b.why {
		b.list(fmt.Sprintf("sandbox.containers[%d]", n), why)
	}
}

// list lists the figures that are unknown at a path: that alone, where all are
// for one reason.
func (b *bill) list(at string, why reasons) {
	var rows []sandboxer.Missing
	same := true
	for _, f := range figures(new(sandboxer.Usage)) {
		if reason := why[f.name]; reason != "" {
			rows = append(rows, sandboxer.Missing{Field: at + "." + f.name, Reason: reason})
			same = same && reason == rows[0].Reason
		}
	}
	if same && len(rows) == reflect.TypeFor[sandboxer.Usage]().NumField() {
		rows = []sandboxer.Missing{{Field: at, Reason: rows[0].Reason}}
	}
	b.cost.Missing = append(b.cost.Missing, rows...)
}

// A figure is one number of a Usage, by its name in JSON.
type figure struct {
	name  string
	value reflect.Value
}

func figures(u *sandboxer.Usage) []figure {
	v := reflect.ValueOf(u).Elem()
	all := make([]figure, v.NumField())
	for i := range all {
		all[i] = figure{v.Type().Field(i).Tag.Get("json"), v.Field(i)}
	}
	return all
}

func (f figure) isNil() bool { return f.value.IsNil() }
func (f figure) unset()      { f.value.SetZero() }

// number is the figure's, which must be known. No count is too large for it.
func (f figure) number() float64 {
	if n, ok := f.value.Interface().(*int64); ok {
		return float64(*n)
	}
	return f.value.Elem().Float()
}

// add adds to a figure, of which nothing was known before or some. Six decimals
// keep what the kernel counts and drop what binary floating point adds to it.
func (f figure) add(n float64) {
	if f.isNil() {
		f.value.Set(reflect.New(f.value.Type().Elem()))
	}
	switch at := f.value.Interface().(type) {
	case *int64:
		*at += int64(n)
	case *float64:
		*at = math.Round((*at+n)*1e6) / 1e6
	}
}

// controlGroups are the control groups of a sandbox's containers.
type controlGroups struct {
	groups []controlGroup
	has    map[int64]bool // processes that are in some control group
	unread string         // why nothing of it is known; empty: it is
}

// of returns the groups of the container with that id: on version 1, one in
// each hierarchy.
func (c controlGroups) of(id string) []controlGroup {
	var found []controlGroup
	for _, g := range c.groups {
		if id != "" && strings.Contains(g.dir, id) {
			found = append(found, g)
		}
	}
	return found
}

func (r *reading) groups(name string) controlGroups {
	s, begun := r.sections[name]
	switch {
	case s.whole:
		return parseGroups(string(s.body))
	case !begun && r.sections["all"].whole:
		return controlGroups{unread: absent}
	}
	return controlGroups{unread: truncated}
}

// parseGroups reads what grep -H printed of /proc/PID/cgroup and of the files
// of the groups that were found by it:
//
//	/proc/self/mountinfo:35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
//	/proc/4021/cgroup:4:memory:/docker/5f1c
//	/sys/fs/cgroup/memory/docker/5f1c/memory.usage_in_bytes:209862656
//
// The path of a group may hold colons, the name of a file does not.
func parseGroups(text string) controlGroups {
	c := controlGroups{has: map[int64]bool{}}
	at := map[string]int{} // of groups, by directory
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "/proc/"); ok {
			pid, _, _ := strings.Cut(rest, "/cgroup:")
			if n := parseInt(pid); n != nil {
				c.has[*n] = true
			}
			continue
		}
		dir, file, content, ok := cutGroupFile(strings.TrimSuffix(line, "\n"))
		if !ok {
			continue
		}
		i, known := at[dir]
		if !known {
			i = len(c.groups)
			at[dir] = i
			c.groups = append(c.groups, controlGroup{dir: dir, files: map[string][]string{}})
		}
		c.groups[i].files[file] = append(c.groups[i].files[file], content)
	}
	return c
}

func cutGroupFile(line string) (dir, file, content string, ok bool) {
	for from := 0; ; {
		i := strings.IndexByte(line[from:], ':')
		if i < 0 {
			return "", "", "", false
		}
		from += i + 1
		path := line[:from-1]
		if slash := strings.LastIndexByte(path, '/'); slash > 0 && isGroupFile(path[slash+1:]) {
			return path[:slash], path[slash+1:], line[from:], true
		}
	}
}

// reason is why what an engine has not said is unknown.
func (e *engine) reason() string {
	switch e.info.Status {
	case sandboxer.EngineAbsent, sandboxer.EngineUnused, sandboxer.EngineDown:
		return absent
	case sandboxer.EngineForbidden:
		return permission
	}
	return e.source.Status
}
