// Package onhost holds what sandboxer does to the files of a host, whatever
// the engine: directories, records, locks, proofs, trash and the audit log.
// It makes commands and reads their answers; it knows no Host, so that the
// root package can use it.
//
// Each command is one POSIX shell script, so nothing is installed on the
// host. A script holds a sandbox's flock from its first look to its last
// write, and every step of it may be the last one: whatever is left, a later
// destroy finishes.
package onhost

import (
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/tegwick/sand-boxer/internal/shellquote"
)

//go:embed common.sh
var common string

//go:embed reserve.sh
var reserve string

//go:embed locked.sh
var locked string

//go:embed store.sh
var store string

//go:embed destroy.sh
var destroy string

//go:embed audit.sh
var audit string

//go:embed restore.sh
var restore string

//go:embed auditlog.sh
var auditlog string

// rootPattern has no white space, quote or backslash: /proc/self/mountinfo
// escapes some of them, and a proof must not depend on that.
var rootPattern = regexp.MustCompile(`^(/|~/)[A-Za-z0-9._/+@%:,=-]*[A-Za-z0-9._+@%:,=-]$`)

// CheckRoot returns an error unless root can hold sandboxes: an absolute
// path, or one in the home directory ("~/…"), of plain characters, clean, and
// not a directory that holds other things too.
func CheckRoot(root string) error {
	if !rootPattern.MatchString(root) || strings.Contains(root+"/", "//") ||
		strings.Contains(root+"/", "/./") || strings.Contains(root+"/", "/../") {
		return fmt.Errorf("root %q: want an absolute path, or one beginning with ~/, of letters, digits and ._/+@%%:,=-", root)
	}
	if strings.Count(root, "/") < 2 && !strings.HasPrefix(root, "~/") {
		return fmt.Errorf("root %q: want a directory of its own, at least two levels deep", root)
	}
	return nil
}

// A Command is what to run on the host.
type Command struct {
	Args  []string
	Stdin io.Reader
}

// An Op is one operation on one root. Its fields must not come from a host.
type Op struct {
	Root string // see CheckRoot
	ID   string // unique to the operation, letters and digits
}

// script returns argv for sh: the parts, with root and op taken from the
// first two arguments.
func (o Op) script(name string, parts []string, args ...string) []string {
	text := "root=$1 op=$2\nshift 2\n" + strings.Join(parts, "")
	return append([]string{"sh", "-c", text, "sandboxer-" + name, o.Root, o.ID}, args...)
}

// Marker is the name of the last entry of an upload, and its content the
// marker given to Reserve: what proves that all of it arrived.
const Marker = ".sandboxer/uploaded"

// Reserve writes the records of a new sandbox, makes its directory and fills
// it from upload, a gzipped tar that ends with Marker. What fails is undone.
func (o Op) Reserve(id string, record []byte, marker string, upload io.Reader) Command {
	return Command{
		Args:  o.script("reserve", []string{common, reserve}, id, string(record), marker),
		Stdin: upload,
	}
}

// Locked wraps args so that they run under the sandbox's lock, after its
// records were renewed from was to record. See LockedFailure.
func (o Op) Locked(id string, was, record []byte, args []string) []string {
	return append(o.script("locked", []string{common, locked}, id, string(was), string(record)), args...)
}

// LockedFailure returns why a command made by Locked did not get to its own
// part: "locked", "changed", "unwritten" or a refusal; it is empty if it did.
func (o Op) LockedFailure(exitCode int, stderr []byte) string {
	for line := range strings.Lines(string(stderr)) {
		line = strings.TrimSuffix(line, "\n")
		if why, ok := strings.CutPrefix(line, "refused "); ok && exitCode == 4 {
			return why
		}
		why, ok := strings.CutPrefix(line, "sandboxer: ")
		if why, mine := strings.CutSuffix(why, ": "+o.ID); ok && mine && exitCode == 75 {
			return why
		}
	}
	return ""
}

// A Renewal is what Store does to a sandbox that is as it was seen.
type Renewal struct {
	ID       string
	Metadata []byte // as seen; empty: there was none
	Registry []byte // as seen; empty: there was none

	Record []byte    // what both are to be; empty: as they are
	Report io.Reader // put beside them, if not nil

	Audit  []byte // as Item.Audit
	Result string // of that line; empty: there is none
}

// Store renews a sandbox's records, where the directory is there in both
// places.
func (o Op) Store(r Renewal) Command {
	with := ""
	if r.Report != nil {
		with = "report"
	}
	return Command{
		Args: o.script("store", []string{common, store},
			r.ID, string(r.Metadata), string(r.Registry), string(r.Record), with, string(r.Audit), r.Result),
		Stdin: r.Report,
	}
}

// A Return is a directory to bring back out of the trash.
type Return struct {
	ID            string // of the sandbox, or the directory's name
	Entry         string // its path below the root
	Device, Inode int64  // of it, as seen
	Birth         int64  // likewise, in nanoseconds of the epoch; 0: not known

	Registry []byte // as seen; empty: there was none
	Next     []byte // the registry record meanwhile; empty: it is no sandbox's
	Record   []byte // both records then; empty: it is no sandbox's
	Prior    string // Op.ID of the restore that Registry says was cut off, if it says so

	Audit []byte // as Item.Audit
}

// Restore brings a directory back to where it was.
func (o Op) Restore(r Return) Command {
	return Command{Args: o.script("restore", []string{common, restore}, r.ID, r.Entry, fmt.Sprint(r.Device), fmt.Sprint(r.Inode), birthWord(r.Birth),
		string(r.Registry), string(r.Next), string(r.Record), string(r.Audit), r.Prior)}
}

// Audit adds a line to the audit log about a destroy that was refused before it
// was begun: head as Item.Audit, and the reason in one word.
func (o Op) Audit(head []byte, reason string) Command {
	return Command{Args: o.script("audit", []string{common, audit}, string(head), reason)}
}

// ReadAudit prints the size of the audit log and, on the lines after that, its
// last limit bytes.
func ReadAudit(limit int) Command {
	return Command{Args: []string{"sh", "-c", auditlog, "sandboxer-auditlog", fmt.Sprint(limit)}}
}

// An Item is one sandbox to destroy, with what it was seen to be: nothing is
// touched if that no longer holds.
type Item struct {
	ID            string
	Metadata      []byte // as seen; empty: there was none that could be read
	Registry      []byte // as seen; empty: there was none
	Next          []byte // the record that says destroying
	Tombstone     []byte // the record that says destroyed
	Device, Inode int64  // of its directory as seen; Inode 0: there was none
	Birth         int64  // of its directory as seen, in nanoseconds of the epoch; 0: not known
	Audit         []byte // a JSON object of what is known so far, without its last brace
	Teardown      string // script that removes what the engine holds
	Keep          int64  // when its directory may be deleted, in seconds of the epoch; 0: at once
	Prior         string // Op.ID of the destroy that Registry says was cut off, if it says so

	// Purger is a script that empties the directory that is its argument, with
	// what Purge has on its standard input; empty: there is none. Purge needs
	// Teardown of what is Trashed, too.
	Purger string

	// Refusal, if not empty, is why nothing is to be done but to note that:
	// a guard of the caller said no. Only ID and Audit count beside it.
	Refusal, Message string

	Unclaimed bool // a directory without records: ID is its name, and only Device, Inode, Birth, Audit and Keep count
	Trashed   bool // a directory in the trash: ID is its path below the root, and only Device, Inode, Birth and Audit count
}

// Destroy removes sandboxes, one after the other, each under its own lock.
func (o Op) Destroy(items []Item) Command { return o.destroy("destroy", "", items) }

// Reap is Destroy while no other reap of the same user runs on the host.
func (o Op) Reap(items []Item) Command { return o.destroy("reap", "alone\n", items) }

func (o Op) destroy(name, first string, items []Item) Command {
	var b strings.Builder
	// Braces: a shell runs all of a script that ends in them, or nothing. One
	// that was cut off on its way could hold half a teardown.
	fmt.Fprintf(&b, "{\nroot=%s op=%s\n%s%s%s", shellquote.Quote(o.Root), shellquote.Quote(o.ID), common, destroy, first)
	for _, it := range items {
		if it.Refusal != "" {
			fmt.Fprintf(&b, "refuse_one %s\n", shellquote.Join([]string{it.ID, string(it.Audit), it.Refusal, strings.ReplaceAll(it.Message, "\n", " ")}))
			continue
		}
		if it.Unclaimed {
			fmt.Fprintf(&b, "remove_unclaimed %s %d %d %s %d '%s'\n", shellquote.Quote(it.ID), it.Device, it.Inode, shellquote.Quote(string(it.Audit)), it.Keep, birthWord(it.Birth))
			continue
		}
		if it.Trashed {
			fmt.Fprintf(&b, "purge_trashed %s %d %d %s '%s'\n", shellquote.Quote(it.ID), it.Device, it.Inode, shellquote.Quote(string(it.Audit)), birthWord(it.Birth))
			continue
		}
		device, inode := "", ""
		if it.Inode != 0 {
			device, inode = fmt.Sprint(it.Device), fmt.Sprint(it.Inode)
		}
		b.WriteString("destroy_one")
		for _, arg := range []string{
			it.ID, string(it.Metadata), string(it.Registry), string(it.Next), string(it.Tombstone),
			device, inode, string(it.Audit), it.Teardown, fmt.Sprint(it.Keep), it.Prior, birthWord(it.Birth),
		} {
			b.WriteString(" " + shellquote.Quote(arg))
		}
		b.WriteString("\n")
	}
	b.WriteString("tidy\n}\n")
	// The whole script is read before any of it runs, so that no command
	// in it can take the rest for its input; and it is not in ps.
	return Command{
		Args:  []string{"sh", "-c", `eval "$(cat)"`, "sandboxer-" + name},
		Stdin: strings.NewReader(b.String()),
	}
}
