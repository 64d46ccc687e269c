package compose

import (
	_ "embed"
	"fmt"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/bringup"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed purge.sh
var purgeScript string

var (
	_ sandboxer.Purger = Docker{}
	_ sandboxer.Purger = DockerCompose{}
	_ sandboxer.Purger = Podman{}
)

// Purge empties a directory by a container of the sandbox, which has no network
// and no capabilities but to pass over owners and modes; see sandboxer.Purger.
func (d Docker) Purge(rec sandboxer.Record, command []string) sandboxer.Script {
	return d.tool().purge(rec, command)
}

// Purge does what Docker.Purge does.
func (d DockerCompose) Purge(rec sandboxer.Record, command []string) sandboxer.Script {
	return d.tool().purge(rec, command)
}

// Purge does what Docker.Purge does, where the podman is root's. What a user's
// own has made needs no container: "podman unshare" has removed it.
func (p Podman) Purge(rec sandboxer.Record, command []string) sandboxer.Script {
	if !p.Sudo {
		return ""
	}
	return p.tool().purge(rec, command)
}

func (t tool) purge(rec sandboxer.Record, command []string) sandboxer.Script {
	if _, err := sandboxer.ParseID(string(rec.SandboxID)); err != nil || !nonceForm.MatchString(rec.Nonce) {
		return ""
	}
	var b strings.Builder
	for _, v := range append(t.vars(),
		bringup.Var{Name: "id", Value: string(rec.SandboxID)},
		bringup.Var{Name: "nonce", Value: rec.Nonce},
		bringup.Var{Name: "image", Value: imageName(rec.SandboxID)},
	) {
		fmt.Fprintf(&b, "%s=%s\n", v.Name, shellquote.Quote(v.Value))
	}
	fmt.Fprintf(&b, "helper() { contain %s; }\n", shellquote.Join(command))
	return sandboxer.Script(b.String() + t.asks + purgeScript)
}
