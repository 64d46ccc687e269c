package e2e

import (
	"os"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// While docker does not answer nobody can tell whether a directory without
// metadata is that of a compose project which is stopped: it stays.
func TestCase21InUse(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		dir := c.root + "/fake99"
		c.onSite("mkdir -m 700 -p " + dir + " && echo precious >" + dir + "/data")
		user := c.outsider("--network none -v " + dir + ":/data --label com.docker.compose.project=fake99 --label com.docker.compose.project.working_dir=" + dir)
		c.ask("kill " + user)
		c.wantKept("fake99", "--allow-young --include-unclaimed", sandboxer.Unclaimed, sandboxer.BlockInUse)

		silent := c.having(c.dockerBehind(halved, 0o666))
		if got := silent.reap("--include-unclaimed", 6); got.RemovedCount != 0 {
			t.Errorf("docker does not answer: got %+v, want nothing removed", got.Items)
		}
		if data, err := os.ReadFile(dir + "/data"); string(data) != "precious\n" {
			t.Errorf("got %q, %v in the directory, want it kept", data, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}, "docker-v2/local")
}
