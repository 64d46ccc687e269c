package sandboxertest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// posix are the tools of this machine that the host has, if this machine has
// them. Those that the fake stands in for are not among them.
var posix = []string{
	"sh", "[", "awk", "base64", "basename", "cat", "chmod", "cksum", "cmp", "cp", "cut", "dd", "df", "dirname", "du", "echo",
	"env", "expr", "false", "flock", "getconf", "grep", "gunzip", "gzip", "head", "id", "kill", "ln", "ls", "mkdir", "mkfifo",
	"mktemp", "mv", "nice", "nohup", "od", "paste", "printf", "ps", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq",
	"setsid", "sha256sum", "sleep", "sort", "sync", "tail", "tar", "tee", "test", "timeout", "touch", "tr", "true", "uname",
	"uniq", "unshare", "wc", "xargs",
}

// blockSize is what the fake's file systems count in.
const blockSize = 4096

// fakeDate tells the time of the file "now", if there is one in it.
const fakeDate = `read -r now <'@DIR@/now'
[ -n "$now" ] && exec '@REAL@' -d "@$now" "$@"
exec '@REAL@' "$@"
`

// fakeStat has the time of the last change of a file's content stand for that
// of its last change of any kind, which cannot be set; and it tells of file
// systems with as many free blocks as the file "free" says.
const fakeStat = `swap() {
	out=
	while :; do
		case $word in
		*"$1"*) out=$out${word%%"$1"*}$2 word=${word#*"$1"} ;;
		*) break ;;
		esac
	done
	word=$out$word
}
read -r free <'@DIR@/free'
left=$# before= system=
while [ $left -gt 0 ]; do
	word=$1
	shift
	left=$((left - 1))
	[ "$word" = -f ] && system=yes
	if [ "$before" = -c ]; then
		if [ -z "$system" ]; then
			swap %Z %Y
		elif [ -n "$free" ]; then
			swap %s @BLOCK@
			swap %S @BLOCK@
			swap %b $((free + 25000000))
			swap %f $((free + 1000000))
			swap %a "$free"
		fi
	fi
	set -- "$@" "$word"
	before=$word
done
exec '@REAL@' "$@"
`

// fakeFind knows no -printf, so that facts about files come from stat.
const fakeFind = `for word in "$@"; do
	if [ "$word" = -printf ]; then
		echo "find: unknown predicate -printf" >&2
		exit 1
	fi
done
exec '@REAL@' "$@"
`

// install fills the host's PATH.
func (h *Host) install() error {
	for _, name := range posix {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if err := os.Symlink(path, filepath.Join(h.bin(), name)); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"date": fakeDate, "stat": fakeStat, "find": fakeFind} {
		path, err := exec.LookPath(name)
		if err != nil {
			return err
		}
		text = strings.NewReplacer("@DIR@", h.dir, "@REAL@", path, "@BLOCK@", strconv.Itoa(blockSize)).Replace(text)
		if err := h.script(name, text); err != nil {
			return err
		}
	}
	if err := h.write("now", ""); err != nil {
		return err
	}
	return h.write("free", "")
}

// script puts a shell script into the host's PATH. It never writes to what is
// there: that may be a link to a program of this machine.
func (h *Host) script(name, text string) error {
	path := filepath.Join(h.bin(), name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = f.WriteString("#!/bin/sh\n" + text)
	return errors.Join(err, f.Close())
}
