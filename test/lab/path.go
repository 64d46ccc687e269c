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

// hide takes away what stands before --, for the command that follows -- and
// the new PATH. A path is emptied; a name is that of a program in the system's
// directories, which a Host searches whatever PATH is. They are overlaid, for a
// program that is only made unusable is still found by bash's command -v.
const hide = `mount -t tmpfs tmpfs /mnt || exit
for dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
	[ -d "$dir" ] && [ ! -L "$dir" ] || continue
	mkdir -p "/mnt$dir/upper" "/mnt$dir/work" &&
		mount -t overlay -o "lowerdir=$dir,upperdir=/mnt$dir/upper,workdir=/mnt$dir/work" overlay "$dir" || exit
done
umount -l /mnt
while [ "$1" != -- ]; do
	case $1 in
	/*)
		if [ -d "$1" ]; then
			mount -t tmpfs tmpfs "$1"
		elif [ -e "$1" ]; then
			mount -n --bind /dev/null "$1"
		fi
		;;
	*) rm -f "/usr/local/sbin/$1" "/usr/local/bin/$1" "/usr/sbin/$1" "/usr/bin/$1" "/sbin/$1" "/bin/$1" ;;
	esac || exit
	shift
done
PATH=$2 && shift 2 && exec "$@"`

// Without returns what to put before a command so that it sees a machine on
// which something is missing: programs, by their name, and files, sockets and
// directories, by their path. It needs root.
func Without(t testing.TB, hidden ...string) []string {
	t.Helper()
	Require(t, "root")
	argv := append([]string{"unshare", "--mount", "sh", "-c", hide, "sh"}, hidden...)
	return append(argv, "--", PathWithout(t, hidden...))
}

// WithoutEngine returns what to put before a command so that it sees a machine
// on which no engine is installed or running. It needs root.
func WithoutEngine(t testing.TB) []string {
	t.Helper()
	// Engines keep their sockets in /run.
	return Without(t, "/run", "docker", "dockerd", "docker-compose", "podman", "podman-compose")
}

// OnlyPodman is like WithoutEngine, but podman and podman-compose are there.
func OnlyPodman(t testing.TB) []string {
	t.Helper()
	return Without(t, "/run/docker.sock", "docker", "dockerd", "docker-compose")
}

// OnlyDockerV1 is like WithoutEngine, but docker and docker-compose, in its
// version 1, are there; docker compose is not.
func OnlyDockerV1(t testing.TB) []string {
	t.Helper()
	plugins := []string{"podman", "podman-compose"}
	for _, dir := range []string{"/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"} {
		plugins = append(plugins, dir+"/docker/cli-plugins")
	}
	return Without(t, plugins...)
}
