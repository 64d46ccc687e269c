package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/lab"
)

// clean removes what a lab in dir left on the machine, however it ended, and
// then dir itself. Where there never was one it does nothing.
func clean(ctx context.Context, dir string) error {
	killServers(dir)
	errs := []error{
		removeSudo(),
		removeUsers(ctx),
		removePodman(ctx),
		restoreDevices(dir),
		removePlugin(dir),
		removeSocket(),
		removeBridges(ctx, filepath.Join(dir, "docker")),
		lab.RemoveNetns(lab.NetnsPrefix),
		unmount(ctx, dir),
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up after the lab in %q: %w", dir, err)
	}
	return os.RemoveAll(dir)
}

// killServers kills the servers that were given a path below dir, and their
// descendants, which are containers and sessions.
func killServers(dir string) {
	programs := []string{
		"dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2", "sshd", "conmon", "aardvark-dns",
	}
	for _, p := range daemon.Processes() {
		ours := slices.ContainsFunc(p.Args, func(arg string) bool {
			return strings.HasPrefix(arg, dir+"/")
		})
		if !ours || !slices.Contains(programs, p.Program) {
			continue
		}
		for _, child := range append(daemon.Descendants(p.PID), p) {
			child.Kill()
		}
	}
}

// unmount detaches every mount below dir, the last one first.
func unmount(ctx context.Context, dir string) error {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, point := range slices.Backward(mountsBelow(string(mounts), dir)) {
		errs = append(errs, run(ctx, "umount", "-l", point))
	}
	return errors.Join(errs...)
}

// mountsBelow lists the mount points at and below dir in the order of
// mountinfo, which is described in proc(5):
// `36 35 98:0 /mnt1 /mnt/parent\040dir rw,noatime - ext3 /dev/root rw`.
func mountsBelow(mountinfo, dir string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := unescape.Replace(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points
}

// makeDir makes the lab's directory, after removing what an earlier lab left in
// it. A directory that is not a lab's is left alone.
func makeDir(ctx context.Context, dir string) error {
	info, err := os.Lstat(dir)
	if err == nil {
		_, markErr := os.Lstat(filepath.Join(dir, markFile))
		owner, _ := info.Sys().(*syscall.Stat_t)
		if !info.IsDir() || owner == nil || owner.Uid != 0 || markErr != nil {
			return fmt.Errorf("%q is there and is no lab of root's: choose another with -dir", dir)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := clean(ctx, dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever the umask
		return err
	}
	return os.WriteFile(filepath.Join(dir, markFile), nil, 0o600)
}
