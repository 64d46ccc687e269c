package compose

import (
	_ "embed"

	sandboxer "github.com/tegwick/sand-boxer"
)

//go:embed docker_v2.sh
var dockerV2Functions string

var dockerV2 = tool{
	engine:    sandboxer.EngineDocker,
	name:      "docker compose",
	functions: dockerV2Functions,
}
