package e2e

import (
	"slices"
	"testing"
)

// Files of users that only a user's podman can be go with the sandbox.
func TestFilesOfContainersUsers(t *testing.T) {
	at := slices.IndexFunc(sites(), func(s site) bool { return s.name == "podman-rootless/ssh" })
	c := sites()[at].open(t)
	c.ownRoot()
	before := c.state()
	dir := c.root + "/" + c.create("") + "/data"
	c.onSite("podman unshare sh -c 'mkdir -p " + dir + " && touch " + dir + "/file && chown -R 999:999 " + dir + " && chmod 700 " + dir + "'")
	ids := c.others()
	if len(ids) != 1 {
		t.Fatalf("got sandboxes %q, want one", ids)
	}
	c.must(c.sandboxer("destroy " + ids[0]))
	c.same(before, "none")
}
