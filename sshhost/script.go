package sshhost

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

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
	line     string // what the exec request carries
	input    []byte // sent on standard input ahead of the caller's
	marker   string
	sudoMark string // the line after which it is sudo that speaks; empty without sudo
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

// A boot is what a command is started with, beside what the caller said.
type boot struct {
	marker string
	sudo   bool          // the command is root's
	limit  time.Duration // the host itself ends the command after this; 0: never
	grace  time.Duration // and kills it after this
}

// newWire returns cmd as a command line, and its random marker.
func newWire(cmd sandboxer.Cmd, b boot) wire {
	marker := rand.Text()
	b.marker = marker
	script := b.script(cmd)
	w := wire{line: fromArgument + shellquote.Octal(script), marker: marker}
	if b.sudo {
		w.sudoMark = b.sudoMark()
	}
	if len(w.line) > maxWire {
		// The marker is last: followed by a number, and printed by a shell that
		// traces, it would be taken for the beginning.
		w.line = fmt.Sprintf("%s%d %s", fromInput, len(script), marker)
		w.input = []byte(script + "\n" + marker + "\n")
	}
	return w
}

// script is what /bin/sh runs: it sets the environment, says on both streams
// that it is there and what its process group is, and becomes the program. It
// must not end with a line end.
func (b boot) script(cmd sandboxer.Cmd) string {
	var s strings.Builder
	s.WriteString("PATH=${PATH:+$PATH:}" + hostcmd.SystemPath + ";export PATH;unset CDPATH\n")
	for _, e := range cmd.Env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&s, "%s=%s;export %s\n", name, shellquote.Quote(value), name)
	}
	prefix, group := "", "$$"
	if b.limit > 0 {
		s.WriteString(b.findTimeout())
		prefix = fmt.Sprintf("${t:+$t -k %d %d} ", wholeSeconds(b.grace), wholeSeconds(b.limit))
	}
	if b.sudo {
		// sudo, the caller, stays the leader, unless there is a new group:
		// sudo may make one, and timeout does.
		s.WriteString("g=$0;{ [ \"${t-}\" ]||kill -0 \"-$$\" 2>/dev/null;}&&g=$$\n")
		group = "$g"
	}
	fmt.Fprintf(&s, "echo %[1]s %[2]s\necho %[1]s %[2]s >&2\nexec %[3]s", b.marker, group, prefix)
	args := shellquote.Join(cmd.Args)
	if b.sudo {
		return b.asRoot(s.String()+`"$@"`, args)
	}
	return s.String() + args
}

// asRoot returns the script that has sudo run the first one. sudo drops most
// of the environment, and has its own PATH: both are set below it. Its word
// that it is reached tells a login that fails from a sudo that refuses.
func (b boot) asRoot(script, args string) string {
	return fmt.Sprintf("PATH=${PATH:+$PATH:}%s;export PATH\necho %s >&2\nexec sudo -n -- /bin/sh -c %s $$ %s",
		hostcmd.SystemPath, b.sudoMark(), shellquote.Quote("LC_ALL=C;export LC_ALL;"+script), args)
}

// sudoMark is the line that precedes what sudo says.
func (b boot) sudoMark() string { return b.marker + "-sudo" }

// findTimeout returns the line that sets t to timeout(1), through which the
// program is run: it ends what a client leaves behind that has vanished, as
// sshd does not. One that is not GNU's is tried first, for old ones have other
// options; it makes no group of its own, and is of no use below sudo. Without
// any there is no limit.
func (b boot) findTimeout() string {
	const gnu, other = "[ -x /usr/bin/timeout ]&&! [ -h /usr/bin/timeout ]", "timeout -k 1 1 true >/dev/null 2>&1"
	if b.sudo {
		return "t=;if " + gnu + ";then t=/usr/bin/timeout;fi\n"
	}
	return "t=;if " + gnu + ";then t=/usr/bin/timeout;elif " + other + ";then t=timeout;fi\n"
}

// wholeSeconds rounds up: not every timeout(1) takes fractions.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// deadlineSlack is how much later than its client the host ends a command, so
// that a client which is there does it, and knows.
const deadlineSlack = 3 * time.Second

// limits returns the host's own limits for a command that has until deadline.
func limits(deadline time.Time, grace time.Duration) (limit, kill time.Duration) {
	return max(time.Until(deadline), 0) + grace + deadlineSlack, grace + deadlineSlack
}
