package compose

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

// A container is what up.sh prints of one, on a line that begins with "json":
//
//	json {"Id":"5e6c…","Name":"/canary-4k9x-canary-1","Created":"2026-11-23T21:20:45.1Z",
//	"Image":"sha256:5617…","ImageName":"localhost/sandboxer/canary-4k9x","Service":"canary",
//	"State":{"Status":"running",…},"Restarts":0,"Ports":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"32768"}]}}
type container struct {
	ID        string `json:"Id"`
	Name      string
	Created   time.Time
	Image     string
	ImageName string
	Service   string
	State     containerState
	Restarts  int
	Ports     map[string][]struct{ HostIP, HostPort string } // encoding/json takes HostIp for it
}

// A containerState is .State of docker inspect.
type containerState struct {
	Status                string
	ExitCode              int
	OOMKilled             bool
	Error                 string
	StartedAt, FinishedAt time.Time
}

// read turns the answer of up.sh into what was started and, where that is not
// a sandbox that is ready, why.
func (t tool) read(answer bringup.Answer, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	started := sandboxer.Started{Isolation: "container", Compose: t.readVersion(answer.Find("tool").Body)}
	containers, err := readContainers(answer.Find("containers").Body)
	if err == nil {
		started.StartMS = startMS(containers)
		started.Resources = t.resources(answer, containers, box)
		started.Ports, err = readPorts(containers, spec.Compose.Services)
	}
	if fault := answer.Find("fault"); fault.Name != "" {
		return started, t.explain(answer, containers, spec, box)
	}
	if err == nil {
		err = answer.Fill(&started)
	}
	if err != nil {
		return started, &sandboxer.PhaseError{Phase: answer.Phase(sandboxer.PhaseStart), Err: err}
	}
	return started, nil
}

func readContainers(body []byte) ([]container, error) {
	var all []container
	for line := range strings.Lines(string(body)) {
		text, ok := strings.CutPrefix(line, "json ")
		if !ok {
			continue
		}
		var c container
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			return all, fmt.Errorf("read a container's state: %w", err)
		}
		c.Name = strings.TrimPrefix(c.Name, "/")
		all = append(all, c)
	}
	return all, nil
}

// startMS is the longest time between the creation of a container and its
// start, by the engine's clock.
func startMS(containers []container) *int64 {
	var longest *int64
	for _, c := range containers {
		if c.Restarts > 0 || c.State.StartedAt.Before(c.Created) { // year 1 is never
			continue
		}
		if ms := c.State.StartedAt.Sub(c.Created).Milliseconds(); longest == nil || ms > *longest {
			longest = &ms
		}
	}
	return longest
}

func (t tool) resources(answer bringup.Answer, containers []container, box sandboxer.Placement) []sandboxer.Resource {
	var all []sandboxer.Resource
	add := func(kind sandboxer.ResourceKind, ref, name string) *sandboxer.Resource {
		all = append(all, sandboxer.Resource{
			Engine: t.engine, Kind: kind, Ref: ref, Name: name,
			SandboxID: &box.ID, Nonce: box.Nonce, Project: string(box.ID),
		})
		return &all[len(all)-1]
	}
	images := map[string]string{} // ids by name
	for _, c := range containers {
		r := add(sandboxer.KindContainer, c.ID, c.Name)
		r.Service, r.State = &c.Service, &c.State.Status
		r.StartedAt, r.EndedAt = instant(c.State.StartedAt), instant(c.State.FinishedAt)
		if name, _, _ := strings.Cut(c.ImageName, ":"); name == imageName(box.ID) {
			images[strings.TrimSuffix(c.ImageName, ":latest")] = c.Image
		}
	}
	for line := range strings.Lines(string(answer.Find("networks").Body)) {
		if ref, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			add(sandboxer.KindNetwork, ref, name)
		}
	}
	for line := range strings.Lines(string(answer.Find("volumes").Body)) {
		if name := strings.TrimSpace(line); name != "" {
			add(sandboxer.KindVolume, name, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		add(sandboxer.KindImage, images[name], name)
	}
	return all
}

// instant returns nil for the year 1, which is docker's "never".
func instant(t time.Time) *time.Time {
	if t.Year() <= 1 {
		return nil
	}
	t = t.UTC()
	return &t
}

// readPorts returns what is published, in the order of the services and then
// of the ports within them, so that the first is the one the script has told
// to the check from the host.
func readPorts(containers []container, services []string) ([]sandboxer.Port, error) {
	var all []sandboxer.Port
	for _, c := range containers {
		for spec, published := range c.Ports {
			number, protocol, _ := strings.Cut(spec, "/")
			inside, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("port %q of service %s: %w", spec, c.Service, err)
			}
			for _, at := range published {
				outside, err := strconv.ParseInt(at.HostPort, 10, 64)
				if err != nil {
					return nil, fmt.Errorf("host port of %q of service %s: %w", spec, c.Service, err)
				}
				all = append(all, sandboxer.Port{
					Service: c.Service, Protocol: protocol, HostIP: at.HostIP, HostPort: outside, ContainerPort: inside,
				})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b sandboxer.Port) int {
		return cmp.Or(
			cmp.Compare(slices.Index(services, a.Service), slices.Index(services, b.Service)),
			cmp.Compare(a.ContainerPort, b.ContainerPort),
			cmp.Compare(a.Protocol, b.Protocol),
			compareIP(a.HostIP, b.HostIP),
		)
	})
	return all, nil
}

// compareIP puts IPv4 before IPv6, as docker does.
func compareIP(a, b string) int {
	x, _ := netip.ParseAddr(a)
	y, _ := netip.ParseAddr(b)
	return x.Compare(y)
}
