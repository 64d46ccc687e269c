package lab

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// PathWithout returns a value for PATH by which every command of the present
// PATH is found but the named ones.
func PathWithout(t testing.TB, names ...string) string {
	t.Helper()
	bin := t.TempDir()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // the shell skips it, too
		}
		for _, e := range entries {
			if e.IsDir() || slices.Contains(names, e.Name()) {
				continue
			}
			// The first directory that has a command wins.
			err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(bin, e.Name()))
			if err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
		}
	}
	return bin
}

// hideEngine empties /run, where engines keep their sockets, and hides their
// programs in the system's directories, which a Host searches whatever PATH
// is, for the command that follows the new PATH.
const hideEngine = `mount -t tmpfs tmpfs /run || exit
for dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
	for name in docker dockerd docker-compose podman podman-compose; do
		[ ! -e "$dir/$name" ] || mount -n --bind /dev/null "$dir/$name" || exit
	done
done
PATH=$1 && shift && exec "$@"`

// WithoutEngine returns what to put before a command so that it sees a machine
// on which no engine is installed or running: no docker, dockerd or podman in
// PATH, and no socket. It needs root.
func WithoutEngine(t testing.TB) []string {
	t.Helper()
	Require(t, "root")
	path := PathWithout(t, "docker", "dockerd", "docker-compose", "podman", "podman-compose")
	return []string{"unshare", "--mount", "sh", "-c", hideEngine, "sh", path}
}
