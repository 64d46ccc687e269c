package probe

import sandboxer "github.com/tegwick/sand-boxer"

// directoriesSource says whether the root was read in full.
func (r *reading) directoriesSource(a archive) sandboxer.Source {
	s := sandboxer.Source{Name: "directories", Status: sandboxer.SourceComplete}
	tool := r.lacking()
	f, known := r.facts[r.self.root]
	switch {
	case !r.sections["self"].whole || r.facts == nil || !a.whole && tool == "":
		s.Status = truncated
	case tool != "":
		s.Status, s.Detail = parseError, new("the host has no "+tool)
	case !r.self.there || r.self.dangling:
		s.Status = sandboxer.SourceAbsent
	case !known:
		s.Status = truncated
	case !r.sections["unclaimed"].whole:
		if f.mode&modeType == modeDir || f.mode&modeType == modeLink {
			s.Status, s.Detail = "forbidden", new("the root cannot be entered")
		} else {
			s.Status = sandboxer.SourceAbsent // no directory
		}
	case !r.self.readable:
		s.Status, s.Detail = "forbidden", new("the root cannot be read")
	case r.cut("trash"):
		s.Status = truncated
	case r.heldTrash() != "":
		s.Status, s.Detail = mountPresent, new(r.mountedIn(r.heldTrash()))
	}
	return s
}

// cut reports whether a section was begun and not ended. One that was not even
// begun leaves others out, too.
func (r *reading) cut(name string) bool {
	s, begun := r.sections[name]
	return begun && !s.whole
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
	} else if path := r.heldBox(); path != "" {
		s.Status, s.Detail = mountPresent, new(r.mountedIn(path))
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
