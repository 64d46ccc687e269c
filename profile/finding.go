package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// A Level is what a Finding means for a create.
type Level string

// Levels, the worst first.
const (
	Error   Level = "error"   // it cannot work, or cannot be made safe: nothing overrides it
	Refuse  Level = "refuse"  // refused, unless its code is allowed by name
	Warning Level = "warning" // said, and no more
)

// A Code names a kind of finding; the set is open. Its level never changes.
type Code string

// A Finding is something of a profile that a create refuses or a person
// should know.
type Finding struct {
	Level   Level  `json:"level"`
	Code    Code   `json:"code"`
	Service string `json:"service"` // empty where it is of no one service
	Message string `json:"message"` // for a person; names what is meant by its words in the file
}

// String is the message with the service it is about, and its code.
func (f Finding) String() string {
	s := f.Message
	if f.Service != "" {
		s = fmt.Sprintf("service %q: %s", abbreviate(f.Service), s)
	}
	return fmt.Sprintf("%s [%s]", s, f.Code)
}

// refusable are the codes of level Refuse, with what allowing each means.
var refusable = map[Code]string{
	"build_network":     "a build shares the network of the host",
	"cap_add":           "a container has capabilities that the engine withholds by default",
	"cgroup_parent":     "a container's cgroup lies outside the engine's own",
	"container_name":    "a container's name is not the sandbox's own, so that two cannot run at once",
	"devices":           "a container uses devices of the host",
	"engine_socket":     "a container controls the engine, and so the host",
	"external_network":  "a network of others is used",
	"external_volume":   "a volume of others is used",
	"fixed_address":     "an address or a subnet is fixed, so that two sandboxes cannot run at once",
	"fixed_host_port":   "a port of the host is fixed, so that two sandboxes cannot run at once",
	"foreign_container": "a container of others is joined",
	"global_name":       "a volume or network is named for the whole host",
	"host_namespace":    "a container shares processes, users, IPC or names of the host",
	"host_network":      "a container shares the network of the host",
	"host_path":         "a path of the host outside the sandbox's directory is mounted",
	"large_upload":      "much is uploaded",
	"logging":           "logs of a container go elsewhere than to the engine's own files",
	"mount_propagation": "mounts spread between a container and the host",
	"nested_mount":      "a path is mounted that lies in another one which a container can write to",
	"network_driver":    "a network is made by another driver than bridge, or with options for it",
	"outside_file":      "a file outside the profile's directory is read on this machine",
	"privileged":        "a container has all rights on the host",
	"runtime":           "a container is run by another runtime than the engine's default",
	"security_opt":      "protections of the engine are changed",
	"volume_driver":     "a volume is kept by another driver than the engine's, or with options for it",
}

// RefusableCodes returns the codes that can be allowed, sorted, each with what
// allowing it means.
func RefusableCodes() []struct {
	Code  Code
	Means string
} {
	var all []struct {
		Code  Code
		Means string
	}
	for code, means := range refusable {
		all = append(all, struct {
			Code  Code
			Means string
		}{code, means})
	}
	slices.SortFunc(all, func(a, b struct {
		Code  Code
		Means string
	}) int {
		return strings.Compare(string(a.Code), string(b.Code))
	})
	return all
}

// An AllowError is a code that cannot be allowed.
type AllowError struct {
	Code Code
	Hint string // what can be, in one line
}

// Error names the code.
func (e *AllowError) Error() string {
	return fmt.Sprintf("%q is no finding that can be allowed", abbreviate(string(e.Code)))
}

func checkAllow(allow []Code) error {
	for _, code := range allow {
		if _, ok := refusable[code]; !ok {
			var known []string
			for _, c := range RefusableCodes() {
				known = append(known, string(c.Code))
			}
			return &AllowError{Code: code, Hint: "these can: " + strings.Join(known, ", ")}
		}
	}
	return nil
}

// findings collects, in the order of the file and without repetition.
type findings []Finding

func (f *findings) add(level Level, code Code, service, format string, args ...any) {
	found := Finding{Level: level, Code: code, Service: service, Message: fmt.Sprintf(format, args...)}
	if !slices.Contains(*f, found) {
		*f = append(*f, found)
	}
}

func (f *findings) fail(code Code, service, format string, args ...any) {
	f.add(Error, code, service, format, args...)
}

func (f *findings) refuse(code Code, service, format string, args ...any) {
	f.add(Refuse, code, service, format, args...)
}

func (f *findings) warn(code Code, service, format string, args ...any) {
	f.add(Warning, code, service, format, args...)
}

// sorted has the worst first, and keeps the order otherwise.
func (f findings) sorted() []Finding {
	all := slices.Clone(f)
	rank := []Level{Error, Refuse, Warning}
	slices.SortStableFunc(all, func(a, b Finding) int { return slices.Index(rank, a.Level) - slices.Index(rank, b.Level) })
	return all
}

// refusal is nil where no finding stands in the way of a create that allows
// these codes.
func refusal(name string, all []Finding, allow []Code) error {
	var reasons []sandboxer.Reason
	var missing []string
	hopeless := false
	for _, f := range all {
		if f.Level == Warning || f.Level == Refuse && slices.Contains(allow, f.Code) {
			continue
		}
		reasons = append(reasons, sandboxer.Reason{Code: string(f.Code), Message: f.String()})
		if f.Level == Error {
			hopeless = true
		} else if !slices.Contains(missing, string(f.Code)) {
			missing = append(missing, string(f.Code))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	hint := "change the profile; nothing can be allowed here that would mend it"
	if !hopeless {
		hint = "change the profile, or accept the risk with --allow " + strings.Join(missing, ",")
	}
	return &sandboxer.RefusedError{Doing: fmt.Sprintf("profile %q", abbreviate(name)), Reasons: reasons, Hint: hint}
}

// A LoadError is a profile that cannot be read at all.
type LoadError struct {
	Path string // of the profile
	Err  error  // the cause, which names the file, and the line where it is known; never nil
	Hint string // what mends it, in one line; may be empty
}

// Error gives the cause.
func (e *LoadError) Error() string { return fmt.Sprintf("profile %q: %v", abbreviate(e.Path), e.Err) }

// Unwrap returns the cause.
func (e *LoadError) Unwrap() error { return e.Err }

func loadError(path string, err error) error {
	e := &LoadError{Path: path, Err: err}
	var variable *variableError
	if errors.As(err, &variable) {
		e.Hint = variable.hint()
	}
	return e
}
