package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/tegwick/sand-boxer"
)

// A writer looks through a loaded project, and writes down what it has looked
// at: nothing else gets into the file that is uploaded.
//
// That keeps to what docker compose 2, docker-compose 1.29 and podman-compose
// 1.0.3 read alike: short forms, no version and no name, nothing null. It is
// JSON, which is YAML in which no two readers differ on what a string is.
type writer struct {
	project *types.Project
	tree    *tree
	found   *findings
	root    string        // directory of the profile
	env     types.Mapping // of .env

	file     []byte
	services []Service
	spec     sandboxer.Compose
	own      string            // name of the compose file in the profile
	binds    []bindMount       // of all services
	built    map[string]string // service that builds it, by name of the image
	extra    map[string][]byte // files to be uploaded that the tree does not have; nil is a directory
}

// object is a mapping of the file. encoding/json sorts its keys.
type object map[string]any

// set adds what is not empty.
func set[T comparable](o object, key string, value T) {
	var zero T
	if value != zero {
		o[key] = value
	}
}

func setList[T any](o object, key string, list []T) {
	if len(list) > 0 {
		o[key] = list
	}
}

const header = "# Written by sandboxer from a profile. All variables but those of SANDBOXER_ are filled in.\n"

func (w *writer) write() error {
	w.built, w.extra = map[string]string{}, map[string][]byte{}
	w.spec.File = composeFile
	if err := w.readFiles(); err != nil {
		return err
	}
	if w.project.Volumes == nil {
		w.project.Volumes = types.Volumes{}
	}
	names := slices.Sorted(maps.Keys(w.project.Services))
	if len(names) == 0 {
		w.found.fail("no_service", "", "no service is active without a compose profile")
	}
	for _, name := range names {
		if s := w.project.Services[name]; s.Build != nil && s.Image != "" {
			w.built[s.Image] = name
		}
	}
	services := object{}
	for _, name := range names {
		s := w.project.Services[name]
		services[name] = w.service(&s)
		w.spec.Services = append(w.spec.Services, name)
	}
	doc := object{"services": services}
	if networks := w.networks(); len(networks) > 0 {
		doc["networks"] = networks
	}
	if volumes := w.volumes(); len(volumes) > 0 {
		doc["volumes"] = volumes
	}
	w.nested()
	w.topLevel()
	var err error
	w.file, err = encode(doc)
	return err
}

// topLevel names what else there is.
func (w *writer) topLevel() {
	if len(w.project.Jobs) > 0 {
		w.found.fail("unsupported_key", "", "jobs are not supported")
	}
	if len(w.project.Models) > 0 {
		w.found.fail("unsupported_key", "", "models are not supported")
	}
}

// encode writes doc so that every tool reads the same: no character that YAML
// does not allow, no variable that is not meant.
func encode(doc object) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(literals(doc)); err != nil {
		return nil, fmt.Errorf("write the compose file: %w", err)
	}
	return printable(b.Bytes()), nil
}

// literals makes all strings but keys literal: keys know no variables.
func literals(value any) any {
	switch v := value.(type) {
	case string:
		return literal(v)
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = literal(v[i])
		}
		return out
	case []any:
		for i := range v {
			v[i] = literals(v[i])
		}
		return v
	case map[string]string:
		out := make(object, len(v))
		for key := range v {
			out[key] = literal(v[key])
		}
		return out
	case object:
		for key := range v {
			v[key] = literals(v[key])
		}
		return v
	}
	return value
}

// printable escapes what JSON leaves and YAML 1.1 forbids in a stream: DEL, C1
// control characters, the byte order mark and two that are no characters.
// (https://yaml.org/spec/1.1/#c-printable)
func printable(data []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(data) {
		if r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.Bytes()
}

// compose is what a Spec says of the file.
func (w *writer) compose() *sandboxer.Compose {
	spec := w.spec
	slices.Sort(spec.Images)
	spec.Images = slices.Compact(spec.Images)
	return &spec
}

// upload is all that goes to a host.
func (w *writer) upload() *tree {
	files := maps.Clone(w.extra)
	files[composeFile] = w.file
	return w.tree.with(files)
}

// networks are those that some service uses: podman-compose refuses others.
func (w *writer) networks() object {
	all := object{}
	for _, name := range slices.Sorted(maps.Keys(w.project.Networks)) {
		if !w.usesNetwork(name) {
			continue
		}
		n, o := w.project.Networks[name], object{}
		if !w.external("network", name, n.Name, bool(n.External), o) {
			w.spec.Networks = append(w.spec.Networks, name)
			if n.Driver != "" && n.Driver != "bridge" || len(n.DriverOpts) > 0 || n.Ipam.Driver != "" && n.Ipam.Driver != "default" || len(n.Ipam.Options) > 0 {
				w.found.refuse("network_driver", "", "network %q: driver %q, or options for it", name, n.Driver)
			}
			set(o, "driver", n.Driver)
			if len(n.DriverOpts) > 0 {
				o["driver_opts"] = map[string]string(n.DriverOpts)
			}
			set(o, "internal", n.Internal)
			if n.Attachable {
				w.found.warn("ignored_key", "", "network %q: attachable is for a swarm, and left out", name)
			}
			if n.EnableIPv6 != nil || n.EnableIPv4 != nil {
				w.found.warn("ignored_key", "", "network %q: enable_ipv4 and enable_ipv6 are left out, as not every tool knows them", name)
			}
			w.ipam(name, n.Ipam, o)
			w.labels("", fmt.Sprintf("network %q", name), n.Labels, o)
		}
		all[name] = o
	}
	return all
}

func (w *writer) ipam(name string, ipam types.IPAMConfig, o object) {
	var pools []any
	for _, pool := range ipam.Config {
		if pool == nil {
			continue
		}
		p := object{}
		set(p, "subnet", pool.Subnet)
		set(p, "gateway", pool.Gateway)
		set(p, "ip_range", pool.IPRange)
		if len(pool.AuxiliaryAddresses) > 0 {
			p["aux_addresses"] = map[string]string(pool.AuxiliaryAddresses)
		}
		if len(p) > 0 {
			w.found.refuse("fixed_address", "", "network %q: fixed subnet %q", name, pool.Subnet)
			pools = append(pools, p)
		}
	}
	out := object{}
	set(out, "driver", ipam.Driver)
	setList(out, "config", pools)
	if len(ipam.Options) > 0 {
		out["options"] = map[string]string(ipam.Options)
	}
	if len(out) > 0 {
		o["ipam"] = out
	}
}

func (w *writer) usesNetwork(name string) bool {
	for _, s := range w.project.Services {
		if _, ok := s.Networks[name]; ok {
			return true
		}
	}
	return false
}

func (w *writer) volumes() object {
	all := object{}
	for _, name := range slices.Sorted(maps.Keys(w.project.Volumes)) {
		v, o := w.project.Volumes[name], object{}
		if !w.external("volume", name, v.Name, bool(v.External), o) {
			w.spec.Volumes = append(w.spec.Volumes, name)
			if v.Driver != "" && v.Driver != "local" || len(v.DriverOpts) > 0 {
				w.found.refuse("volume_driver", "", "volume %q: driver %q, or options for it", name, v.Driver)
			}
			set(o, "driver", v.Driver)
			if len(v.DriverOpts) > 0 {
				o["driver_opts"] = map[string]string(v.DriverOpts)
			}
			for _, key := range slices.Sorted(maps.Keys(v.Labels)) {
				if strings.ContainsAny(key+v.Labels[key], ",\"") {
					w.found.fail("volume_label", "", "volume %q: label %q: podman takes neither commas nor double quotes in labels of volumes", name, key)
				}
			}
			if device := v.DriverOpts["device"]; device != "" && !strings.HasPrefix(device, ":") && v.DriverOpts["type"] != "tmpfs" {
				if climbs(device) {
					w.found.fail("outside_path", "", "volume %q: device %q: \"..\" is not supported", name, device)
				}
				what := fmt.Sprintf("volume %q: device", name)
				w.hostPath("", what, device)
				w.binds = append(w.binds, bindMount{"", what, path.Clean(device), true})
			}
			w.labels("", fmt.Sprintf("volume %q", name), v.Labels, o)
		}
		all[name] = o
	}
	return all
}

// resourceName is what every engine takes for a volume or a network; anything
// else could be a path or an option to it.
var resourceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// external deals with what the sandbox does not own, or what has a name that
// is not made of the sandbox's own; it reports the former.
func (w *writer) external(kind, key, name string, external bool, o object) bool {
	for _, word := range []string{key, strings.ReplaceAll(strings.ReplaceAll(name, placeholder("SANDBOXER_ID"), "id"), projectName, "id")} {
		if word != "" && !resourceName.MatchString(word) {
			w.found.fail(Code(kind+"_name"), "", "%q is no name of a %s: it is not of letters, digits, _, . and -, or begins with one of the last three", literal(word), kind)
		}
	}
	if kind == "network" && name == "host" {
		w.found.refuse("host_network", "", "network %q is that of the host", key)
	}
	switch {
	case external:
		code := Code("external_" + kind)
		w.found.refuse(code, "", "%s %q is external: it is neither made nor removed with the sandbox", kind, name)
		o["external"], o["name"] = true, name
	case name != projectName+"_"+key && name != "":
		w.found.refuse("global_name", "", "%s %q has the name %q on the whole host", kind, key, name)
		o["name"] = name
	}
	return external
}

var reservedLabels = regexp.MustCompile(`^(sandboxer|com\.docker\.compose|io\.podman\.compose)(\.|$)`)

func (w *writer) labels(service, what string, labels types.Labels, o object) {
	out := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		switch {
		case key == readyLabel && service != "":
		case reservedLabels.MatchString(key):
			w.found.fail("reserved_label", service, "%s: label %q belongs to sandboxer or to the compose tool", what, key)
		default:
			out[key] = labels[key]
		}
	}
	if len(out) > 0 {
		o["labels"] = out
	}
}
