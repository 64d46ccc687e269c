// Package compose runs sandboxes in container engines, by the compose tool
// that goes with each.
//
// The compose tool only builds and starts. What came of that, and what is
// removed in the end, is settled with the engine itself: compose tools exit
// with 0 where nothing runs, and remove by names that others may use too.
//
// No image that a service names is ever pulled. One of the sandbox's own is
// either a directory as it is (sandboxer.Compose.Rootfs), which leaves nothing
// behind, or is built from the profile's files, and is then named after the
// sandbox, whatever its compose file calls it.
//
// Environment variables COMPOSE_* of the host's user, and COMPOSE_*, DOCKER_*,
// PODMAN_* and SANDBOXER_* of a .env file in the profile, are not heeded. The
// others of that file fill in the compose file as usual, and so do
// SANDBOXER_ID, SANDBOXER_NONCE, SANDBOXER_IMAGE, SANDBOXER_UID and
// SANDBOXER_GID.
//
// Where Spec.ReadyFile is empty, a sandbox is ready when its services have been
// running for a second, or have ended with status 0, and Compose.Ready holds.
package compose

import (
	"context"
	"fmt"
	"slices"

	sandboxer "github.com/tegwick/sand-boxer"
)

// Docker runs sandboxes in docker, by its plugin "docker compose" of version 2
// or later. The zero value is ready for use.
//
// What is built is built by the builder that the tool chooses. That is
// BuildKit: what it has cached of a build stays when the image goes, until
// docker's own garbage collection or "docker builder prune". DOCKER_BUILDKIT=0
// in the environment of the host's user chooses the classic builder, which
// keeps no cache, is slower, and leaves the untagged layers and the container
// of a build that fails.
type Docker struct {
	Sudo    bool   // engine and tool are called through "sudo -n"
	Program string // path of docker on the host; empty: the docker in PATH
}

// DockerCompose runs sandboxes in docker, by the program "docker-compose" of
// version 1 (from 1.25) or later. The zero value is ready for use.
//
// Version 1 builds by docker's classic builder: see Docker.
type DockerCompose struct {
	Sudo    bool   // engine and tool are called through "sudo -n"
	Program string // path of docker-compose on the host; empty: the one in PATH
}

// Podman runs sandboxes in podman, root's or the user's own, by
// "podman-compose" from 1.0.3 on. The zero value is ready for use.
//
// That tool takes relative paths from the directory of the compose file, which
// has to be the profile's own. What of a profile's .env is not to be heeded is
// taken out of the file itself.
type Podman struct {
	Sudo    bool   // engine and tool are called through "sudo -n": the engine is root's
	Program string // path of podman-compose on the host; empty: the one in PATH
}

var (
	_ sandboxer.Provisioner   = Docker{}
	_ sandboxer.EngineChecker = Docker{}
	_ sandboxer.Provisioner   = DockerCompose{}
	_ sandboxer.EngineChecker = DockerCompose{}
	_ sandboxer.Provisioner   = Podman{}
	_ sandboxer.EngineChecker = Podman{}
)

// Engine returns sandboxer.EngineDocker.
func (Docker) Engine() sandboxer.Engine { return sandboxer.EngineDocker }

// Usable returns an error unless the host has the plugin.
func (d Docker) Usable(info sandboxer.EngineInfo) error { return d.tool().usable(info) }

// Up brings the sandbox up; see sandboxer.Provisioner. Volumes, networks and
// services are labelled by an override file that it writes beside the
// sandbox's record; those that spec does not name stay without labels and so
// are never removed.
func (d Docker) Up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	return d.tool().up(ctx, host, spec, box)
}

// Teardown removes containers, networks, volumes and the sandbox's images; see
// sandboxer.Provisioner. It never asks the compose tool. Resources that rec
// lists need no label; resources that it does not list must carry the id and
// the nonce, and a container must not have them from its image.
func (d Docker) Teardown(rec sandboxer.Record) sandboxer.Script { return d.tool().teardown(rec) }

// Engine returns sandboxer.EngineDocker.
func (DockerCompose) Engine() sandboxer.Engine { return sandboxer.EngineDocker }

// Usable returns an error unless the host has the program.
func (d DockerCompose) Usable(info sandboxer.EngineInfo) error { return d.tool().usable(info) }

// Up brings the sandbox up, as Docker.Up does.
func (d DockerCompose) Up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	return d.tool().up(ctx, host, spec, box)
}

// Teardown removes what Docker.Teardown does.
func (d DockerCompose) Teardown(rec sandboxer.Record) sandboxer.Script { return d.tool().teardown(rec) }

// Engine returns sandboxer.EnginePodman.
func (Podman) Engine() sandboxer.Engine { return sandboxer.EnginePodman }

// Usable returns an error unless the host has the program.
func (p Podman) Usable(info sandboxer.EngineInfo) error { return p.tool().usable(info) }

// Up brings the sandbox up, as Docker.Up does.
func (p Podman) Up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	return p.tool().up(ctx, host, spec, box)
}

// Teardown removes what Docker.Teardown does, and the pod of the sandbox's
// name if nothing else is in it.
func (p Podman) Teardown(rec sandboxer.Record) sandboxer.Script { return p.tool().teardown(rec) }

// usable returns an error unless the host has the tool. One that is named by
// its path, or that only root may have, shows when it is called.
func (t tool) usable(info sandboxer.EngineInfo) error {
	if t.path || t.sudo || slices.Contains(info.ComposeTools, t.name) {
		return nil
	}
	return fmt.Errorf("%q is not installed on the host", t.name)
}
