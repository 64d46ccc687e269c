package sshhost

import (
	"bytes"
	"strings"
	"unicode"
)

// maxWords is how much of a login's noise a message quotes.
const maxWords = 300

// lastWords returns the end of what a login printed, on one line and without
// control characters.
func lastWords(noise []byte) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(bytes.ToValidUTF8(noise, []byte("?"))))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxWords {
		text = "…" + strings.ToValidUTF8(text[len(text)-maxWords:], "")
	}
	return text
}
