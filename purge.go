package sandboxer

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/tegwick/sand-boxer/internal/onhost"
)

// A Purger is a Provisioner whose engine can remove files that the user on the
// host may not: those that containers have made as root, or as users of their
// own. It is optional.
type Purger interface {
	// Purge returns a POSIX shell script that empties the directory that is its
	// argument, an absolute path in the trash, or "" where the engine can do no
	// more there than the user. Its standard input is a gzipped tar with all
	// that an image needs to run command, a program followed by its arguments,
	// as root; see Helper.Command.
	//
	// It runs like Teardown, under the sandbox's lock, after Teardown has found
	// that the engine holds nothing of the sandbox. It reaches nothing but the
	// directory, changes neither owners nor modes, and exits with 0 only if
	// that is empty; the last line of what it prints says why not. Of what it
	// makes in the engine, the Teardown that comes after it, be it in another
	// operation, has to find and remove everything.
	Purge(rec Record, command []string) Script
}

// A Helper is a program that empties a directory when an engine runs it as
// root in a container. canary.Helper makes one.
type Helper struct {
	// Files returns all that the image holds, for hosts of platform p; nil:
	// there is no helper. It is called only when there is something to do.
	Files func(ctx context.Context, p Platform) (fs.FS, error)

	// Command is the program in the image, by its absolute path, and its
	// arguments. Two more follow: device and inode of the directory mounted at
	// /trash, as stat(1) prints them. It has to remove all that is in that
	// directory, if it is that one, to cross no mount and to follow no link,
	// and to exit with 0 only if nothing is left; else the last line of its
	// output says why.
	Command []string
}

// purger returns the script that empties what the user on the host may not, or
// "" where nothing could.
func (d *destruction) purger() Script {
	uid := d.before.Snapshot.Identity.UID
	if d.b.Helper.Files == nil || uid != nil && *uid == 0 { // whom no owner and no mode stops
		return ""
	}
	purger, ok := d.provisioner().(Purger)
	if !ok {
		return ""
	}
	return purger.Purge(d.rec, d.b.Helper.Command)
}

// provisioner returns the one of the recorded engine, or nil.
func (d *destruction) provisioner() Provisioner {
	for _, p := range d.b.Provisioners {
		if p.Engine() == d.rec.Engine {
			return p
		}
	}
	return nil
}

// purge goes on where a removal got as far as the trash, and what is there is
// not the user's to delete: it sends the helper, and does the rest of the
// removal. It returns what became of the item, which is got where there is
// nothing that it could do.
func (b *Sandboxer) purge(ctx context.Context, host Host, before Observation, item onhost.Item, got onhost.ItemAnswer) onhost.ItemAnswer {
	if got.Result != onhost.Failed || got.Code != onhost.TrashLeft {
		return got
	}
	if item.Trashed {
		item = b.recall(ctx, host, before, item)
	}
	if item.Purger == "" {
		return got
	}
	b.emit(Event{Phase: PhaseDestroy, SandboxID: ID(item.ID), Host: host.Name(), Message: "removing files of other users, in a container"})
	then, err := b.sendHelper(ctx, host, before.Snapshot, item)
	switch then.Result {
	case onhost.Destroyed, onhost.Gone, onhost.Failed:
		then.Removed = append(got.Removed, then.Removed...)
		return then
	case "":
		if err != nil {
			got.Errors = append(got.Errors, err.Error())
		}
	default:
		got.Errors = append(got.Errors, then.Message)
	}
	return got
}

// recall gives an item of the trash the scripts that it lacks, by the last
// record of the sandbox that it was. Without one nobody knows which engine to
// ask, and the item has none.
func (b *Sandboxer) recall(ctx context.Context, host Host, before Observation, item onhost.Item) onhost.Item {
	name, _, _ := strings.Cut(path.Base(item.ID), ".")
	id, err := ParseID(name)
	if err != nil || b.Helper.Files == nil {
		return item
	}
	obs, err := b.collect(ctx, host, id)
	if err != nil || obs.Destroyed == nil || obs.Destroyed.SandboxID != id {
		return item
	}
	d := &destruction{b: b, host: host, before: before, rec: *obs.Destroyed}
	p := d.provisioner()
	if p == nil {
		return item
	}
	teardown, err := d.engineAnswers(p, "purge "+item.ID)
	if err != nil {
		return item
	}
	item.Teardown, item.Purger = string(teardown), string(d.purger())
	return item
}

// sendHelper uploads the helper and lets the host use it. The records are as
// the removal before has left them.
func (b *Sandboxer) sendHelper(ctx context.Context, host Host, snap HostSnapshot, item onhost.Item) (onhost.ItemAnswer, error) {
	tree, err := b.Helper.Files(ctx, Platform{OS: "linux", Arch: cmp.Or(deref(snap.Identity.Arch), "unknown")})
	if err != nil {
		return onhost.ItemAnswer{}, err
	}
	op, err := b.newOp()
	if err != nil {
		return onhost.ItemAnswer{}, err
	}
	files := newUpload(tree, "")
	stream := files.stream()
	answer, err := b.runScript(ctx, host, "purge "+item.ID, op.Purge(item, stream))
	then := answer.Item(item.ID)
	if _, unread := files.finish(); unread != nil {
		then.Errors = append(then.Errors, unread.Error())
	}
	return then, err
}
