package canary

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tegwick/sand-boxer"
)

// containerPort is where a canary in a container listens; compose.yaml
// publishes it.
const containerPort = 8080

// An environment is what a canary in its sandbox is told.
type environment struct {
	id    sandboxer.ID
	nonce string

	process bool   // no container: the process engine
	out     string // file for the result
	data    string // directory, in a container the volume
	listen  string // address
}

// readEnvironment understands the variables that provisioners set.
func readEnvironment(getenv func(string) string) (environment, error) {
	id, err := sandboxer.ParseID(getenv("SANDBOXER_ID"))
	if err != nil {
		return environment{}, fmt.Errorf("read SANDBOXER_ID: %w", err)
	}
	env := environment{
		id:     id,
		nonce:  getenv("SANDBOXER_NONCE"),
		out:    "/out/result.json",
		data:   "/data",
		listen: fmt.Sprintf(":%d", containerPort),
	}
	if env.nonce == "" {
		return environment{}, errors.New("SANDBOXER_NONCE is not set")
	}
	if getenv("SANDBOXER_ENGINE") == string(sandboxer.EngineProcess) {
		dir := getenv("SANDBOXER_DIR")
		if !filepath.IsAbs(dir) {
			return environment{}, fmt.Errorf("SANDBOXER_DIR is %q, want an absolute path", dir)
		}
		env.process = true
		env.out = filepath.Join(dir, filepath.FromSlash(ResultFile))
		env.data = filepath.Join(dir, filepath.FromSlash(dataDir))
		env.listen = "127.0.0.1:0"
	}
	if out := getenv("SANDBOXER_OUT"); out != "" {
		env.out = out
	}
	return env, nil
}
