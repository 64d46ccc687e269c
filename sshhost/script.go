package sshhost

import (
	"crypto/rand"
	"fmt"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

// maxWire is the length of a command line above which the script goes over
// standard input. The login shell gets the line as one argument, of which
// Linux takes 128 KiB; a longer one fails as if the command itself had, and
// one of 300 KiB makes sshd drop the connection.
const maxWire = 90 << 10

// A wire is a command on its way through a login shell of unknown family.
type wire struct {
	line   string // what the exec request carries
	input  []byte // sent on standard input ahead of the caller's
	marker string
}

// The bootstraps. Between single quotes, and without quotes, backslashes,
// exclamation marks and line ends of their own, they are the same text to sh,
// csh and fish. "exec" makes the login shell's process, which leads the
// session's process group, the one that runs the program in the end.
//
// Octal in printf's notation is POSIX; base64 would be another program, and
// would cost three processes where this costs one.
const (
	fromArgument = `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;eval "$(printf %b "$0")"' `

	// The script comes on standard input, ends with a line of the marker, and
	// is run only if all of it is there: a login shell may have helped itself
	// to some. What reads it may read ahead, which does no harm: nothing
	// follows until the script has begun.
	fromInput = `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;s="$(sed -n "/^$1/q;p")";[ ${#s} -eq $0 ]&&eval "$s"' `
)

// newWire returns cmd as a command line, and its random marker.
func newWire(cmd sandboxer.Cmd) wire {
	marker := rand.Text()
	script := bootScript(marker, cmd)
	w := wire{line: fromArgument + shellquote.Octal(script), marker: marker}
	if len(w.line) > maxWire {
		// The marker is last: followed by a number, and printed by a shell that
		// traces, it would be taken for the beginning.
		w.line = fmt.Sprintf("%s%d %s", fromInput, len(script), marker)
		w.input = []byte(script + "\n" + marker + "\n")
	}
	return w
}

// bootScript is what /bin/sh runs: it sets the environment, says on both
// streams that it is there and what its process id is, and becomes the
// program. It must not end with a line end.
func bootScript(marker string, cmd sandboxer.Cmd) string {
	var b strings.Builder
	b.WriteString("PATH=${PATH:+$PATH:}" + hostcmd.SystemPath + ";export PATH\n")
	for _, e := range cmd.Env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&b, "%s=%s;export %s\n", name, shellquote.Quote(value), name)
	}
	fmt.Fprintf(&b, "echo %[1]s $$\necho %[1]s $$ >&2\nexec %[2]s", marker, shellquote.Join(cmd.Args))
	return b.String()
}
