package probe

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// podman's answers, of which the fields wanted. Times are seconds since 1970.
type (
	podmanVersion struct {
		Client struct{ Version, APIVersion string }
	}
	podmanContainer struct {
		ID, ImageID         string
		Names               []string
		State               string
		Labels              map[string]string
		StartedAt, ExitedAt int64
		Ports               []struct {
			HostIP        string `json:"host_ip"`
			ContainerPort int64  `json:"container_port"`
			HostPort      int64  `json:"host_port"`
			Range         int64  `json:"range"`
			Protocol      string `json:"protocol"`
		}
	}
	podmanNetwork struct {
		ID, Name string
		Labels   map[string]string
	}
	podmanImage struct {
		ID     string
		Names  []string
		Labels map[string]string
	}
)

// podman reads podman's state and all it holds.
func (r *reading) podman() engine {
	const name = sandboxer.EnginePodman
	var e engine
	switch r.self.podman {
	case "cli":
		e = r.podmanCLI()
	case "absent":
		e = newEngine(name, sandboxer.EngineAbsent, sandboxer.SourceAbsent, "")
	case "unused":
		e = newEngine(name, sandboxer.EngineUnused, sandboxer.SourceAbsent, "this user has no storage yet")
		e.source.Detail = nil
	case "no_timeout":
		e = newEngine(name, sandboxer.EngineUnknown, parseError, "not asked: the host has no timeout(1) to stop a client that hangs")
	default:
		e = newEngine(name, sandboxer.EngineUnknown, truncated, "")
	}
	if r.self.tools["podman-compose"] {
		e.info.ComposeTools = append(e.info.ComposeTools, "podman-compose")
	}
	r.whyEngine(1, e)
	return e
}

func (r *reading) podmanCLI() engine {
	const name = sandboxer.EnginePodman
	parts := map[string][]byte{}
	for _, part := range []string{"version", "containers", "networks", "volumes", "images"} {
		s, begun := r.sections["podman_"+part]
		if !s.whole || s.code != 0 {
			return failed(name, s, begun, lastLine(s.body))
		}
		parts[part] = s.body
	}
	e := newEngine(name, sandboxer.EngineOK, sandboxer.SourceComplete, "")
	var version podmanVersion
	if err := json.Unmarshal(parts["version"], &version); err != nil {
		return unreadable(name, "version: "+err.Error())
	}
	e.info.Version, e.info.APIVersion = nonEmpty(version.Client.Version), nonEmpty(version.Client.APIVersion)
	e.info.RootDir = nonEmpty(r.self.storage)
	if uid := r.obs.Snapshot.Identity.UID; uid != nil {
		e.info.Rootless = new(*uid != 0)
	}
	if err := e.readPodman(parts); err != nil {
		return unreadable(name, err.Error())
	}
	e.count()
	return e
}

func (e *engine) readPodman(parts map[string][]byte) error {
	const name = sandboxer.EnginePodman
	containers, err := decodeAll[podmanContainer](parts["containers"])
	if err != nil {
		return fmt.Errorf("containers: %w", err)
	}
	for _, c := range containers {
		e.things = append(e.things, c.thing())
	}
	networks, err := decodeAll[podmanNetwork](parts["networks"])
	if err != nil {
		return fmt.Errorf("networks: %w", err)
	}
	for _, n := range networks {
		e.things = append(e.things, newThing(name, sandboxer.KindNetwork, n.ID, n.Name, n.Labels))
	}
	volumes, err := decodeAll[dockerVolume](parts["volumes"])
	if err != nil {
		return fmt.Errorf("volumes: %w", err)
	}
	for _, v := range volumes {
		e.things = append(e.things, newThing(name, sandboxer.KindVolume, v.Name, v.Name, v.Labels))
	}
	images, err := decodeAll[podmanImage](parts["images"])
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	for _, i := range images {
		e.addImage(i.ID, i.Names, i.Labels)
	}
	return nil
}

func (c podmanContainer) thing() thing {
	var name string
	if len(c.Names) > 0 {
		name = c.Names[0]
	}
	t := newThing(sandboxer.EnginePodman, sandboxer.KindContainer, c.ID, name, c.Labels)
	t.State, t.image = &c.State, c.ImageID
	t.StartedAt = goodTime(time.Unix(c.StartedAt, 0))
	if c.State != "running" && c.State != "paused" {
		t.EndedAt = goodTime(time.Unix(c.ExitedAt, 0))
	}
	for _, p := range c.Ports {
		for i := range max(1, min(p.Range, 1<<16)) {
			t.addPort(strconv.FormatInt(p.ContainerPort+i, 10)+"/"+p.Protocol, p.HostIP, new(p.HostPort+i))
		}
	}
	return t
}
