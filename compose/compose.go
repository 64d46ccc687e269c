// Package compose runs sandboxes in container engines, by the compose tool
// that goes with each.
//
// The compose tool only builds and starts. What came of that, and what is
// removed in the end, is settled with the engine itself: compose tools exit
// with 0 where nothing runs, and remove by names that others may use too.
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
// No image that a service names is ever pulled. One of the sandbox's own is
// either a directory as it is (sandboxer.Compose.Rootfs), which leaves nothing
// behind, or is built by the builder that the compose tool chooses. That is
// BuildKit: what it has cached of a build stays when the image goes, until
// docker's own garbage collection or "docker builder prune". DOCKER_BUILDKIT=0
// in the environment of the host's user chooses the classic builder, which
// keeps no cache, is slower, and leaves the untagged layers and the container
// of a build that fails.
//
// Environment variables COMPOSE_* of the host's user, and COMPOSE_*, DOCKER_*
// and SANDBOXER_* of a .env file in the profile, are not heeded. The others of
// that file fill in the compose file as usual, and so do SANDBOXER_ID,
// SANDBOXER_NONCE, SANDBOXER_IMAGE, SANDBOXER_UID and SANDBOXER_GID.
//
// Where Spec.ReadyFile is empty, a sandbox is ready when its services have been
// running for a second, or have ended with status 0.
type Docker struct{}

var (
	_ sandboxer.Provisioner   = Docker{}
	_ sandboxer.EngineChecker = Docker{}
)

// Engine returns sandboxer.EngineDocker.
func (Docker) Engine() sandboxer.Engine { return dockerV2.engine }

// Usable returns an error unless the engine has the plugin.
func (Docker) Usable(info sandboxer.EngineInfo) error { return dockerV2.usable(info) }

// Up brings the sandbox up; see sandboxer.Provisioner. Volumes, networks and
// services are labelled by an override file that it writes beside the
// sandbox's record; those that spec does not name stay without labels and so
// are never removed.
func (Docker) Up(ctx context.Context, host sandboxer.Host, spec sandboxer.Spec, box sandboxer.Placement) (sandboxer.Started, error) {
	return dockerV2.up(ctx, host, spec, box)
}

// Teardown removes containers, networks, volumes and the sandbox's image; see
// sandboxer.Provisioner. It never asks the compose tool. Resources that rec
// lists need no label; resources that it does not list must carry the id and
// the nonce, and a container must not have them from its image.
func (Docker) Teardown(rec sandboxer.Record) sandboxer.Script { return dockerV2.teardown(rec) }

// A tool is a compose tool and the engine that it drives. All that is
// particular to one stands in its functions.
type tool struct {
	engine    sandboxer.Engine
	name      string // as in EngineInfo.ComposeTools
	functions string // shell: engine, build_images, import_image, start_services
}

func (t tool) usable(info sandboxer.EngineInfo) error {
	if !slices.Contains(info.ComposeTools, t.name) {
		return fmt.Errorf("%q is not installed on the host", t.name)
	}
	return nil
}
