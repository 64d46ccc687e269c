package e2e

import (
	"os"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// Nothing is made, removed or reaped through a root that is a symbolic link, or
// that has one in its path.
func TestCase01(t *testing.T) {
	callers(t, func(y *yard) {
		dead := y.dead()
		plan := y.plan()
		y.do("mv", y.root, y.outside+"/real")
		defer y.keeps(y.outside)()
		for _, way := range []struct{ link, target, root, destroy string }{
			{"root", "outside/real", "root", "root_symlink"},
			{"link", "outside", "link/real", "foreign"},
		} {
			if err := os.Symlink(way.target, y.base+"/"+way.link); err != nil {
				y.t.Fatal(err)
			}
			y.root = y.base + "/" + way.root
			y.box.Root, plan.Root = y.root, y.root
			if obs, _, _ := y.look(young); obs.Inventory.RootState != sandboxer.RootSymlink {
				y.t.Errorf("%s: got root state %s, want %s", y.root, obs.Inventory.RootState, sandboxer.RootSymlink)
			}
			_, err := y.box.Create(y.t.Context(), y.host, sh(": >ready"))
			y.refused("create", err, "root_symlink")
			_, err = y.reap(y.host, plan)
			y.refused("reap", err, "root_symlink")
			y.says(4, "root_symlink", "reap-stale", "--apply", "--keep-trash", "0", "--allow-young", "--include-unclaimed")
			_, err = y.box.Destroy(y.t.Context(), y.host, dead)
			y.refused("destroy", err, way.destroy)
		}
	})
}

// A root that another user can steer holds no sandbox of the caller's: neither
// create nor reap goes into it.
func TestCase02(t *testing.T) {
	callers(t, func(y *yard) {
		dead := y.dead()
		plan := y.plan()
		stranger, err := lab.FindUser("sbxlab-mksh")
		if err != nil {
			y.t.Fatal(err)
		}
		for _, mode := range []os.FileMode{0o777, 0o777 | os.ModeSticky, 0o755} {
			if err := os.Chown(y.root, stranger.UID, stranger.GID); err != nil {
				y.t.Fatal(err)
			}
			if err := os.Chmod(y.root, mode); err != nil {
				y.t.Fatal(err)
			}
			check := y.keeps(y.root)
			_, err = y.box.Create(y.t.Context(), y.host, sh(": >ready"))
			y.refused("create", err, "root_foreign")
			_, err = y.reap(y.host, plan)
			y.refused("reap", err, "root_foreign")
			y.says(4, "root_foreign", "reap-stale", "--apply", "--keep-trash", "0", "--allow-young")
			y.says(4, "root_foreign", "destroy", string(dead))
			check()
		}
	})
}

// No path and no id that leads out of the root is ever followed, whether a
// record has it or the command line.
func TestCase20(t *testing.T) {
	callers(t, func(y *yard) {
		beside := y.dead()
		ids := y.more(beside, 4)
		for i, change := range []func(*sandboxer.Record){
			func(r *sandboxer.Record) { r.Root = "/" },
			func(r *sandboxer.Record) { r.Root = y.outside },
			func(r *sandboxer.Record) { r.SandboxID = "../outside" },
			func(r *sandboxer.Record) { r.Root, r.SandboxID = y.base, "outside" },
		} {
			y.edit(change, y.meta(ids[i]), y.registry(ids[i]))
		}
		check := y.keeps(y.outside, y.dir(ids[0]), y.dir(ids[1]), y.dir(ids[2]), y.dir(ids[3]))
		_, report, _ := y.look(young)
		y.stale(report, ids[0], sandboxer.Foreign, sandboxer.BlockReportOnly)
		y.stale(report, ids[2], sandboxer.Corrupt, sandboxer.BlockReportOnly)
		y.reapAll()
		y.gone(beside)
		for _, id := range ids {
			y.exits(4, "destroy", string(id))
		}
		for _, ref := range []string{"../outside", "", ".", "..", ".trash", "/", y.outside, "outside/..", "-rf", "A", "a\nb", "a b", "a*"} {
			y.misused("destroy", ref)
			y.misused("status", ref)
			if _, err := y.box.Destroy(y.t.Context(), y.host, sandboxer.ID(ref)); err == nil {
				y.t.Errorf("destroy %q: got nil, want an error", ref)
			}
		}
		check()
	})
}

// A home is no root: what is in it is not unclaimed.
func TestCase20Home(t *testing.T) {
	callers(t, func(y *yard) {
		y.mkdir(y.home + "/projects/precious")
		y.root = y.home
		defer y.keeps(y.home + "/projects")()
		y.exits(4, "reap-stale", "--apply", "--allow-young", "--include-unclaimed", "--keep-trash", "0")
	})
}
