package compose

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
)

//go:embed await.sh
var awaitScript string

//go:embed ready.sh
var readyScript string

//go:embed up.sh
var upScript string

// imageName is the name of a sandbox's own image.
func imageName(id sandboxer.ID) string { return "localhost/sandboxer/" + string(id) }

func (t tool) up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	if err := t.check(spec); err != nil {
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
	override, err := t.override(*spec.Compose, box)
	if err != nil {
		return bringup.Script{}, err
	}
	uid, gid := "", "" // the user's own on the host
	if t.rootless(box) {
		uid, gid = "0", "0" // which is that user, in a rootless engine
	}
	c := spec.Compose
	var checks strings.Builder
	for _, r := range c.Ready {
		fmt.Fprintf(&checks, "\n%s %d %s", r.Service, r.Port, r.HTTP)
	}
	vars := append(bringup.Settings(spec, box), t.vars()...)
	vars = append(vars,
		bringup.Var{Name: "program", Value: t.program},
		bringup.Var{Name: "engine_name", Value: string(t.engine)},
		bringup.Var{Name: "image", Value: imageName(box.ID)},
		bringup.Var{Name: "file", Value: c.File},
		bringup.Var{Name: "rootfs", Value: c.Rootfs},
		bringup.Var{Name: "services", Value: strings.Join(c.Services, " ")},
		bringup.Var{Name: "builds", Value: strings.Join(c.Builds, " ")},
		bringup.Var{Name: "images", Value: strings.Join(c.Images, " ")},
		bringup.Var{Name: "checks", Value: checks.String()},
		bringup.Var{Name: "override", Value: string(override)},
		bringup.Var{Name: "uid", Value: uid},
		bringup.Var{Name: "gid", Value: gid},
	)
	body := t.asks + t.drives + awaitScript + readyScript + upScript
	return bringup.Script{Vars: vars, Body: body, Args: spec.HostCheck}, nil
}
