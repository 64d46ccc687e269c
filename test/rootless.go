package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tegwick/sand-boxer/test/lab"
)

// devicesFile holds what restoreDevices needs.
const devicesFile = "devices"

// openDevices lets every user open what a user's podman needs. udev does that
// on other machines.
func openDevices(dir string) error {
	var before strings.Builder
	for _, path := range []string{"/dev/fuse", "/dev/net/tun"} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&before, "%s %o\n", path, info.Mode().Perm())
	}
	record := filepath.Join(dir, devicesFile)
	if err := os.WriteFile(record, []byte(before.String()), 0o600); err != nil {
		return err
	}
	return eachDevice(record, func(path string, _ os.FileMode) error { return os.Chmod(path, 0o666) })
}

// restoreDevices undoes openDevices.
func restoreDevices(dir string) error {
	return eachDevice(filepath.Join(dir, devicesFile), os.Chmod)
}

// eachDevice calls do for each line of the record, as in `/dev/fuse 600`.
func eachDevice(record string, do func(path string, mode os.FileMode) error) error {
	data, err := os.ReadFile(record)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(data)) {
		var path string
		var mode os.FileMode
		if _, err := fmt.Sscanf(line, "%s %o", &path, &mode); err != nil {
			return fmt.Errorf("bad line %q in %q: %w", line, record, err)
		}
		errs = append(errs, do(path, mode))
	}
	return errors.Join(errs...)
}

// startRootless makes podman work for an account: systemd-logind would have
// made the directory for what runs, and opened the devices. The rest is in the
// account's home.
func startRootless(ctx context.Context, user *lab.User) error {
	if err := os.MkdirAll(filepath.Dir(user.RuntimeDir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(user.RuntimeDir, 0o700); err != nil {
		return err
	}
	if err := os.Chown(user.RuntimeDir, user.UID, user.GID); err != nil {
		return err
	}
	argv := user.Command("podman", "info")
	return run(ctx, argv[0], argv[1:]...)
}

// removeRootless removes what podman keeps of a user outside the home.
func removeRootless(uid uint32) error {
	var errs []error
	for _, path := range []string{
		"/run/user/%d", "/dev/shm/libpod_rootless_lock_%d",
		"/tmp/podman-run-%d", "/tmp/storage-run-%d", "/tmp/containers-user-%d",
	} {
		errs = append(errs, os.RemoveAll(fmt.Sprintf(path, uid)))
	}
	return errors.Join(errs...)
}
