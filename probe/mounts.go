package probe

import (
	"fmt"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/mountinfo"
)

// mountPresent is why something was not looked at: a mount there may hang.
const mountPresent = sandboxer.BlockMount

// readHeld reads what the script did not touch, and returns what is mounted
// there, by the name of an entry of the root, or the path of one of its trash.
// Lines are paths below the root, as the kernel escapes them, with two slashes
// for a backslash:
//
//	./canary-4k9x0q2m7t3b/.sandboxer
//	./my//040disk
//	./.trash/canary-4k9x0q2m7t3b.0f3a5c7e9b1d2468.1795553583/data
func (r *reading) readHeld() map[string]string {
	held := map[string]string{}
	for line := range strings.Lines(string(r.sections["mounts"].body)) {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "//", `\`)
		path, under := strings.CutPrefix(mountinfo.Unescape(line), "./")
		if !under || path == "" {
			continue
		}
		words := strings.SplitN(path, "/", 3)
		name := words[0]
		if isTrash(name) && len(words) > 1 {
			name += "/" + words[1]
		}
		if _, known := held[name]; !known {
			held[name] = path
		}
	}
	return held
}

// isTrash reports whether an entry of the root is what reaps keep things in.
func isTrash(name string) bool { return name == ".trash" || strings.HasPrefix(name, ".trash-") }

// mountedIn says what is mounted where, for a person.
func (r *reading) mountedIn(path string) string {
	return fmt.Sprintf("not looked at: something is mounted at %s", printable(r.self.root+"/"+path))
}

// heldTrash returns what is mounted on a whole trash, so that nobody knows what
// it holds, or "".
func (r *reading) heldTrash() string {
	for name, path := range r.held {
		if isTrash(name) {
			return path
		}
	}
	return ""
}

// heldBox returns what is mounted on what may be a sandbox, or "".
func (r *reading) heldBox() string {
	var paths []string
	for name, path := range r.held {
		if _, err := sandboxer.ParseID(name); err == nil {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return slices.Min(paths)
}
