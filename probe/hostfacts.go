package probe

import (
	"path"
	"slices"
	"strconv"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// hostFacts fills in what doctor looks at.
func (r *reading) hostFacts(docker engine) {
	f := sandboxer.Facts{Home: r.self.home, Tools: r.self.tools, RootNoexec: r.rootNoexec()}
	defer func() { r.obs.Facts = f }()
	if r.self.exists == nil || !r.sections["proc"].whole {
		return
	}
	f.Systemd = r.self.exists["/run/systemd/system"]
	f.DockerHost = elsewhere(r.self.dockerHost)
	f.RootAge = r.rootAge(f.Systemd)
	f.RuntimeDir = new(r.self.runtime != "")
	f.UserNS = r.userNamespaces()
	f.MaxSessions = r.maxSessions()
	f.MaxProcesses = r.maxProcesses()
	if docker.info.Status == sandboxer.EngineOK {
		f.AddressPoolsFree = new(poolsFree(docker.pools, docker.subnets, *docker.info.NetworksCount))
	}
	if enforce := r.line("/sys/fs/selinux/enforce"); enforce != nil {
		f.SELinuxEnforcing = new(*enforce == "1")
	}
	if r.self.exists["/run/systemd/timesync"] {
		f.ClockSynchronized = new(r.self.exists["/run/systemd/timesync/synchronized"])
	}
	user := r.obs.Snapshot.Identity.User
	if user == nil || r.uid == nil {
		return
	}
	if f.Systemd {
		f.Linger = new(r.self.exists["/var/lib/systemd/linger/"+*user])
	}
	f.NextSubID = max(r.endOfRanges("/etc/subuid"), r.endOfRanges("/etc/subgid"))
	f.SubIDs = new(r.hasRange("/etc/subuid", *user) && r.hasRange("/etc/subgid", *user))
	uid := strconv.FormatInt(*r.uid, 10)
	if text, ok := r.files["/sys/fs/cgroup/user.slice/user-"+uid+".slice/user@"+uid+".service/cgroup.controllers"]; ok {
		f.RootlessControllers = strings.Fields(text)
	}
}

// hasRange looks for the user in subuid(5), by name or by number:
//
//	ann:100000:65536
func (r *reading) hasRange(file, user string) bool {
	for line := range strings.Lines(r.files[file]) {
		words := strings.Split(strings.TrimSpace(line), ":")
		if len(words) == 3 && (words[0] == user || words[0] == strconv.FormatInt(*r.uid, 10)) && words[2] != "0" {
			return true
		}
	}
	return false
}

// firstSubID is where useradd(8) begins to hand out ranges.
const firstSubID = 100000

func (r *reading) endOfRanges(file string) int64 {
	end := int64(firstSubID)
	for line := range strings.Lines(r.files[file]) {
		words := strings.Split(strings.TrimSpace(line), ":")
		if len(words) != 3 {
			continue
		}
		start, count := parseInt(words[1]), parseInt(words[2])
		if start != nil && count != nil && *start <= maxCount && *count <= maxCount {
			end = max(end, *start+*count)
		}
	}
	return end
}

// userNamespaces reads two switches, of which a kernel may have both.
func (r *reading) userNamespaces() *bool {
	most := r.line("/proc/sys/user/max_user_namespaces")
	allowed := r.line("/proc/sys/kernel/unprivileged_userns_clone") // Debian's
	switch {
	case most != nil && *most == "0", allowed != nil && *allowed == "0":
		return new(false)
	case most == nil:
		return nil
	}
	return new(true)
}

// maxProcesses reads a line of /proc/self/limits (proc_pid_limits(5)):
//
//	Max processes             96365                96365                processes
func (r *reading) maxProcesses() *int64 {
	for line := range strings.Lines(r.files["/proc/self/limits"]) {
		if words, ok := strings.CutPrefix(line, "Max processes"); ok {
			if fields := strings.Fields(words); len(fields) > 0 {
				return parseInt(fields[0])
			}
		}
	}
	return nil
}

// defaultMaxSessions is sshd's own (sshd_config(5)).
const defaultMaxSessions = 10

// maxSessions reads sshd's configuration as far as it goes for everybody. The
// first value counts, and what is included stands at the top where
// distributions include something.
func (r *reading) maxSessions() *int64 {
	const main = "/etc/ssh/sshd_config"
	if !r.self.opens[main] {
		return nil
	}
	for _, file := range append(r.filesUnder("/etc/ssh/sshd_config.d/"), main) {
		for line := range strings.Lines(r.files[file]) {
			words := strings.Fields(strings.ReplaceAll(line, "=", " "))
			if len(words) > 0 && strings.EqualFold(words[0], "Match") {
				break
			}
			if len(words) == 2 && strings.EqualFold(words[0], "MaxSessions") {
				return parseInt(strings.Trim(words[1], `"`))
			}
		}
	}
	return new(int64(defaultMaxSessions))
}

// filesUnder returns the files read whose path begins with dir, sorted.
func (r *reading) filesUnder(dir string) []string {
	var paths []string
	for p := range r.files {
		if strings.HasPrefix(p, dir) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// rootAge reads tmpfiles.d(5): what is said of the root, or of the nearest
// directory above it, of which the first file by name counts, and that in
// /etc before that in /run before the distribution's:
//
//	q /tmp 1777 root root 10d
//	x /tmp/sandboxer
func (r *reading) rootAge(systemd bool) *string {
	if !systemd {
		return new("")
	}
	seen := map[string]bool{} // names of files
	age, nearest := "", ""
	for _, dir := range []string{"/etc/tmpfiles.d/", "/run/tmpfiles.d/", "/usr/lib/tmpfiles.d/"} {
		for _, file := range r.filesUnder(dir) {
			name := path.Base(file)
			if seen[name] {
				continue
			}
			seen[name] = true
			for line := range strings.Lines(r.files[file]) {
				words := strings.Fields(line)
				if len(words) < 2 || !covers(words[1], r.self.root) {
					continue
				}
				if words[0] == "x" {
					return new("")
				}
				if len(words) >= 6 && len(words[1]) > len(nearest) && words[0] != "X" {
					age, nearest = strings.Trim(words[5], "-~"), words[1]
				}
			}
		}
	}
	return &age
}

// covers reports whether a path or pattern is about root or a directory above.
func covers(pattern, root string) bool {
	for at := root; at != "/" && at != "."; at = path.Dir(at) {
		if ok, err := path.Match(pattern, at); ok && err == nil {
			return true
		}
	}
	return false
}

// elsewhere returns where docker's client is told to look, unless it is here:
//
//	tcp://192.0.2.1:2375
//	context:prod
//	"currentContext": "prod"
func elsewhere(said string) string {
	if _, name, ok := strings.Cut(said, `"currentContext"`); ok {
		name, _, _ = strings.Cut(strings.TrimLeft(name, `: "`), `"`)
		said = "context:" + name
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(said, "tcp://"), ":")
	switch {
	case said == "", strings.HasPrefix(said, "unix://"), said == "context:", said == "context:default", said == "context:rootless",
		host == "localhost", strings.HasPrefix(host, "127."), strings.HasPrefix(said, "tcp://[::1]"):
		return ""
	}
	return said
}
