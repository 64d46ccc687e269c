package probe

import (
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

// times adds what only an inspection tells. Without it nobody knows when
// sandboxes were last active, so the engine's answer is not complete.
func (e *engine) times(s section, body []byte) {
	if e.info.Status != sandboxer.EngineOK {
		return
	}
	inspected, err := decodeAll[dockerInspection](body)
	switch {
	case !s.whole:
		e.source.Status = truncated
	case s.code == exitTimeout || s.code == curlTimeout:
		e.source.Status = timedOut
	case s.code != 0 && len(inspected) == 0 || err != nil:
		e.source.Status = parseError
	}
	if !e.source.Complete() {
		e.source.Detail = new("inspection of sandboxes' containers")
	}
	byID := map[string]dockerInspection{}
	for _, i := range inspected {
		byID[i.ID] = i
	}
	for n := range e.things {
		t := &e.things[n]
		i, ok := byID[t.Ref]
		if t.Kind != sandboxer.KindContainer || !ok {
			continue
		}
		t.StartedAt, t.pid = goodTime(i.State.StartedAt), i.State.Pid
		if *t.State != "running" && *t.State != "paused" {
			t.EndedAt = goodTime(i.State.FinishedAt)
		}
		for inside, hosts := range i.NetworkSettings.Ports {
			for _, h := range hosts {
				t.addPort(inside, h.HostIp, parseInt(h.HostPort))
			}
		}
		slices.SortFunc(t.ports, comparePorts)
	}
}

// addPort adds a published port; inside is of the form 8080/tcp.
func (t *thing) addPort(inside, ip string, port *int64) {
	number, protocol, _ := strings.Cut(inside, "/")
	target := parseInt(number)
	if target == nil || port == nil {
		return
	}
	p := sandboxer.Port{Protocol: protocol, HostIP: ip, HostPort: *port, ContainerPort: *target}
	if t.Service != nil {
		p.Service = *t.Service
	}
	t.ports = append(t.ports, p)
}
