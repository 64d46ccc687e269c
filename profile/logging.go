package profile

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// With these drivers and options logs stay with the engine, which removes them
// with the container. Others name a file, a socket or a machine.
var (
	ordinaryLogs       = []string{"", "json-file", "local", "none", "k8s-file"}
	ordinaryLogOptions = strings.Fields("max-size max-file compress mode max-buffer-size")

	// logOption is a value that podman does not take for several options.
	logOption = regexp.MustCompile(`^[a-zA-Z0-9.-]*$`)
)

// logging writes where the logs of a container go.
func (w *writer) logging(service string, l *types.LoggingConfig) object {
	o := object{}
	if !slices.Contains(ordinaryLogs, l.Driver) {
		w.found.refuse("logging", service, "logging.driver %q", l.Driver)
	}
	for _, key := range slices.Sorted(maps.Keys(l.Options)) {
		if value := l.Options[key]; !slices.Contains(ordinaryLogOptions, key) || !logOption.MatchString(value) {
			w.found.refuse("logging", service, "logging.options: %q is %q", key, value)
		}
	}
	set(o, "driver", l.Driver)
	if len(l.Options) > 0 {
		o["options"] = map[string]string(l.Options)
	}
	return o
}
