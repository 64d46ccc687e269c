package compose

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

//go:embed up.sh
var upScript string

// imageName is the name of a sandbox's own image.
func imageName(id sandboxer.ID) string { return "localhost/sandboxer/" + string(id) }

func (t tool) up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	if err := check(spec); err != nil {
		return sandboxer.Started{}, &sandboxer.PhaseError{Phase: sandboxer.PhaseValidate, Err: err}
	}
	script, err := t.script(spec, box)
	if err != nil {
		return sandboxer.Started{}, &sandboxer.PhaseError{Phase: sandboxer.PhaseStart, Err: err}
	}
	answer, err := script.Run(ctx, host)
	started, failure := t.read(answer, spec, box)
	if err != nil { // then what the answer says is not all there is to say
		return started, &sandboxer.PhaseError{Phase: answer.Phase(sandboxer.PhaseStart), Err: err}
	}
	if failure != nil {
		return started, failure
	}
	return started, nil
}

func (t tool) script(spec sandboxer.Spec, box sandboxer.Placement) (bringup.Script, error) {
	override, err := override(*spec.Compose, box.Labels())
	if err != nil {
		return bringup.Script{}, err
	}
	uid, gid := "", "" // the user's own on the host
	if box.Engine.Rootless != nil && *box.Engine.Rootless {
		uid, gid = "0", "0" // which is that user, in a rootless engine
	}
	vars := append(bringup.Settings(spec, box),
		bringup.Var{Name: "image", Value: imageName(box.ID)},
		bringup.Var{Name: "file", Value: spec.Compose.File},
		bringup.Var{Name: "rootfs", Value: spec.Compose.Rootfs},
		bringup.Var{Name: "services", Value: strings.Join(spec.Compose.Services, " ")},
		bringup.Var{Name: "builds", Value: strings.Join(spec.Compose.Builds, " ")},
		bringup.Var{Name: "override", Value: string(override)},
		bringup.Var{Name: "uid", Value: uid},
		bringup.Var{Name: "gid", Value: gid},
	)
	return bringup.Script{Vars: vars, Body: t.functions + upScript, Args: spec.HostCheck}, nil
}

// serviceName is what compose tools take for a service, less what a shell
// would not take as one word.
var serviceName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]*$`)

func check(spec sandboxer.Spec) error {
	c := spec.Compose
	if c == nil {
		return errors.New("the profile has no compose file")
	}
	if len(c.Services) == 0 {
		return errors.New("the profile names no service")
	}
	for _, name := range append(append([]string{}, c.Services...), c.Builds...) {
		if !serviceName.MatchString(name) {
			return fmt.Errorf("%q is no name of a service", name)
		}
	}
	if len(c.Builds) > 0 && c.Rootfs != "" {
		return errors.New("the profile has both an image to build and a directory that is one")
	}
	for _, name := range []string{c.File, c.Rootfs, spec.ReadyFile} {
		if name != "" && !fs.ValidPath(name) {
			return fmt.Errorf("%q is no path within the profile's files", name)
		}
	}
	return nil
}

// override returns a compose file (JSON is YAML) that adds labels to all that
// c names, and nothing else. An image gets none: a container would inherit
// them, and look like the sandbox's own.
func override(c sandboxer.Compose, labels map[string]string) ([]byte, error) {
	type part struct {
		Labels map[string]string `json:"labels"`
	}
	literal := make(map[string]string, len(labels))
	for name, value := range labels {
		literal[name] = strings.ReplaceAll(value, "$", "$$") // no variable
	}
	all := func(names []string) map[string]part {
		parts := make(map[string]part, len(names))
		for _, name := range names {
			parts[name] = part{literal}
		}
		return parts
	}
	return json.Marshal(struct {
		Services map[string]part `json:"services"`
		Networks map[string]part `json:"networks,omitempty"`
		Volumes  map[string]part `json:"volumes,omitempty"`
	}{all(c.Services), all(c.Networks), all(c.Volumes)})
}
