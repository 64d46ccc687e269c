package hostfile

import (
	"errors"
	"io/fs"
	"strings"
)

// An Answer is what a script said it did.
type Answer struct {
	Done bool
	Code string // why it was not done, in one word; nothing was changed
	Said string // the words of the host's tools about that
	Left bool   // what it made could not be taken away again
}

// Codes of an Answer. Another one, "no_TOOL", is a tool that is missing.
const (
	Altered   = "altered"   // what arrived is not what was sent
	Directory = "directory" // the target of a file is one
	Exists    = "exists"    // there is something at the target of a directory
	Parent    = "parent"    // the directory the target is in cannot be entered
	Failed    = "write"     // a step failed
	Ended     = "ended"     // a signal ended it
)

// maxSaid bounds what is kept of the tools' words: a tar may say one line for
// each of its files.
const maxSaid = 4 << 10

// ErrGarbled is an answer that no script of this package gives: it did not
// get to its end.
var ErrGarbled = errors.New("the host did not say what it did")

// ParseAnswer reads the standard output of any script of this package:
//
//	done
//
// or, where the words take all of the rest and the first line may be missing,
//
//	left
//	failed write
//	cat: write error: No space left on device
func ParseAnswer(out []byte) (Answer, error) {
	if string(out) == "done\n" {
		return Answer{Done: true}, nil
	}
	rest, left := strings.CutPrefix(string(out), "left\n")
	line, said, ended := strings.Cut(rest, "\n")
	code, ok := strings.CutPrefix(line, "failed ")
	if !ok || !ended || code == "" {
		return Answer{}, ErrGarbled
	}
	said = strings.TrimRight(said, "\n")
	if over := len(said) - maxSaid; over > 0 {
		said = said[over:]
	}
	return Answer{Code: code, Said: said, Left: left}, nil
}

// ErrNoSpace is a disk or a quota that is full.
var ErrNoSpace = errors.New("no space left on the host")

// causes are texts of error numbers in the C locale, as the C libraries have
// them. A full disk comes first, for what fails after it has other reasons.
var causes = []struct {
	text string
	err  error
}{
	{"No space left on device", ErrNoSpace},
	{"Disk quota exceeded", ErrNoSpace},
	{"Quota exceeded", ErrNoSpace}, // musl
	{"Permission denied", fs.ErrPermission},
	{"Operation not permitted", fs.ErrPermission},
	{"No such file or directory", fs.ErrNotExist},
}

// Cause returns what the words say went wrong, or nil: ErrNoSpace,
// fs.ErrPermission, or fs.ErrNotExist, that only of the Parent. Tools end a
// line with the text of the error number:
//
//	cat: write error: No space left on device
//	sh: 1: cannot create /etc/x: Permission denied
func (a Answer) Cause() error {
	for _, cause := range causes {
		if cause.err == fs.ErrNotExist && a.Code != Parent {
			continue // something else is not there
		}
		for line := range strings.Lines(a.Said) {
			if strings.HasSuffix(strings.TrimRight(line, "\n"), ": "+cause.text) {
				return cause.err
			}
		}
	}
	return nil
}
