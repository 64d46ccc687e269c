// Package canary is the sandbox that tells whether a host is fit for others:
// the sandboxer program itself, in an image that holds nothing else.
//
// Spec describes it to a sandboxer.Sandboxer. A program that wants to send
// itself begins its main function with Main and asks for Self:
//
//	func main() {
//		canary.Main()
//		…
//		status, err := box.Create(ctx, host, canary.Spec(canary.Self()))
//
// In the sandbox the program listens, runs its checks once, writes the result
// (see ResultFile) and then answers on its port until it is told to stop.
// Because provisioning waits for that result, a canary that is ready has
// proven upload, build, start, network, volume and bind mount on that host.
package canary

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/memfs"
)

// Profile is the name of the canary's profile.
const Profile = "profile.sandbox-canary"

// ResultFile is where the result appears in the sandbox's directory, whole or
// not at all: the JSON of a sandboxer.CanaryResult and, beside its fields,
// sandbox_id, port (the one the canary listens on), pid and started_at (as the
// sandbox sees them).
const ResultFile = "out/result.json"

// What is uploaded beside the compose file.
const (
	rootDir     = "image/root" // all that the image holds
	programFile = rootDir + "/sandboxer"
	dataDir     = rootDir + "/data" // where a volume is mounted
	outDir      = "out"             // is mounted at /out
)

//go:embed compose.yaml
var composeFile string

//go:embed Dockerfile
var dockerfile string

// Spec returns the canary with the program that src finds; nil is Self(). The
// program is looked for when a host's platform is known, and an error about
// it is a *sandboxer.PhaseError with a hint.
func Spec(src Source) sandboxer.Spec {
	if src == nil {
		src = Self()
	}
	return sandboxer.Spec{
		Profile: Profile,
		Canary:  true,
		Files: func(ctx context.Context, p sandboxer.Platform) (fs.FS, error) {
			return files(ctx, src, p)
		},
		Compose: &sandboxer.Compose{
			File:     "compose.yaml",
			Services: []string{"canary"},
			Networks: []string{"default"},
			Volumes:  []string{"data"},
			Rootfs:   rootDir,
		},
		Process:   []string{programFile, mainArg},
		ReadyFile: ResultFile,
		HostCheck: []string{programFile, mainArg, "dial"},
	}
}

// Helper returns the helper that is the program which src finds; nil is Self().
// Its image holds nothing else.
func Helper(src Source) sandboxer.Helper {
	if src == nil {
		src = Self()
	}
	return sandboxer.Helper{
		Files: func(ctx context.Context, p sandboxer.Platform) (fs.FS, error) {
			program, err := findProgram(ctx, src, p)
			if err != nil {
				return nil, err
			}
			return memfs.New(map[string]memfs.File{
				"sandboxer": {Mode: 0o755, Data: program},
				"trash":     {Mode: fs.ModeDir | 0o700},
			})
		},
		Command: []string{"/sandboxer", mainArg, "purge"},
	}
}

// findProgram returns what src finds, as it is uploaded to a host of platform p.
func findProgram(ctx context.Context, src Source, p sandboxer.Platform) ([]byte, error) {
	found, err := src(ctx, p)
	if err != nil {
		return nil, err
	}
	program, err := found.upload(p)
	if err != nil {
		return nil, noProgram(p, fmt.Errorf("%s: %w", found.Origin, err))
	}
	return program, nil
}

// files is what is uploaded to a host of platform p.
func files(ctx context.Context, src Source, p sandboxer.Platform) (fs.FS, error) {
	program, err := findProgram(ctx, src, p)
	if err != nil {
		return nil, err
	}
	return memfs.New(map[string]memfs.File{
		"compose.yaml":     {Mode: 0o644, Data: []byte(composeFile)},
		"image/Dockerfile": {Mode: 0o644, Data: []byte(dockerfile)},
		programFile:        {Mode: 0o755, Data: program},
		// A new volume takes over owner and mode of the directory it is
		// mounted on: any user of the sandbox may write there. The file
		// keeps the directory alive in whatever forgets empty ones.
		dataDir:            {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		dataDir + "/.keep": {Mode: 0o644},
		outDir:             {Mode: fs.ModeDir | 0o700},
	})
}
