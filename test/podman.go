package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// podmanConfig makes podman work on any machine: on one whose limits are below
// what podman sets, whose cgroups are of version 1, and which has no systemd.
const podmanConfig = `# Written by a sandboxer lab, which removes it.
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
`

// storageConfig is for users other than root: whether the kernel lets them
// mount an overlay themselves depends on its version and the filesystem.
const storageConfig = `[storage]
driver = "overlay"
[storage.options.overlay]
mount_program = "/usr/bin/fuse-overlayfs"
`

// podmanDropIn configures root's podman. It is written before the first
// command that makes root's storage, so while it is there the storage is ours.
const podmanDropIn = "/etc/containers/containers.conf.d/90-sandboxer-lab.conf"

const (
	podmanStorage  = "/var/lib/containers"
	podmanNetworks = "/etc/containers/networks"
	podmanRun      = "/run/containers"
	podmanState    = "/run/libpod"
)

// startPodman makes root's podman work, unless somebody uses it already: then
// it stays as it is, and so does what it holds.
func startPodman(ctx context.Context) error {
	used, err := inUse(ctx)
	if err != nil {
		return err
	}
	if used {
		say("podman: using the storage in %s", podmanStorage)
	} else {
		if err := os.MkdirAll(filepath.Dir(podmanDropIn), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(podmanDropIn, []byte(podmanConfig), 0o644); err != nil {
			return err
		}
	}
	return run(ctx, "podman", "info")
}

// inUse reports whether root's podman holds anything. Storage alone says
// nothing: a question is enough for podman to make it.
func inUse(ctx context.Context) (bool, error) {
	if _, err := os.Stat(podmanStorage); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	networks, _ := filepath.Glob(filepath.Join(podmanNetworks, "*.json"))
	if len(networks) > 0 {
		return true, nil
	}
	for _, question := range []string{"ps", "images", "volume ls"} {
		args := append(strings.Fields(question), "--quiet")
		if question != "volume ls" {
			args = append(args, "--all")
		}
		ids, err := exec.CommandContext(ctx, "podman", args...).Output()
		if err != nil || len(ids) > 0 {
			return true, err
		}
	}
	return false, nil
}

// removeChains removes podman's rules from the packet filter.
const removeChains = `set -e
for table in filter nat; do
	rules=$(iptables-save -t "$table")
	case $rules in
	*NETAVARK*) printf '%s\n' "$rules" | grep -v NETAVARK | iptables-restore -T "$table" ;;
	esac
done`

// removePodman removes all that root's podman holds if it holds it for a lab.
func removePodman(ctx context.Context) error {
	if _, err := os.Lstat(podmanDropIn); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// What podman cannot remove itself goes below.
	_ = run(ctx, "podman", "pod", "rm", "--all", "--force", "--time", "0")
	_ = run(ctx, "podman", "rm", "--all", "--force", "--time", "0")
	killServers(podmanStorage)
	killServers(podmanRun)
	for _, bridge := range podmanBridges() {
		_ = run(ctx, "ip", "link", "delete", bridge) // most are gone
	}
	errs := []error{run(ctx, "sh", "-c", removeChains)}
	for _, dir := range []string{podmanStorage, podmanRun, podmanState, podmanNetworks} {
		err := unmount(ctx, dir)
		if err == nil {
			err = os.RemoveAll(dir)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err // the next lab tries again
	}
	_ = os.Remove("/dev/shm/libpod_lock")
	if err := os.Remove(podmanDropIn); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(podmanDropIn)) // if it is empty
	return nil
}

// podmanBridges lists the network bridges of root's podman.
func podmanBridges() []string {
	bridges := []string{"podman0"}
	files, _ := filepath.Glob(filepath.Join(podmanNetworks, "*.json"))
	for _, file := range files {
		var network struct {
			Interface string `json:"network_interface"`
		}
		data, err := os.ReadFile(file)
		if err == nil && json.Unmarshal(data, &network) == nil && strings.HasPrefix(network.Interface, "podman") {
			bridges = append(bridges, network.Interface)
		}
	}
	return bridges
}
