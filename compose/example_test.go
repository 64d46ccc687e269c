package compose_test

import (
	"fmt"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/compose"
)

func ExampleDocker_Usable() {
	seen := sandboxer.EngineInfo{Name: sandboxer.EngineDocker, Status: sandboxer.EngineOK, ComposeTools: []string{"docker-compose"}}
	fmt.Println(compose.Docker{}.Usable(seen))
	// Output: "docker compose" is not installed on the host
}
