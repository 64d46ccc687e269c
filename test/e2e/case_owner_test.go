package e2e

import (
	"errors"
	"os"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A directory that is root's now is not a sandbox's own even where its number
// is that of the one that was made: file systems give numbers out again.
func TestCase31Owner(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		s := c.expired(c.profile(web), "")
		if err := errors.Join(os.RemoveAll(s.Dir+"/.sandboxer"), os.Chown(s.Dir, 0, 0)); err != nil {
			t.Fatal(err)
		}
		c.wantKept(string(s.SandboxID), "--allow-young --include-unclaimed", sandboxer.Expired, sandboxer.BlockDirChanged)
		c.alive(c.part(s, sandboxer.KindContainer))
		if err := os.Chown(s.Dir, c.user.UID, c.user.GID); err != nil {
			t.Fatal(err)
		}
		c.wantReaped(string(s.SandboxID))
	}, onDocker)
}
