package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

// BenchmarkManySandboxes is "inspect stale" on a host with so many sandboxes, of
// which every twentieth has a container in docker, against find(1) looking for
// their metadata and curl asking docker the same.
func BenchmarkManySandboxes(b *testing.B) {
	lab.Require(b, "root", "dockerd", "docker-cli", "curl")
	lab.EngineLock(b)
	path := build(b)
	var few time.Duration
	for _, count := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			c := newColony(b)
			c.settle(b, count)
			c.look(b, count)
			forgetPeak(b)
			ours := compare(b,
				contest{do: []string{"sh", "-c", `exec "$@" >/dev/null`, "sh", path, "inspect", "stale", "--host", "local", "--root", c.root, "-o", "json"}},
				contest{do: []string{"sh", "-c", sameByHand, "sh", c.root}})
			if few == 0 {
				few = ours
			}
			b.ReportMetric(ours.Seconds()/few.Seconds(), "times-the-first")
			b.ReportMetric(float64(ours.Microseconds())/float64(count), "us/sandbox")
		})
	}
}

// sameByHand finds all metadata and asks docker what the probe asks it.
const sameByHand = `find "$1" -mindepth 3 -maxdepth 3 -name meta.json | wc -l
d=http://d
curl -sS --fail --unix-socket /var/run/docker.sock "$d/version" "$d/info" "$d/containers/json?all=1" "$d/networks" "$d/volumes" "$d/images/json" \
	"$d/containers/json?all=1&filters=%7B%22label%22%3A%5B%22sandboxer.id%22%5D%7D" | wc -c`

// A colony is a home and a root with many sandboxes that nobody has made.
type colony struct {
	home, root string
	rec        sandboxer.Record // like all of them
	image      string           // with nothing in it
}

func newColony(b *testing.B) *colony {
	b.Helper()
	dir, err := filepath.EvalSymlinks(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	c := &colony{home: dir + "/home", root: dir + "/root", image: fmt.Sprint("localhost/bench-empty:", os.Getpid())}
	write(b, dir+"/storage.conf", "[storage]\ngraphroot = \""+dir+"/none\"\n")
	b.Setenv("HOME", c.home)
	b.Setenv("CONTAINERS_STORAGE_CONF", dir+"/storage.conf") // podman is not asked
	if err := os.MkdirAll(c.home, 0o700); err != nil {
		b.Fatal(err)
	}
	box := sandboxer.Sandboxer{Collector: probe.Collector{}, Root: c.root}
	obs, err := box.Inspect(b.Context(), localhost.Host{})
	who := obs.Snapshot.Identity
	if err != nil || who.MachineID == nil || who.BootID == nil || who.UID == nil {
		b.Fatalf("got %+v, %v, want to know this machine", who, err)
	}
	created := time.Now().Add(-time.Hour).UTC()
	c.rec = sandboxer.Record{
		Schema: sandboxer.RecordSchema, Profile: "profile.bench", ProfileDigest: "sha256:" + strings.Repeat("0", 64),
		Owner: sandboxer.Owner{User: "root", UID: *who.UID, Controller: "bench@lab"}, MachineID: *who.MachineID, BootID: *who.BootID,
		Root: c.root, Engine: sandboxer.EngineDocker, State: sandboxer.StateReady, CreatedAt: created, UpdatedAt: created,
	}
	return c
}

// settle makes so many sandboxes, and a container for every twentieth.
func (c *colony) settle(b *testing.B, count int) {
	b.Helper()
	b.Cleanup(func() {
		script(b, `docker ps -aq --filter label=sandboxer.bench="$1" | xargs -r docker rm -f >/dev/null; docker rmi -f "$1" >/dev/null`, "", c.image)
	})
	script(b, `tar -cf - -T /dev/null | docker import - "$1" >/dev/null`, "", c.image)
	registry := c.home + "/.local/state/sandboxer/registry"
	if err := os.MkdirAll(registry, 0o700); err != nil {
		b.Fatal(err)
	}
	var projects strings.Builder
	for i := range count {
		c.rec.SandboxID, c.rec.Nonce = sandboxer.ID(fmt.Sprintf("bench-%012d", i)), fmt.Sprintf("%032x", i*7919)
		if err := c.put(registry); err != nil {
			b.Fatal(err)
		}
		if i%20 == 0 {
			fmt.Fprintf(&projects, "%s %s\n", c.rec.SandboxID, c.rec.Nonce)
		}
	}
	script(b, `xargs -P 4 -L 1 sh -c 'docker create --network none --name "$1" --label sandboxer.bench="$0" --label sandboxer.id="$1" \
		--label sandboxer.nonce="$2" --label com.docker.compose.project="$1" "$0" /none' "$1" >/dev/null`, projects.String(), c.image)
}

// look makes sure that all of them are seen for what they are.
func (c *colony) look(b *testing.B, count int) {
	b.Helper()
	box := sandboxer.Sandboxer{Collector: probe.Collector{}, Root: c.root}
	obs, err := box.Inspect(b.Context(), localhost.Host{})
	seen, holding := 0, 0
	for _, s := range obs.Inventory.Sandboxes {
		if s.Metadata == sandboxer.RecordOK && s.Registry == sandboxer.RecordOK {
			seen++
		}
		holding += len(s.Resources)
	}
	if err != nil || !obs.Inventory.Complete || seen != count || holding != count/20 {
		b.Fatalf("got %d sandboxes with %d containers, complete %v, %v, want %d with %d", seen, holding, obs.Inventory.Complete, err, count, count/20)
	}
}

// put writes both records of one sandbox and, in its directory, a few files.
func (c *colony) put(registry string) error {
	dir := c.root + "/" + string(c.rec.SandboxID)
	if err := errors.Join(os.MkdirAll(dir+"/.sandboxer", 0o700), os.MkdirAll(dir+"/image/root", 0o700)); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	c.rec.Device, c.rec.Inode = int64(st.Dev), int64(st.Ino)
	data, err := c.rec.Encode()
	if err != nil {
		return err
	}
	for _, file := range []string{
		dir + "/.sandboxer/meta.json", registry + "/" + string(c.rec.SandboxID) + ".json",
		dir + "/.sandboxer/report.json", dir + "/compose.yaml", dir + "/image/Dockerfile",
	} {
		err = errors.Join(err, os.WriteFile(file, data, 0o600))
	}
	return err
}

func script(b *testing.B, text, stdin string, args ...string) {
	b.Helper()
	cmd := exec.Command("sh", append([]string{"-c", text, "sh"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// forgetPeak makes what this process has had in memory no part of what the
// kernel says of those that it starts; see proc_pid_clear_refs(5).
func forgetPeak(b *testing.B) {
	b.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil {
		b.Logf("the peak includes that of this process: %v", err)
	}
}
