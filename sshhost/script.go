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
// session's process group, the one that runs the program in the end. They set
// no variable but LC_ALL: the login may have exported one of that name.
//
// Octal in printf's notation is POSIX; base64 would be another program, and
// would cost three processes where this costs one.
const (
	fromArgument = `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;eval "$(printf %b "$1")"' sh `

	// The script comes on standard input, ends with a line of the marker, and
	// is run only if all of it is there: a login shell may have helped itself
	// to some. What reads it may read ahead, which does no harm: nothing
	// follows until the script has begun.
	fromInput = `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;set -- "$1" "$(sed -n "/^$2/q;p")";[ "${#2}" -eq "$1" ]&&eval "$2"' sh `
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

const (
	setPath = "PATH=${PATH:+$PATH:}" + hostcmd.SystemPath + ";export PATH;unset CDPATH\n"

	// sudo, the caller, leads the group, unless it has made a new one for us.
	ifLeader = `if kill -0 "-$$" 2>/dev/null;then ` + "\n"
)

// script is what /bin/sh runs: it says on both streams that it is there and
// what its process group is, sets the environment, and becomes the program. It
// must not end with a line end. The caller's variables come last, so that none
// of them can mean anything to the script.
func (b boot) script(cmd sandboxer.Cmd) string {
	var env strings.Builder
	for _, e := range cmd.Env {
		name, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&env, "%s=%s;export %s\n", name, shellquote.Quote(value), name)
	}
	args := shellquote.Join(cmd.Args)
	if !b.sudo {
		return setPath + b.begin("$$") + env.String() + "exec " + args
	}
	// sudo drops most of the environment, and has its own PATH. Its word that
	// it is reached tells a login that fails from a sudo that refuses.
	inner := "LC_ALL=C;export LC_ALL;unset SUDO_COMMAND;" + setPath +
		ifLeader + b.begin("$$") + "else\n" + b.begin("$1") + "fi\nshift\n" + env.String() + `exec "$@"`
	return fmt.Sprintf("%secho %s >&2\nexec sudo -n -- /bin/sh -c %s sh $$ %s", setPath, b.sudoMark(), shellquote.Quote(inner), args)
}

// begin returns the lines that say that group, a word of shell, is there.
func (b boot) begin(group string) string {
	text := fmt.Sprintf("echo %[1]s \"%[2]s\"\necho %[1]s \"%[2]s\" >&2\n", b.marker, group)
	if b.limit > 0 {
		text = fmt.Sprintf(limiter, group, wholeSeconds(b.limit), wholeSeconds(b.grace)) + text
	}
	return text
}

// limiter ends a group when its time is up: what a client leaves behind that
// has vanished, as sshd does not. It is a process of that group, but nobody's
// child, and ends some seconds after the leader, at most 8; which it sees by
// the directory of that in /proc, as a number may be used again. It is killed
// with its group, too, unless it does the killing. Without /proc there is no
// limit.
//
// To run the program by timeout(1) would not do: that ends with the program
// and not with its group, passes on to it what both of them got, and puts
// another command named timeout into another group.
const limiter = `( (cd "/proc/%[1]s"||exit
n=%[2]d d=1
while [ "$n" -gt 0 ];do
[ "$d" -le "$n" ]||d=$n
sleep "$d"||exit
[ -e stat ]||exit
n=$((n-d))
[ "$d" -ge 8 ]||d=$((d*2))
done
trap "" TERM
kill -TERM "-%[1]s"
sleep %[3]d
kill -KILL "-%[1]s") </dev/null >/dev/null 2>&1 &)
`

// sudoMark is the line that precedes what sudo says.
func (b boot) sudoMark() string { return b.marker + "-sudo" }

// wholeSeconds rounds up: not every sleep(1) takes fractions.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// deadlineSlack is how much later than its client the host ends a command, so
// that a client which is there does it, and knows.
const deadlineSlack = 3 * time.Second

// limits returns the host's own limits for a command that has until deadline.
func limits(deadline time.Time, grace time.Duration) (limit, kill time.Duration) {
	return max(time.Until(deadline), 0) + grace + deadlineSlack, grace + deadlineSlack
}
