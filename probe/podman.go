package probe

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// podman's answers, of which the fields wanted. Times are seconds since 1970.
type (
	podmanContainer struct {
		ID, ImageID         string
		Names               []string
		State               string
		Pod, PodName        string
		IsInfra             bool
		Labels              map[string]string
		StartedAt, ExitedAt int64
		Pid                 int64
		Ports               []struct {
			HostIP        string `json:"host_ip"`
			ContainerPort int64  `json:"container_port"`
			HostPort      int64  `json:"host_port"`
			Range         int64  `json:"range"`
			Protocol      string `json:"protocol"`
		}
	}
	podmanPod struct {
		ID, Name string
		Status   string
		Labels   map[string]string
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
	case "no_sudo":
		e = newEngine(name, sandboxer.EngineForbidden, forbidden, noSudo)
	case "no_runtime":
		e = newEngine(name, sandboxer.EngineDown, string(sandboxer.EngineDown),
			"not asked: XDG_RUNTIME_DIR is not set, and "+fmt.Sprintf("/run/user/%d", value(r.uid))+" is not there")
	case "no_timeout":
		e = newEngine(name, sandboxer.EngineUnknown, parseError, "not asked: the host has no timeout(1) to stop a client that hangs")
	default:
		e = newEngine(name, sandboxer.EngineUnknown, truncated, "")
	}
	if e.info.Status != sandboxer.EngineAbsent { // unused too: what it will be is what a record is compared with
		e.info.RootDir = nonEmpty(r.self.storage)
		if r.self.led != "" { // that one's storage may be anywhere
			sum := sha256.Sum256([]byte(r.self.led))
			e.info.EngineID = new("led elsewhere: " + hex.EncodeToString(sum[:6]))
		} else {
			e.info.EngineID = new("local")
		}
		if r.uid != nil {
			e.info.Rootless = new(*r.uid != 0 && !r.sudo)
		}
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
	if s, begun := r.sections["podman_said"]; !s.whole || s.code != 0 {
		return r.failed(name, "podman_cli", s, begun) // it could not be got at
	}
	version, begun := r.sections["podman_version"]
	if !begun && r.sections["all"].whole {
		return unreadable(name, cmp.Or(string(lastLine(r.sections["podman_said"].body)), "podman ran nothing"))
	}
	if !version.whole || version.code != 0 {
		return r.failed(name, "podman_cli", version, begun)
	}
	for _, part := range []string{"containers", "networks", "volumes", "images", "pods"} {
		s, begun := r.sections["podman_"+part]
		if part == "pods" && !begun && !r.self.boxes {
			continue
		}
		if !s.whole || s.code != 0 {
			return r.failed(name, "podman_cli", s, begun)
		}
		parts[part] = jsonIn(s.body)
		if len(parts[part]) == 0 {
			return unreadable(name, part+": no JSON")
		}
	}
	e := newEngine(name, sandboxer.EngineOK, sandboxer.SourceComplete, "")
	if _, number, ok := bytes.Cut(lastLine(version.body), []byte("podman version ")); ok {
		e.info.Version = nonEmpty(string(number))
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
	if err := e.readPods(containers, parts["pods"]); err != nil {
		return fmt.Errorf("pods: %w", err)
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

// readPods adds the pods: those that containers are in, and those of the list,
// which is there where there are sandboxes. Compose tools give a pod that they
// make for a project no labels: it claims what all of its containers claim.
func (e *engine) readPods(containers []podmanContainer, data []byte) error {
	pods, err := decodeAll[podmanPod](data)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for _, p := range pods {
		listed[p.ID] = true
	}
	inside := map[string][]thing{}
	for _, c := range containers {
		if c.Pod == "" {
			continue
		}
		if !listed[c.Pod] {
			listed[c.Pod] = true
			pods = append(pods, podmanPod{ID: c.Pod, Name: c.PodName})
		}
		if !c.IsInfra {
			inside[c.Pod] = append(inside[c.Pod], c.thing())
		}
	}
	for _, p := range pods {
		t := newThing(sandboxer.EnginePodman, sandboxer.KindPod, p.ID, p.Name, p.Labels)
		t.State, t.members = nonEmpty(strings.ToLower(p.Status)), len(inside[p.ID])
		for i, m := range inside[p.ID] {
			switch {
			case i == 0 && t.SandboxID == nil:
				t.SandboxID, t.Nonce, t.Project = m.SandboxID, m.Nonce, m.Project
			case t.SandboxID == nil || m.SandboxID == nil || *t.SandboxID != *m.SandboxID || t.Nonce != m.Nonce:
				t.SandboxID, t.Nonce, t.Project = nil, "", ""
			}
		}
		e.things = append(e.things, t)
	}
	return nil
}

func (c podmanContainer) thing() thing {
	var name string
	if len(c.Names) > 0 {
		name = c.Names[0]
	}
	t := newThing(sandboxer.EnginePodman, sandboxer.KindContainer, c.ID, name, c.Labels)
	t.State, t.image, t.pid = &c.State, c.ImageID, c.Pid
	t.StartedAt = goodTime(time.Unix(c.StartedAt, 0))
	if c.State != "running" && c.State != "paused" {
		t.EndedAt = goodTime(time.Unix(c.ExitedAt, 0))
	}
	if c.State != "running" && c.State != "paused" {
		return t // what it would publish, it does not
	}
	for _, p := range c.Ports {
		for i := range max(1, min(p.Range, 1<<16)) {
			t.addPort(strconv.FormatInt(p.ContainerPort+i, 10)+"/"+p.Protocol, p.HostIP, new(p.HostPort+i))
		}
	}
	return t
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
