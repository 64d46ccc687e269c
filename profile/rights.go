package profile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// ordinaryCaps are the capabilities that docker gives by default: to name one
// of them changes nothing.
// (https://docs.docker.com/engine/security/#linux-kernel-capabilities)
var ordinaryCaps = strings.Fields(`AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW
	SETFCAP SETGID SETPCAP SETUID SYS_CHROOT`)

// capability is the form of a name. podman takes a comma for the end of it.
var capability = regexp.MustCompile(`^[A-Za-z_]+$`)

// rights writes what a container may do to the host.
func (w *writer) rights(s *types.ServiceConfig, o object) {
	if s.Privileged {
		w.found.refuse("privileged", s.Name, "privileged")
	}
	set(o, "privileged", s.Privileged)
	for _, name := range s.CapAdd {
		if !slices.Contains(ordinaryCaps, strings.TrimPrefix(strings.ToUpper(name), "CAP_")) {
			w.found.refuse("cap_add", s.Name, "cap_add %q", name)
		}
	}
	for _, name := range slices.Concat(s.CapAdd, s.CapDrop) {
		if !capability.MatchString(name) {
			w.found.fail("capability", s.Name, "%q is no name of a capability", name)
		}
	}
	setList(o, "cap_add", s.CapAdd)
	setList(o, "cap_drop", s.CapDrop)
	for _, option := range s.SecurityOpt {
		switch option {
		case "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true":
		default:
			w.found.refuse("security_opt", s.Name, "security_opt %q", option)
		}
	}
	setList(o, "security_opt", s.SecurityOpt)
	set(o, "read_only", s.ReadOnly)
	setList(o, "group_add", s.GroupAdd)
	var devices []string
	for _, d := range s.Devices {
		w.found.refuse("devices", s.Name, "devices %q", d.Source)
		text := d.Source
		if d.Target != "" {
			text += ":" + d.Target
		}
		if d.Permissions != "" {
			text += ":" + d.Permissions
		}
		devices = append(devices, text)
	}
	setList(o, "devices", devices)
	for _, rule := range s.DeviceCgroupRules {
		w.found.refuse("devices", s.Name, "device_cgroup_rules %q", rule)
	}
	setList(o, "device_cgroup_rules", s.DeviceCgroupRules)
	if len(s.Gpus) > 0 {
		w.found.fail("unsupported_key", s.Name, "gpus is not supported")
	}
	if s.Runtime != "" {
		w.found.refuse("runtime", s.Name, "runtime %q", s.Runtime)
	}
	set(o, "runtime", s.Runtime)
	if s.CgroupParent != "" {
		w.found.refuse("cgroup_parent", s.Name, "cgroup_parent %q", s.CgroupParent)
	}
	set(o, "cgroup_parent", s.CgroupParent)
}

// namespaces writes what a container shares with others, or with the host.
func (w *writer) namespaces(s *types.ServiceConfig, o object) {
	if s.ContainerName != "" {
		w.found.refuse("container_name", s.Name, "container_name %q is one for the whole host", s.ContainerName)
	}
	set(o, "container_name", s.ContainerName)
	for _, space := range []struct{ key, value string }{{"pid", s.Pid}, {"ipc", s.Ipc}, {"userns_mode", s.UserNSMode}, {"uts", s.Uts}, {"cgroup", s.Cgroup}} {
		service, ofService := strings.CutPrefix(space.value, types.ServicePrefix)
		switch {
		case space.value == "", space.key == "cgroup" && space.value == "private":
			continue
		case space.key == "uts", space.key == "cgroup":
			w.found.fail("host_namespace_key", s.Name, "%s %q is not supported, as not every tool knows it", space.key, space.value)
			continue
		case ofService && w.serves(service), space.key == "ipc" && (space.value == "private" || space.value == "shareable" || space.value == "none"):
		case strings.HasPrefix(space.value, types.ContainerPrefix):
			w.found.refuse("foreign_container", s.Name, "%s %q", space.key, space.value)
		case ofService:
			w.found.fail("no_service", s.Name, "%s %q: there is no such service", space.key, space.value)
		default:
			w.found.refuse("host_namespace", s.Name, "%s %q", space.key, space.value)
		}
		o[space.key] = space.value
	}
	w.networkMode(s, o)
}

func (w *writer) serves(name string) bool {
	_, ok := w.project.Services[name]
	return ok
}

func (w *writer) networkMode(s *types.ServiceConfig, o object) {
	mode := s.NetworkMode
	service, ofService := strings.CutPrefix(mode, types.ServicePrefix)
	switch {
	case mode == "", mode == "none", ofService && w.serves(service):
	case mode == "host":
		w.found.refuse("host_network", s.Name, "network_mode host")
	case strings.HasPrefix(mode, types.ContainerPrefix):
		w.found.refuse("foreign_container", s.Name, "network_mode %q", mode)
	default:
		w.found.refuse("external_network", s.Name, "network_mode %q is a network that others use too", mode)
	}
	set(o, "network_mode", mode)
}

// order writes which service waits for which.
func (w *writer) order(s *types.ServiceConfig, o object) {
	var names []string
	long := object{}
	plain := true
	for name, d := range s.DependsOn {
		if !w.serves(name) {
			continue // not required, or the loader had refused it
		}
		names = append(names, name)
		condition := d.Condition
		if condition == "" {
			condition = types.ServiceConditionStarted
		}
		plain = plain && condition == types.ServiceConditionStarted
		long[name] = object{"condition": condition}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
	case plain:
		o["depends_on"] = names
	default:
		o["depends_on"] = long
		w.found.warn("tool_depends_on", s.Name, "depends_on with a condition: podman-compose 1.0.3 starts it without waiting")
	}
	setList(o, "links", s.Links)
	setList(o, "external_links", s.ExternalLinks)
	for _, link := range s.ExternalLinks {
		w.found.refuse("foreign_container", s.Name, "external_links %q", link)
	}
	setList(o, "volumes_from", s.VolumesFrom)
	for _, from := range s.VolumesFrom {
		if strings.HasPrefix(from, types.ContainerPrefix) {
			w.found.refuse("foreign_container", s.Name, "volumes_from %q", from)
		}
	}
	if n := s.GetScale(); n != 1 {
		w.found.fail("scale", s.Name, "%d containers of one service: only 1 is supported", n)
	}
}
