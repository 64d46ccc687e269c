package profile

import (
	"path"
	"slices"
	"strings"
)

// engineSockets end the path of a socket by which an engine is controlled.
var engineSockets = []string{"docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock"}

// engineDirs hold such a socket, or all that an engine has, or a way to either:
// below /proc there are the roots of others. Nothing in them is harmless.
var engineDirs = []string{
	"/proc", "/run/user", "/run/docker", "/run/containerd", "/run/podman", "/run/containers", "/run/crio", "/run/buildkit",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/podman", "/var/lib/containers", "/var/lib/buildkit",
}

// engineHomes hold what an engine without root has, deep in them.
var engineHomes = []string{"/home", "/root", "~"}

// hostPath judges a path of the host. Allowing one is not enough for what
// gives control of the engine.
func (w *writer) hostPath(service, what, name string) {
	clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if rest, ok := strings.CutPrefix(clean, "/var/run"); ok && (rest == "" || rest[0] == '/') {
		clean = "/run" + rest // a link to it on every host
	}
	engine := slices.Contains(engineSockets, path.Base(clean)) || slices.Contains(engineHomes, clean) ||
		slices.ContainsFunc(engineDirs, func(dir string) bool { return clean == dir || below(clean, dir) || below(dir, clean) })
	if engine {
		w.found.refuse("engine_socket", service, "%s %q gives control of the engine", what, name)
	}
	w.found.refuse("host_path", service, "%s %q is a path of the host", what, name)
}

// below reports whether name lies in dir, and is not dir itself. Both are
// clean.
func below(name, dir string) bool {
	return name != dir && strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// climbs reports whether ".." is in a path.
func climbs(name string) bool {
	return slices.Contains(strings.Split(strings.ReplaceAll(name, `\`, "/"), "/"), "..")
}

// local returns the path within the profile that name means. Where it leads
// out of it by "..", that is a finding; a path of the host is for the caller
// to judge.
func (w *writer) local(service, what, name string) (rel string, isLocal, ok bool) {
	switch {
	case strings.HasPrefix(name, "/"):
		rel, isLocal = within(w.root, name)
		return rel, isLocal, true
	case strings.HasPrefix(name, "~") && climbs(name):
		w.found.fail("outside_path", service, "%s %q: \"..\" after ~ is not supported", what, name)
		return "", false, false
	case strings.HasPrefix(name, "~"):
		return "", false, true
	}
	rel = path.Clean(name)
	if rel == ".." || strings.HasPrefix(rel, "../") {
		w.found.fail("outside_path", service, "%s %q leads out of the profile, and would not be there on the host", what, name)
		return "", false, false
	}
	return rel, true, true
}

// A bindMount is a path that some container is given.
type bindMount struct {
	service, what string
	source        string // clean; relative where it is of the profile
	writable      bool
}

// nested refuses a mount from within a writable one: in place of its source a
// container could put a symbolic link, and the engine would follow that to
// anywhere on the host at the next start.
func (w *writer) nested() {
	for _, inner := range w.binds {
		for _, outer := range w.binds {
			if outer.writable && below(inner.source, outer.source) {
				w.found.refuse("nested_mount", inner.service, "%s %q lies in %q, which is mounted writable: a container could put a link to anywhere on the host there", inner.what, inner.source, outer.source)
			}
		}
	}
}
