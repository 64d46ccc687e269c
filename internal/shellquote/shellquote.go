// Package shellquote turns data into text that a shell reads back as the same
// data. It is the only place in the module that does.
//
// Quote and Join are for text a POSIX shell reads. Octal is for text that has
// to get through a login shell of any family before a POSIX shell sees it.
package shellquote

import "strings"

// Quote returns s as one word of a POSIX shell. Every byte but NUL, which no
// argument can hold, comes back as it is.
func Quote(s string) string {
	if s != "" && strings.IndexFunc(s, special) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Join returns args as the words of one POSIX shell command.
func Join(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = Quote(a)
	}
	return strings.Join(words, " ")
}

// special reports whether r needs quotes somewhere in a word. "=" and "~" do
// in some places, so they do here everywhere.
func special(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_./:,@%+", r)
}

// Octal returns s in single quotes, with every byte that any known shell
// treats specially there written the way printf's %b reads it ("\0ooo"):
// quotes and backslashes, for which shells have different escapes; "!" and
// line ends, which csh acts on even there; and all that is not printable
// ASCII. The result is one word, and the same word, in sh, csh, fish and
// their descendants.
func Octal(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4 + 2)
	b.WriteByte('\'')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == '\'' || c == '\\' || c == '!' {
			b.WriteString(`\0`)
			b.WriteByte('0' + c>>6)
			b.WriteByte('0' + c>>3&7)
			b.WriteByte('0' + c&7)
			continue
		}
		b.WriteByte(c)
	}
	b.WriteByte('\'')
	return b.String()
}
