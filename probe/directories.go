package probe

import (
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

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
			d.Device, d.Inode, d.Birth = e.dev, e.inode, e.birth
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

// An entry is one name directly under the root.
type entry struct {
	fact
	known     bool // the fact is
	unclaimed bool // a directory without metadata
	change    *time.Time
	mount     string // what is mounted there, so that it was not looked at; a path below the root
}

// readEntries returns what is under the root, by name.
func (r *reading) readEntries() map[string]entry {
	entries := map[string]entry{}
	for name, f := range r.facts {
		if base, ok := strings.CutPrefix(name, "./"); ok && isSafe(base) {
			e := entry{fact: f, known: true}
			if e.kind() != "directory" {
				e.change = written(time.Unix(f.ctime, 0))
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
			e.change = written(time.Unix(o.ctime, 0))
		}
		entries[o.name] = e
	}
	for name, mount := range r.held {
		if !isTrash(strings.SplitN(name, "/", 2)[0]) {
			entries[name] = entry{mount: mount}
		}
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
		at := written(time.Unix(f.ctime, 0))
		if at == nil {
			closed[name] = true
			continue
		}
		if have := newest[name]; have == nil || have.Before(*at) {
			newest[name] = at
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
