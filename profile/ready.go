package profile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/tegwick/sand-boxer"
)

// readyLabel says on a service what it must answer to be ready, apart from
// what its engine says of it: "tcp:PORT" or "http:PORT/PATH", several with
// commas between them. An HTTP check is made from the host, so its port is to
// be published.
const readyLabel = "sandboxer.ready"

// ready reads the label of s.
func (w *writer) ready(s *types.ServiceConfig, short *Service) {
	label, ok := s.Labels[readyLabel]
	if !ok {
		return
	}
	for _, text := range strings.Split(label, ",") {
		text = strings.TrimSpace(text)
		check, err := parseReady(text)
		if err != nil {
			w.found.fail("ready", s.Name, "label %s: %v", readyLabel, err)
			continue
		}
		check.Service = s.Name
		if check.HTTP != "" && !publishes(s, check.Port) {
			w.found.fail("ready", s.Name, "label %s: %q: port %d is not published, and is asked from the host", readyLabel, text, check.Port)
			continue
		}
		w.spec.Ready = append(w.spec.Ready, check)
		short.Ready = append(short.Ready, text)
	}
}

func parseReady(text string) (sandboxer.ReadyCheck, error) {
	bad := fmt.Errorf("%q: want tcp:PORT or http:PORT/PATH", abbreviate(text))
	kind, rest, _ := strings.Cut(text, ":")
	number, path, hasPath := strings.Cut(rest, "/")
	port, err := strconv.ParseUint(number, 10, 16)
	switch {
	case err != nil, port == 0, kind != "tcp" && kind != "http", kind == "tcp" && hasPath:
		return sandboxer.ReadyCheck{}, bad
	case kind == "tcp":
		return sandboxer.ReadyCheck{Port: int64(port)}, nil
	case strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' || r == '\'' || r == '"' || r == '\\' }):
		return sandboxer.ReadyCheck{}, bad
	}
	return sandboxer.ReadyCheck{Port: int64(port), HTTP: "/" + path}, nil
}

func publishes(s *types.ServiceConfig, port int64) bool {
	for _, p := range s.Ports {
		if int64(p.Target) == port && p.Protocol != "udp" {
			return true
		}
	}
	return false
}
