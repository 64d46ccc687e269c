package shellquote_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/internal/shellquote"
	"github.com/tegwick/sand-boxer/test/lab"
)

// everyByte holds each byte an argument can hold, and digits after them, which
// an octal escape must not swallow.
func everyByte() string {
	var b strings.Builder
	for c := 1; c < 256; c++ {
		b.WriteByte(byte(c))
		b.WriteByte('7')
	}
	return b.String()
}

var nasty = []string{
	"", " ", "-rf", "--", "=a", "~", "~root", "a=b", "*", "?", "[a]", "#", "!", "!!", "a!b",
	"'", "''", `"`, `\`, `\\`, `\n`, `\'`, "$HOME", "${HOME}", "$(id)", "`id`", "a;b", "a|b", "a&b",
	"<", ">", "(", ")", "{a,b}", "\n", "a\nb", "\n\n", "\r\n", "\t", "%s", "%", "\x80\xff\xfe", "é", "\x1b[0m",
	everyByte(),
}

func TestQuote(t *testing.T) {
	for _, s := range nasty {
		if got := viaSh(t, shellquote.Quote(s)); got != s {
			t.Errorf("Quote(%q) = %s: got %q from sh, want the input", s, shellquote.Quote(s), got)
		}
	}
}

func TestQuoteLeavesPlainWordsAlone(t *testing.T) {
	for _, s := range []string{"a", "/usr/bin/env", "user@host:2222", "v1.2_3-4", "100%", "a,b+c"} {
		if got := shellquote.Quote(s); got != s {
			t.Errorf("Quote(%q): got %q, want it unquoted", s, got)
		}
	}
}

func TestJoin(t *testing.T) {
	want := strings.Join(nasty, "\x00") + "\x00"
	out, err := exec.Command("/bin/sh", "-c", `exec printf '%s\0' `+shellquote.Join(nasty)).Output()
	if err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// TestOctal asks every family of shells.
func TestOctal(t *testing.T) {
	for _, shell := range [][]string{{"sh"}, {"dash"}, {"bash"}, {"busybox", "sh"}, {"zsh"}, {"fish"}, {"tcsh"}, {"mksh"}} {
		t.Run(shell[0], func(t *testing.T) {
			if shell[0] != "sh" {
				lab.Require(t, shell[0])
			}
			for _, s := range nasty {
				script := `/bin/sh -c 'eval "$(printf %b "$0")"' ` + shellquote.Octal("printf %s "+shellquote.Quote(s))
				out, err := exec.Command(shell[0], append(shell[1:], "-c", script)...).Output()
				if err != nil || string(out) != s {
					t.Errorf("%s: got %q, %v, want %q", script, out, err, s)
				}
			}
		})
	}
}

func FuzzQuote(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") || len(s) > 1<<15 {
			return // not an argument
		}
		if got := viaSh(t, shellquote.Quote(s)); got != s {
			t.Errorf("Quote(%q): got %q from sh, want the input", s, got)
		}
		if got := viaSh(t, `"$(printf %b `+shellquote.Octal(s+"x")+`)"`); got != s+"x" {
			t.Errorf("Octal(%q): got %q from sh, want the input and x", s, got)
		}
	})
}

// viaSh returns what sh makes of one word.
func viaSh(t *testing.T, word string) string {
	t.Helper()
	out, err := exec.Command("/bin/sh", "-c", "LC_ALL=C; printf %s "+word).Output()
	if err != nil {
		t.Fatalf("sh, with the word %s: %v", word, err)
	}
	return string(out)
}

func ExampleJoin() {
	fmt.Println(shellquote.Join([]string{"grep", "-c", "it's", "/etc/passwd"}))
	// Output: grep -c 'it'\''s' /etc/passwd
}
