package sandboxer

import (
	"fmt"
	"io"
	"strings"
)

// An ID names one sandbox. It is unique across hosts, never used again, and
// also the compose project name and the name of the sandbox's directory, so
// it is safe in each of those places.
type ID string

// isName reports whether s has at least so many and at most 40 of the letters of
// an id. A look at a host asks it of every file there.
func isName(s string, least int) bool {
	if len(s) < least || len(s) > 40 || s[0] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ParseID checks that s has the form of an id: 6 to 40 of a–z, 0–9 and "-",
// not beginning with "-".
func ParseID(s string) (ID, error) {
	if !isName(s, 6) {
		return "", fmt.Errorf("%q is not a sandbox id: want 6 to 40 of a-z, 0-9 and -, not beginning with -", abbreviate(s))
	}
	return ID(s), nil
}

// ParseRef checks that s can be an id or an exact name: up to 40 of a–z, 0–9
// and "-", not beginning with "-".
func ParseRef(s string) (ID, error) {
	if !isName(s, 1) {
		return "", fmt.Errorf("%q is neither a sandbox id nor a name: want at most 40 of a-z, 0-9 and -, not beginning with -", abbreviate(s))
	}
	return ID(s), nil
}

// abbreviate keeps a message short whatever was typed.
func abbreviate(s string) string {
	if len(s) <= 60 {
		return s
	}
	return s[:57] + "..."
}

// idAlphabet has 32 letters (Crockford's base 32 in lower case), so that each
// of them carries five random bits.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idRandomLetters times five bits is 60, above the 50 that make a collision
// across all hosts of an organisation a matter of theory.
const idRandomLetters = 12

// newID makes an id from the last word of a profile's name and random
// letters: "canary-4k9x0q2m7t3b".
func newID(profile string, random io.Reader) (ID, error) {
	b := make([]byte, idRandomLetters)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	for i := range b {
		b[i] = idAlphabet[b[i]%32]
	}
	return ParseID(idPrefix(profile) + "-" + string(b))
}

func idPrefix(profile string) string {
	words := strings.FieldsFunc(strings.ToLower(profile), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if len(words) == 0 {
		return "sandbox"
	}
	last := words[len(words)-1]
	return last[:min(len(last), 20)]
}
