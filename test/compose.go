package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const composeModule = "github.com/docker/compose/v2"

// buildCompose returns the path of the docker compose plugin, built from the
// module of tools unless the user's cache holds it.
func buildCompose(ctx context.Context, tools string) (string, error) {
	version, err := goCommand(ctx, tools, "list", "-m", "-f", "{{.Version}}", composeModule)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "sandboxer-test",
		fmt.Sprintf("compose-%s-%s-%s", version, runtime.Version(), runtime.GOARCH))
	plugin := filepath.Join(dir, "docker-compose")
	if _, err := os.Stat(plugin); !errors.Is(err, fs.ErrNotExist) {
		return plugin, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	say("building docker compose %s, which takes some minutes the first time", version)
	start := time.Now()
	unfinished := fmt.Sprintf("%s.%d", plugin, os.Getpid())
	defer os.Remove(unfinished)
	_, err = goCommand(ctx, tools, "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X "+composeModule+"/internal.Version="+version,
		"-o", unfinished, composeModule+"/cmd")
	if err != nil {
		return "", err
	}
	say("built in %v", time.Since(start).Round(time.Second))
	return plugin, os.Rename(unfinished, plugin)
}

// goCommand runs the go command in dir and returns its trimmed output.
func goCommand(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // to run on any machine
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

// pluginLink is where the docker command looks for plugins on behalf of every
// user. The lab puts a link there, so whose it is can be seen from its target.
const pluginLink = "/usr/local/lib/docker/cli-plugins/docker-compose"

// installPlugin makes `docker compose` work for every user, by a copy of the
// plugin in dir, unless it already does.
func installPlugin(ctx context.Context, plugin, dir string) error {
	if exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil {
		return nil
	}
	data, err := os.ReadFile(plugin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(pluginLink), 0o755); err != nil {
		return err
	}
	target := filepath.Join(dir, "docker-compose")
	if err := os.WriteFile(target, data, 0o755); err != nil {
		return err
	}
	return os.Symlink(target, pluginLink)
}

// removePlugin removes the link if it points into dir.
func removePlugin(dir string) error {
	target, err := os.Readlink(pluginLink)
	if err != nil || filepath.Dir(target) != dir {
		return nil // absent, or not ours
	}
	return os.Remove(pluginLink)
}
