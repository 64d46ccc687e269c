package compose

import (
	"encoding/json"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A part of the override file: of a service, a network or a volume.
type part struct {
	Labels     map[string]string `json:"labels"`
	Image      string            `json:"image,omitempty"`
	PullPolicy string            `json:"pull_policy,omitempty"`
}

// override returns a compose file (JSON is YAML) that adds labels to all that
// c names and names the images that are built. An image gets no label: a
// container would inherit it, and look like the sandbox's own.
func (t tool) override(c sandboxer.Compose, box sandboxer.Placement) ([]byte, error) {
	labels := make(map[string]string)
	for name, value := range box.Labels() {
		if t.engine == sandboxer.EnginePodman {
			value = strings.NewReplacer(",", "_", `"`, "_").Replace(value) // it reads a label as a line of CSV
		}
		labels[name] = strings.ReplaceAll(value, "$", "$$") // no variable
	}
	labelled := func(names []string) map[string]part {
		parts := make(map[string]part, len(names))
		for _, name := range names {
			parts[name] = part{Labels: labels}
		}
		return parts
	}
	file := struct {
		Services map[string]part `json:"services"`
		Networks map[string]part `json:"networks,omitempty"`
		Volumes  map[string]part `json:"volumes,omitempty"`
		Podman   map[string]any  `json:"x-podman,omitempty"`
	}{Services: labelled(c.Services), Networks: labelled(c.Networks), Volumes: labelled(c.Volumes)}
	for name, service := range file.Services {
		if slices.Contains(c.Builds, name) {
			service.Image = builtImage(box.ID, name)
		}
		if t.engine == sandboxer.EnginePodman {
			service.PullPolicy = "never" // its tool has no flag for that
		}
		file.Services[name] = service
	}
	if t.engine == sandboxer.EnginePodman {
		file.Podman = map[string]any{"in_pod": false} // a pod cannot be labelled
	}
	return json.Marshal(file)
}

// builtImage is the name of the image that is built for a service.
func builtImage(id sandboxer.ID, service string) string { return imageName(id) + ":" + service }
