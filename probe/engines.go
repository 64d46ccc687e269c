package probe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// An engine is one engine's answer.
type engine struct {
	info   sandboxer.EngineInfo
	source sandboxer.Source
	things []thing

	pools   []addressPool // that networks' addresses are taken from; nil for docker's own
	subnets []string      // of its networks
}

// A thing is what an engine holds: a container, network, volume or image.
type thing struct {
	sandboxer.Resource
	workingDir string
	image      string // full id of a container's image
	pid        int64  // of a container's first process; 0: it has none, or was not inspected
	ports      []sandboxer.Port
	members    int // of a pod, without its own
}

// Labels of compose tools. podman-compose writes docker's too, on all but what
// some versions of it make.
const (
	labelProject    = "com.docker.compose.project"
	labelPodman     = "io.podman.compose.project"
	labelService    = "com.docker.compose.service"
	labelWorkingDir = "com.docker.compose.project.working_dir"
)

const (
	forbidden = string(sandboxer.EngineForbidden)
	noSudo    = "the host has no sudo"
)

// newEngine returns an engine that has not been asked, with the reason.
func newEngine(name sandboxer.Engine, status sandboxer.EngineState, source, detail string) engine {
	e := engine{
		info:   sandboxer.EngineInfo{Name: name, Status: status, ComposeTools: []string{}},
		source: sandboxer.Source{Name: string(name), Status: source},
	}
	if detail != "" {
		e.info.Detail, e.source.Detail = &detail, &detail
	}
	return e
}

// Exit codes of timeout(1), and of curl(1) for no connection and for no answer
// in time.
const (
	exitTimeout     = 124
	curlNoConnect   = 7
	curlTimeout     = 28
	exitKilled      = 137
	exitTerminated  = 143
	maxDetailLength = 300
)

// failed says what it means that an engine's section did not end well. The
// section is of the job named.
func (r *reading) failed(name sandboxer.Engine, job string, s section, begun bool) engine {
	said := string(lastLine(s.body))
	_, stopped := r.sections["stopped_"+job]
	switch refusal := sudoRefusal(s.body); {
	case stopped && !s.whole:
		return newEngine(name, sandboxer.EngineUnresponsive, timedOut, "no answer in time")
	case !begun || !s.whole:
		return newEngine(name, sandboxer.EngineUnknown, truncated, "its answer was cut off")
	case s.code == exitTimeout || s.code == curlTimeout || s.code == exitKilled || s.code == exitTerminated:
		return newEngine(name, sandboxer.EngineUnresponsive, timedOut, cmp.Or(abbreviate(said), "no answer in time"))
	case r.sudo && refusal != "":
		return newEngine(name, sandboxer.EngineForbidden, forbidden, abbreviate(refusal))
	case s.code == 126 || s.code == 127:
		return newEngine(name, sandboxer.EngineUnknown, parseError, cmp.Or(abbreviate(said), "its client could not be run"))
	}
	return newEngine(name, sandboxer.EngineDown, string(sandboxer.EngineDown), cmp.Or(abbreviate(said), "nobody answers"))
}

// sudoRefusal returns the line in which sudo says that it runs nothing, or "":
//
//	sudo: a password is required
//	ann is not in the sudoers file.
//	Sorry, user ann is not allowed to execute '/usr/bin/podman version' as root on host.
//
// Its exit status of 1 is also that of the engines' clients.
func sudoRefusal(said []byte) string {
	for line := range strings.Lines(string(said)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "sudo: unable to resolve host"): // a warning
		case strings.HasPrefix(line, "sudo: "), strings.HasPrefix(line, "Sorry, user "),
			strings.Contains(line, " is not in the sudoers file"), strings.Contains(line, " is not allowed to run sudo on "),
			strings.Contains(line, " may not run sudo on "):
			return line
		}
	}
	return ""
}

// unreadable is an engine whose answer is not what was asked for.
func unreadable(name sandboxer.Engine, detail string) engine {
	return newEngine(name, sandboxer.EngineUnknown, parseError, abbreviate(detail))
}

// abbreviate keeps the last lines of what a program said: the first ones are
// often general warnings.
func abbreviate(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxDetailLength {
		s = strings.ToValidUTF8("..."+s[len(s)-maxDetailLength:], "")
	}
	return s
}

// decodeAll reads JSON values of one type, whether they come as an array, as
// docker's API and podman write them, or one after the other, as docker's
// client does.
func decodeAll[T any](data []byte) ([]T, error) {
	data = bytes.TrimSpace(data)
	list := []T{}
	if len(data) == 0 {
		return list, nil
	}
	if data[0] == '[' || bytes.Equal(data, []byte("null")) {
		err := json.Unmarshal(data, &list)
		return list, err
	}
	for dec := json.NewDecoder(bytes.NewReader(data)); dec.More(); {
		var v T
		if err := dec.Decode(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// jsonIn leaves out the lines that a client, or sudo, wrote besides its
// answer, before or after it:
//
//	sudo: unable to resolve host box: Name or service not known
//	[{"Id":"5f1c"}]
func jsonIn(data []byte) []byte {
	var values [][]byte
	for len(data) > 0 {
		data = bytes.TrimLeft(data, " \n")
		if len(data) == 0 || data[0] != '{' && data[0] != '[' && !bytes.HasPrefix(data, []byte("null\n")) {
			_, data, _ = bytes.Cut(data, []byte("\n"))
			continue
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return bytes.Join(append(values, data), []byte("\n")) // for who reads it to say
		}
		values, data = append(values, v), data[dec.InputOffset():]
	}
	return bytes.Join(values, []byte("\n"))
}

// newThing fills in what the labels say.
func newThing(engine sandboxer.Engine, kind sandboxer.ResourceKind, ref, name string, labels map[string]string) thing {
	t := thing{Resource: sandboxer.Resource{
		Engine: engine, Kind: kind, Ref: ref, Name: name,
		Nonce: labels[sandboxer.LabelNonce], Project: cmp.Or(labels[labelProject], labels[labelPodman]),
	}}
	t.workingDir = labels[labelWorkingDir]
	if s := labels[labelService]; s != "" {
		t.Service = &s
	}
	if id, err := sandboxer.ParseID(labels[sandboxer.LabelID]); err == nil {
		t.SandboxID = &id
	}
	return t
}

// count fills in how many there are of each, once all lists were read.
func (e *engine) count() {
	var running, paused, stopped, images, volumes, networks int64
	var last string
	slices.SortFunc(e.things, compareThings)
	for _, t := range e.things {
		switch t.Kind {
		case sandboxer.KindContainer:
			switch state := *t.State; state {
			case "running":
				running++
			case "paused":
				paused++
			default:
				stopped++
			}
		case sandboxer.KindImage:
			if t.Ref != last { // one image may have several names
				images++
			}
			last = t.Ref
		case sandboxer.KindVolume:
			volumes++
		case sandboxer.KindNetwork:
			networks++
		}
	}
	i := &e.info
	i.ContainersRunning, i.ContainersPaused, i.ContainersStopped = &running, &paused, &stopped
	i.ImagesCount, i.VolumesCount, i.NetworksCount = &images, &volumes, &networks
}

func compareThings(a, b thing) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref), cmp.Compare(a.Name, b.Name))
}

// goodTime drops the zero times that engines write for "never".
func goodTime(t time.Time) *time.Time {
	if t.Year() < 1970 || t.Unix() <= 0 {
		return nil
	}
	return written(t)
}

// written is t as a document may hold it: RFC 3339 has four digits for a year.
// What lies beyond them is no time that a host can have meant.
func written(t time.Time) *time.Time {
	t = t.UTC()
	if t.Year() < 0 || t.Year() > 9999 {
		return nil
	}
	return &t
}

func fieldPath(i int) string { return "engines[" + strconv.Itoa(i) + "]" }
