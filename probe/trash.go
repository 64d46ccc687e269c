package probe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// trash reads what reaps have put out of the way. Lines are as stat prints
// them; an entry's name tells what it was, which operation took it, and until
// when it is kept, in seconds of the epoch:
//
//	41c0 1000 1000 1795467183 65024 71 3 4096 ./.trash/canary-4k9x0q2m7t3b.0f3a5c7e9b1d2468.1795553583
//	8180 1000 1000 1795467183 65024 73 1 812 ./.trash/canary-4k9x0q2m7t3b.0f3a5c7e9b1d2468.1795553583/.sandboxer/meta.json
//
// A name of another form was not made by a reap and is left alone.
func (r *reading) trash() []sandboxer.TrashEntry {
	all := []sandboxer.TrashEntry{}
	at := map[string]int{}
	uid := r.obs.Snapshot.Identity.UID
	for line := range bytes.Lines(r.sections["trash"].body) {
		f, name, ok := parseFact(bytes.TrimSuffix(line, []byte("\n")))
		entry, under := strings.CutPrefix(string(name), "./")
		if !ok || !under {
			continue
		}
		if box, is := strings.CutSuffix(entry, "/.sandboxer/meta.json"); is {
			if i, known := at[box]; known {
				all[i].SandboxID = new(sandboxer.ID(all[i].Ref))
			}
			continue
		}
		t, ok := trashEntry(entry)
		if !ok {
			continue
		}
		t.Path, t.TrashedAt = r.self.root+"/"+entry, written(time.Unix(f.ctime, 0))
		t.Device, t.Inode, t.Birth, t.IsDir, t.Own = f.dev, f.inode, f.birth, f.mode&modeType == modeDir, uid != nil && *uid == f.uid
		at[entry] = len(all)
		all = append(all, t)
	}
	for entry := range r.held {
		if t, ok := trashEntry(entry); ok {
			t.Path = r.self.root + "/" + entry
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b sandboxer.TrashEntry) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// trashEntry reads what the name of an entry says.
func trashEntry(entry string) (sandboxer.TrashEntry, bool) {
	_, name, below := strings.Cut(entry, "/")
	words := strings.Split(name, ".")
	if !below || len(words) != 3 {
		return sandboxer.TrashEntry{}, false
	}
	_, err := sandboxer.ParseRef(words[0])
	until, err2 := strconv.ParseInt(words[2], 10, 64)
	if err != nil || err2 != nil || !isOp(words[1]) || until < 0 {
		return sandboxer.TrashEntry{}, false
	}
	t := sandboxer.TrashEntry{Ref: words[0], Entry: entry}
	if until > 0 {
		t.KeptUntil = written(time.Unix(until, 0))
	}
	return t, true
}

// isOp reports whether a word has the form that operations have for a name: a
// directory that somebody put there, such as notes.v2.1, has not.
func isOp(word string) bool { return len(word) == 16 && strings.Trim(word, "0123456789abcdef") == "" }

// giveSizes adds what was measured, where it was. Lines are as du prints them:
//
//	8184	./canary-4k9x0q2m7t3b
func (r *reading) giveSizes() {
	s := r.sections["sizes"]
	if !s.whole {
		return
	}
	sizes := map[string]*int64{}
	for line := range strings.Lines(string(s.body)) {
		size, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		name, under := strings.CutPrefix(name, "./")
		if n, err := strconv.ParseInt(size, 10, 53); ok && under && err == nil && n >= 0 && n < 1<<43 {
			sizes[name] = new(n << 10)
		}
	}
	inv := &r.obs.Inventory
	for i := range inv.Sandboxes {
		inv.Sandboxes[i].SizeBytes = sizes[string(inv.Sandboxes[i].SandboxID)]
	}
	for i := range inv.Directories {
		inv.Directories[i].SizeBytes = sizes[inv.Directories[i].Name]
	}
	for i := range inv.Trash {
		inv.Trash[i].SizeBytes = sizes[inv.Trash[i].Entry]
	}
}
