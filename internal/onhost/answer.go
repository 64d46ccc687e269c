package onhost

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An Answer is what a script said it did.
type Answer struct {
	Done    bool     // Reserve, Store: all of it was done
	Refused *Refusal // a guard stopped it before any change
	Locked  bool     // somebody else holds the sandbox
	Changed bool     // the records are not what they were
	Errors  []string // what went wrong, in words
	Mended  []string // what was put right on the way
	Notes   []string // what was odd

	Dir           string // Reserve: the sandbox's directory as the host resolved it
	Device, Inode int64
	Birth         int64 // in nanoseconds of the epoch; 0: not known

	Items []ItemAnswer // Destroy: in the order asked
}

// A Refusal is a guard's code and sentence.
type Refusal struct{ Code, Message string }

// Results of an ItemAnswer.
const (
	Destroyed = "destroyed"
	Gone      = "gone"    // it was destroyed before
	Locked    = "locked"  // somebody else is at it
	Changed   = "changed" // it is not what was seen; nothing was done
	Refused   = "refused" // a proof failed; nothing was removed by this step
	Failed    = "failed"  // something could not be removed
	Unknown   = "unknown" // the engine could not be asked
)

// TrashLeft is the Code of an Item that Failed only because its directory, in
// the trash by now, cannot be deleted by the user.
const TrashLeft = "trash_left"

// An ItemAnswer is what became of one Item. A Result that is empty means
// that its script did not get to its end.
type ItemAnswer struct {
	ID      string
	Result  string
	Code    string // reason, one word
	Message string
	Removed []string // "KIND REF" of what the engine removed
	Remains []string // "KIND REF REASON" of what it still holds
	Errors  []string
}

// ErrGarbled is an answer that is not one of a script of this package.
var ErrGarbled = errors.New("the host's answer makes no sense")

// ParseAnswer reads the standard output of any script of this package.
func ParseAnswer(out []byte) (Answer, error) {
	var a Answer
	var item ItemAnswer
	for line := range strings.Lines(string(out)) {
		word, rest, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		switch word {
		case "reserved", "stored":
			a.Done = true
		case "refused":
			code, message, _ := strings.Cut(rest, " ")
			a.Refused = &Refusal{Code: code, Message: message}
		case "locked":
			a.Locked = true
		case "changed":
			a.Changed = true
		case "mended":
			a.Mended = append(a.Mended, rest)
		case "note":
			a.Notes = append(a.Notes, rest)
		case "error":
			a.Errors = append(a.Errors, rest)
			item.Errors = append(item.Errors, rest)
		case "removed":
			item.Removed = append(item.Removed, rest)
		case "remains":
			item.Remains = append(item.Remains, rest)
		case "dir":
			if err := a.parseDir(rest); err != nil {
				return a, err
			}
		case "end":
			f := strings.SplitN(rest, " ", 4)
			if len(f) < 3 {
				return a, ErrGarbled
			}
			item.ID, item.Result, item.Code = f[0], f[1], f[2]
			if len(f) == 4 {
				item.Message = f[3]
			}
			a.Items = append(a.Items, item)
			item = ItemAnswer{}
		}
	}
	return a, nil
}

// parseDir reads "DEVICE INODE BIRTH PATH".
func (a *Answer) parseDir(rest string) error {
	f := strings.SplitN(rest, " ", 4)
	if len(f) != 4 {
		return ErrGarbled
	}
	var err1, err2 error
	a.Device, err1 = strconv.ParseInt(f[0], 10, 64)
	a.Inode, err2 = strconv.ParseInt(f[1], 10, 64)
	a.Birth, a.Dir = ParseBirth(f[2]), f[3]
	if err1 != nil || err2 != nil {
		return ErrGarbled
	}
	return nil
}

// Item returns what became of the sandbox, with an empty Result if the
// script never got to its end.
func (a Answer) Item(id string) ItemAnswer {
	for _, it := range a.Items {
		if it.ID == id {
			return it
		}
	}
	return ItemAnswer{ID: id, Errors: a.Errors}
}

// ParseBirth reads when a file was made as stat(1) says it with %.9W, and
// returns nanoseconds of the epoch: 0 where the file system does not know, or
// stat cannot tell.
func ParseBirth(word string) int64 {
	seconds, fraction, _ := strings.Cut(word, ".")
	s, err1 := strconv.ParseInt(seconds, 10, 33)
	n, err2 := strconv.ParseUint(fraction, 10, 32)
	if err1 != nil || err2 != nil || len(fraction) != 9 || s <= 0 {
		return 0
	}
	return s*1e9 + int64(n)
}

// birthWord is the inverse of ParseBirth; it is empty for 0.
func birthWord(ns int64) string {
	if ns <= 0 {
		return ""
	}
	return fmt.Sprintf("%d.%09d", ns/1e9, ns%1e9)
}
