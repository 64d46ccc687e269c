package profile

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// attach writes the networks of a container. A list where that is enough:
// podman-compose 1.0.3 takes nothing else.
func (w *writer) attach(s *types.ServiceConfig, o object) {
	names := slices.Sorted(maps.Keys(s.Networks))
	long, plain := object{}, true
	for _, name := range names {
		n, one := s.Networks[name], object{}
		if n != nil {
			setList(one, "aliases", n.Aliases)
			set(one, "ipv4_address", n.Ipv4Address)
			set(one, "ipv6_address", n.Ipv6Address)
			setList(one, "link_local_ips", n.LinkLocalIPs)
			set(one, "priority", n.Priority)
			if n.Ipv4Address != "" || n.Ipv6Address != "" || len(n.LinkLocalIPs) > 0 {
				w.found.refuse("fixed_address", s.Name, "network %q: fixed address", name)
			}
			if n.MacAddress != "" || len(n.DriverOpts) > 0 || n.GatewayPriority != 0 || n.InterfaceName != "" {
				w.found.fail("unsupported_key", s.Name, "network %q: mac_address, driver_opts, gw_priority and interface_name are not supported", name)
			}
		}
		long[name] = one
		plain = plain && len(one) == 0
	}
	switch {
	case len(names) == 0:
	case plain:
		o["networks"] = names
	default:
		o["networks"] = long
		w.found.warn("tool_networks", s.Name, "aliases or addresses in a network: podman-compose 1.0.3 cannot start it")
	}
	if s.MacAddress != "" {
		w.found.refuse("fixed_address", s.Name, "mac_address %q", s.MacAddress)
	}
	set(o, "mac_address", s.MacAddress)
	setList(o, "dns", []string(s.DNS))
	setList(o, "dns_opt", s.DNSOpts)
	setList(o, "dns_search", []string(s.DNSSearch))
	setList(o, "extra_hosts", sorted(s.ExtraHosts.AsList(":")))
	for _, text := range s.Expose {
		if !exposed.MatchString(text) {
			w.found.fail("expose", s.Name, "expose %q: want a port or a range of them, with /tcp, /udp or /sctp or without", text)
		}
	}
	setList(o, "expose", []string(s.Expose))
}

var exposed = regexp.MustCompile(`^[0-9]+(-[0-9]+)?(/(tcp|udp|sctp))?$`)

// ports writes what is published.
func (w *writer) ports(s *types.ServiceConfig, o object, short *Service) {
	var all []string
	for _, p := range s.Ports {
		text, ip := strconv.FormatUint(uint64(p.Target), 10), p.HostIP
		if strings.Contains(ip, ":") && !strings.HasPrefix(ip, "[") {
			ip = "[" + ip + "]"
		}
		published := p.Published
		if published == "0" {
			published = ""
		}
		if published != "" {
			w.found.refuse("fixed_host_port", s.Name, "port %s of the host is fixed: leave it out, and the engine chooses one", published)
		}
		if ip == "" || ip == "0.0.0.0" || ip == "[::]" {
			w.found.warn("public_port", s.Name, "port %d is published on every address of the host: write \"127.0.0.1::%d\" to keep it there", p.Target, p.Target)
		}
		switch {
		case ip != "":
			text = ip + ":" + published + ":" + text
		case published != "":
			text = published + ":" + text
		}
		protocol := strings.ToLower(p.Protocol)
		switch protocol {
		case "tcp", "udp", "sctp":
		case "":
			protocol = "tcp"
		default:
			w.found.fail("port_protocol", s.Name, "port %d: protocol %q is none of tcp, udp and sctp", p.Target, p.Protocol)
		}
		short.Ports = append(short.Ports, text+"/"+protocol)
		if protocol != "tcp" {
			text += "/" + protocol
		}
		all = append(all, text)
	}
	setList(o, "ports", all)
}

// drive is what tools take for a path of Windows, in the short form of a mount.
var drive = regexp.MustCompile(`^[a-zA-Z]:/`)

// mounts writes volumes, directories of the profile, and what else is mounted.
func (w *writer) mounts(s *types.ServiceConfig, o object, short *Service) {
	var all, tmpfs []string
	add := func(source, target, options string) {
		if strings.ContainsAny(source+target, ":,\n") || !strings.HasPrefix(target, "/") {
			w.found.fail("mount", s.Name, "mount of %q at %q: paths with colons or commas, or not from the root, are not supported", source, target)
			return
		}
		text := target
		if source != "" {
			text = source + ":" + target
			short.Volumes = append(short.Volumes, text)
		}
		if options != "" {
			text += ":" + options
		}
		all = append(all, text)
	}
	for _, v := range s.Volumes {
		options := w.mountOptions(s.Name, v)
		switch v.Type {
		case types.VolumeTypeVolume:
			if drive.MatchString(strings.TrimPrefix(v.Source+":"+v.Target, ":")) {
				w.found.fail("mount", s.Name, "mount of %q at %q: a volume of one letter reads as a drive: give it a longer name", v.Source, v.Target)
				continue
			}
			if v.Source == "" {
				v.Source = w.anonymous(s.Name)
			}
			add(v.Source, v.Target, options)
		case types.VolumeTypeBind:
			if source, ok := w.bind(s.Name, "volumes:", v.Source, !v.ReadOnly); ok {
				add(source, v.Target, options)
			}
		case types.VolumeTypeTmpfs:
			tmpfs = append(tmpfs, tmpfsMount(v))
		default:
			w.found.fail("unsupported_key", s.Name, "volumes: type %q is not supported", v.Type)
		}
	}
	w.fileMounts(s, add)
	setList(o, "volumes", all)
	setList(o, "tmpfs", append(slices.Clone([]string(s.Tmpfs)), tmpfs...))
}

// anonymous gives a volume without a name one. podman-compose 1.0.3 does that
// too, but without the labels by which it would be found again.
func (w *writer) anonymous(service string) string {
	for n := 1; ; n++ {
		name := fmt.Sprintf("anonymous-%s-%d", service, n)
		if _, taken := w.project.Volumes[name]; !taken {
			w.project.Volumes[name] = types.VolumeConfig{Name: projectName + "_" + name}
			return name
		}
	}
}

func (w *writer) mountOptions(service string, v types.ServiceVolumeConfig) string {
	var options []string
	if v.ReadOnly {
		options = append(options, "ro")
	}
	if b := v.Bind; b != nil {
		switch b.Propagation {
		case "", "rprivate", "private":
		default:
			w.found.refuse("mount_propagation", service, "mount at %q: propagation %q", v.Target, b.Propagation)
			options = append(options, b.Propagation)
		}
		if b.SELinux != "" || b.Recursive != "" {
			w.found.warn("ignored_key", service, "mount at %q: selinux and recursive are left out, as not every tool knows them", v.Target)
		}
	}
	if v.Consistency != "" {
		w.found.warn("ignored_key", service, "mount at %q: consistency is left out, as not every tool knows it", v.Target)
	}
	if v.Volume != nil && v.Volume.Subpath != "" {
		w.found.fail("unsupported_key", service, "mount at %q: subpath is not supported", v.Target)
	}
	if v.Volume != nil && v.Volume.NoCopy {
		w.found.warn("ignored_key", service, "mount at %q: nocopy is left out, as not every tool knows it", v.Target)
	}
	return strings.Join(options, ",")
}

func tmpfsMount(v types.ServiceVolumeConfig) string {
	var options []string
	if v.Tmpfs != nil && v.Tmpfs.Size > 0 {
		options = append(options, fmt.Sprintf("size=%d", v.Tmpfs.Size))
	}
	if v.Tmpfs != nil && v.Tmpfs.Mode > 0 {
		options = append(options, fmt.Sprintf("mode=%o", v.Tmpfs.Mode))
	}
	if len(options) == 0 {
		return v.Target
	}
	return v.Target + ":" + strings.Join(options, ",")
}

// bind returns the source of a bind mount as it is on the host. One of the
// profile that is not there is made as an empty directory: left to the engine,
// it would be root's, and in the way of whoever removes the sandbox.
func (w *writer) bind(service, what, name string, writable bool) (string, bool) {
	rel, isLocal, ok := w.local(service, what, name)
	if !ok {
		return "", false
	}
	if !isLocal {
		w.hostPath(service, what, name)
		w.binds = append(w.binds, bindMount{service, what, path.Clean(name), writable})
		return path.Clean(name), true
	}
	switch {
	case literal(rel) != strings.ReplaceAll(rel, "$", "$$"): // it could mean what another mount names otherwise
		w.found.fail("mount", service, "%s %q: variables of the host are not supported in a path of the profile", what, literal(name))
		return "", false
	case strings.HasPrefix(rel, ".sandboxer"):
		w.found.fail("reserved_name", service, "%s %q: names beginning with .sandboxer are reserved", what, name)
		return "", false
	case rel == ".":
		w.found.fail("reserved_name", service, "%s %q: the whole directory holds the sandbox's own record: mount a subdirectory", what, name)
		return "", false
	case rel == composeFile || rel == w.own:
		w.found.fail("mount", service, "%s %q: the compose file is not uploaded as it is here, and cannot be mounted", what, name)
		return "", false
	}
	w.binds = append(w.binds, bindMount{service, what, rel, writable})
	if rel == dotEnv {
		w.mountEnv(service, writable)
	} else if _, there := w.tree.has(rel); !there {
		w.missing(service, what, rel)
	}
	return dotted(rel), true
}

func (w *writer) missing(service, what, rel string) {
	for above := path.Dir(rel); above != "."; above = path.Dir(above) {
		if dir, there := w.tree.has(above); there && !dir {
			w.found.fail("mount", service, "%s %q: %q is a file", what, rel, above)
			return
		}
	}
	w.found.warn("missing_source", service, "%s %q is not in the profile: an empty directory will be there", what, rel)
	w.extra[rel] = nil
}

// mountEnv uploads .env after all, as a container reads it. podman-compose
// reads it too, whatever it is told, and before anything else.
func (w *writer) mountEnv(service string, writable bool) {
	if writable {
		w.found.fail("env_mounted", service, ".env is mounted writable: the compose tool would read at the next start what a container wrote there: mount it read-only")
	}
	data, err := readPlain(path.Join(w.root, dotEnv))
	if err != nil {
		w.missing(service, "volumes:", dotEnv)
		return
	}
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "SANDBOXER_") {
			w.found.fail("env_mounted", service, ".env is mounted and sets variables SANDBOXER_: podman-compose would take them for those of the host")
			return
		}
	}
	w.extra[dotEnv] = data
}

// fileMounts writes secrets and configs as what they are to every tool, or
// should be: files mounted read-only.
func (w *writer) fileMounts(s *types.ServiceConfig, add func(source, target, options string)) {
	mount := func(kind, name, file, target string, external bool) {
		switch {
		case external:
			w.found.fail("external_secret", s.Name, "%s %q is external: give it as a file of the profile", kind, name)
		case file == "":
			w.found.fail("secret_source", s.Name, "%s %q: only those from a file are supported", kind, name)
		default:
			if source, ok := w.bind(s.Name, kind, file, false); ok {
				add(source, path.Clean(target), "ro")
			}
		}
	}
	for _, ref := range s.Secrets {
		w.fileOwner(s.Name, "secret", types.FileReferenceConfig(ref))
		def, target := w.project.Secrets[ref.Source], ref.Target
		if target == "" {
			target = ref.Source
		}
		if !strings.HasPrefix(target, "/") {
			target = "/run/secrets/" + target
		}
		mount("secret", ref.Source, def.File, target, bool(def.External))
	}
	for _, ref := range s.Configs {
		w.fileOwner(s.Name, "config", types.FileReferenceConfig(ref))
		def, target := w.project.Configs[ref.Source], ref.Target
		if target == "" {
			target = "/" + ref.Source
		}
		mount("config", ref.Source, def.File, target, bool(def.External))
	}
}

func (w *writer) fileOwner(service, kind string, ref types.FileReferenceConfig) {
	if ref.UID != "" || ref.GID != "" || ref.Mode != nil {
		w.found.warn("ignored_key", service, "%s %q: uid, gid and mode are left out: it has those of the file", kind, ref.Source)
	}
}

// tools says what a tool that may be on the host cannot do of all this.
func (w *writer) tools(s *types.ServiceConfig) {
	if s.NetworkMode != "" {
		w.found.warn("tool_network_mode", s.Name, "network_mode: podman-compose 1.0.3 adds a network of its own, and fails")
	}
	if h := s.HealthCheck; h != nil && !h.Disable && len(h.Test) > 0 {
		w.found.warn("tool_healthcheck", s.Name, "healthcheck: podman-compose 1.0.3 runs it by /bin/sh, and podman only with systemd; label %s waits on every engine", readyLabel)
	}
	var ignored []string
	for key, set := range map[string]bool{
		"cpuset": s.CPUSet != "", "dns": len(s.DNS)+len(s.DNSOpts)+len(s.DNSSearch) > 0, "group_add": len(s.GroupAdd) > 0, "ipc": s.Ipc != "",
		"memswap_limit": s.MemSwapLimit != 0, "oom_score_adj": s.OomScoreAdj != 0, "pid": s.Pid != "", "pids_limit": s.PidsLimit != 0,
		"stop_grace_period": s.StopGracePeriod != nil, "volumes_from": len(s.VolumesFrom) > 0,
		"runtime": s.Runtime != "", "cgroup_parent": s.CgroupParent != "", "userns_mode": s.UserNSMode != "", "storage_opt": len(s.StorageOpt) > 0,
	} {
		if set {
			ignored = append(ignored, key)
		}
	}
	if len(ignored) > 0 {
		w.found.warn("tool_ignores", s.Name, "podman-compose 1.0.3 pays no heed to %s", strings.Join(sorted(ignored), ", "))
	}
}
