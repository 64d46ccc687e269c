package probe

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/onhost"
)

// A request is what the parser must know of the question.
type request struct {
	nonce   string
	root    string // as it was asked for
	sandbox sandboxer.ID
	sudo    bool     // the engines were asked through sudo
	early   *archive // what the records were, if the answer is without them
}

// A reading is one answer while it is being parsed.
type reading struct {
	request
	sections map[string]section
	self     self
	uid      *int64            // as id(1) says it
	files    map[string]string // content by path, of what grep read
	mounts   []mount
	facts    map[string]fact   // by path, as the script named it
	held     map[string]string // what is mounted at a name that was not looked at
	entries  map[string]entry  // of the root, by name
	why      reasons
	obs      sandboxer.Observation
}

// parse makes an observation of what the script printed. Whatever it cannot
// find or read is unknown, and Collection.Missing says why. It never fails: of
// an empty answer everything is unknown.
func parse(out []byte, req request) sandboxer.Observation {
	r := &reading{request: req, sections: split(out, req.nonce), files: map[string]string{}, why: reasons{}}
	r.readSelf()
	r.readFiles("proc")
	r.readFacts()
	r.held = r.readHeld()
	r.mounts = parseMounts(r.files["/proc/self/mountinfo"])

	r.clock()
	r.identity()
	r.machine()
	r.filesystems()
	docker := r.docker()
	podman := r.podman()
	r.obs.Snapshot.Engines = []sandboxer.EngineInfo{docker.info, podman.info, {
		Name: sandboxer.EngineProcess, Status: sandboxer.EngineOK, ComposeTools: []string{},
	}}
	r.why.add(unsupported, fieldPath(2)+".*") // nothing to ask
	r.dockerRoot(docker.info)
	r.inventory(docker, podman)
	r.objects(docker, podman)
	r.hostFacts(docker)

	c := &r.obs.Snapshot.Collection
	c.ScriptVersion = new(scriptVersion())
	c.Bytes = new(int64(len(out)))
	c.Missing = r.missing()
	c.Partial = r.partial(c.Missing)
	if c.Warnings == nil {
		c.Warnings = []string{}
	}
	return r.obs
}

// section returns a section that is whole. For one that is not, it notes why
// the fields named are unknown.
func (r *reading) section(name string, fields ...string) (section, bool) {
	s, begun := r.sections[name]
	if s.whole {
		return s, true
	}
	if !begun && r.sections["all"].whole {
		r.why.add(absent, fields...)
	} else {
		r.why.add(truncated, fields...)
	}
	return s, false
}

func (r *reading) warn(text string) {
	r.obs.Snapshot.Collection.Warnings = append(r.obs.Snapshot.Collection.Warnings, text)
}

// self is what the script said of itself and of what it found its way by, as
// lines of a word and a value.
type self struct {
	home, root     string
	state          string // where records, locks and the audit log are
	there          bool   // the root exists
	dangling       bool   // it is a symbolic link to nothing
	link           string // a symbolic link in the root's path
	readable       bool
	docker, podman string // how they are asked, or why not
	storage        string // podman's
	led            string // where a variable leads podman's client, if one does
	runtime        string // XDG_RUNTIME_DIR, if it is set or was found
	dockerHost     string // where docker's client is told to look
	plugin         bool   // docker's compose plugin is installed
	processes      *int64
	notes          int64 // of the process engine
	boxes          bool  // there may be sandboxes, so their containers are inspected
	tools          map[string]bool
	exists, opens  map[string]bool
	roles          []role
}

type role struct{ name, path string }

func (r *reading) readSelf() {
	s, ok := r.section("self", "limits.processes_count")
	r.self.root = r.root
	if !ok {
		return
	}
	r.self.tools, r.self.exists, r.self.opens = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, tool := range probedTools {
		r.self.tools[tool] = false
	}
	for line := range strings.Lines(string(s.body)) {
		word, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "home":
			r.self.home = value
			r.self.state = value + "/.local/state/sandboxer"
		case "root":
			r.self.root = value
		case "there":
			r.self.there, r.self.dangling = value != "", value == "dangling"
		case "readable":
			r.self.readable = value != ""
		case "link":
			r.self.link = value
		case "docker":
			r.self.docker = value
		case "podman":
			r.self.podman = value
		case "storage":
			r.self.storage = value
		case "led":
			r.self.led = value
		case "runtime":
			r.self.runtime = value
		case "docker_host":
			r.self.dockerHost = value
		case "compose":
			r.self.plugin = true
		case "notes":
			if n := parseInt(value); n != nil {
				r.self.notes = *n
			}
		case "boxes":
			r.self.boxes = value != "0"
		case "processes":
			r.self.processes = parseInt(value)
		case "tool":
			r.self.tools[value] = true
		case "exists":
			r.self.exists[value] = true
		case "opens":
			r.self.opens[value] = true
		case "role":
			name, path, _ := strings.Cut(value, " ")
			r.self.roles = append(r.self.roles, role{name, path})
		}
	}
}

// probedTools are those that the script looks for.
var probedTools = []string{
	"flock", "tar", "gzip", "base64", "timeout", "curl", "setsid", "unshare", "nohup", "nice", "find", "stat",
	"sudo", "systemctl", "loginctl", "newuidmap", "newgidmap", "docker", "dockerd", "docker-compose", "podman", "podman-compose",
}

// readFiles takes apart what grep -H prints of several files: each line with its
// file's path before it. None of the paths holds a colon.
func (r *reading) readFiles(name string) {
	s, ok := r.section(name)
	if !ok {
		return
	}
	content := map[string]*strings.Builder{}
	for line := range strings.Lines(string(s.body)) {
		path, text, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		b := content[path]
		if b == nil {
			b = new(strings.Builder)
			content[path] = b
		}
		b.WriteString(text)
	}
	for path, b := range content {
		r.files[path] = b.String()
	}
}

// line returns the first line of a file, or nil where it was not read.
func (r *reading) line(path string) *string {
	text, ok := r.files[path]
	if !ok {
		return nil
	}
	text, _, _ = strings.Cut(text, "\n")
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return &text
}

// clock reads `date -u +%s.%N`. Busybox prints %N as it is.
func (r *reading) clock() {
	s, ok := r.section("clock", "observed_at", "clock_offset_ms", "clock_uncertainty_ms")
	if !ok {
		return
	}
	sec, frac, _ := strings.Cut(strings.TrimSpace(string(s.body)), ".")
	n := parseInt(sec)
	if n == nil {
		r.why.add(parseError, "observed_at", "clock_offset_ms", "clock_uncertainty_ms")
		return
	}
	nanos, err := strconv.ParseInt(frac, 10, 64)
	if err != nil || len(frac) != 9 || nanos < 0 {
		nanos = 0
	}
	if r.obs.Snapshot.ObservedAt = written(time.Unix(*n, nanos)); r.obs.Snapshot.ObservedAt == nil {
		r.why.add(parseError, "observed_at", "clock_offset_ms", "clock_uncertainty_ms")
	}
}

// A fact is what stat(1) said of one file, by the script's form:
//
//	41ed 0 0 1795467183 65024 2 21 4096 1795467180.123456789 /
//
// Where nobody knows when a file was made, there is 0.000000000 or, of tools
// that cannot tell, a letter.
type fact struct {
	mode              uint32 // as in st_mode
	uid, ctime        int64
	dev, inode, links int64
	size              int64
	birth             int64 // in nanoseconds of the epoch; 0: not known
}

// Bits of st_mode (inode(7)).
const (
	modeType = 0o170000
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
)

func (f fact) kind() string {
	switch f.mode & modeType {
	case modeDir:
		return "directory"
	case modeLink:
		return "symlink"
	}
	return "other"
}

// parseFact returns the fact at the start of line and what follows it, which
// is the name: it begins with a slash or a dot.
func parseFact(line []byte) (fact, []byte, bool) {
	var f fact
	word, rest, _ := bytes.Cut(line, []byte(" "))
	mode, err := strconv.ParseUint(string(word), 16, 32)
	if err != nil {
		return fact{}, nil, false
	}
	f.mode = uint32(mode)
	var gid int64
	for _, n := range []*int64{&f.uid, &gid, &f.ctime, &f.dev, &f.inode, &f.links, &f.size} {
		word, rest, _ = bytes.Cut(rest, []byte(" "))
		if *n, err = strconv.ParseInt(string(word), 10, 64); err != nil {
			return fact{}, nil, false
		}
	}
	if len(rest) > 0 && rest[0] != '/' && rest[0] != '.' {
		word, rest, _ = bytes.Cut(rest, []byte(" "))
		f.birth = onhost.ParseBirth(string(word))
	}
	return f, rest, true
}

func (r *reading) readFacts() {
	s, ok := r.section("facts")
	if !ok {
		return
	}
	r.facts = map[string]fact{}
	for line := range bytes.Lines(s.body) {
		f, name, ok := parseFact(bytes.TrimSuffix(line, []byte("\n")))
		if ok {
			r.facts[string(name)] = f
		}
	}
}
