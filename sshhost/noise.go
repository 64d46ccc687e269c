package sshhost

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/tegwick/sand-boxer/internal/hostcmd"
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

// errShell is a login, or a sudo, that ended and never came to the command.
func (s *session) errShell() error {
	_, out := s.outFrame.state()
	_, errs := s.errsFrame.state()
	words := s.sudoSaid()
	how := fmt.Sprintf("exit status %d", s.status.code)
	if s.status.signal != "" {
		how = "SIG" + s.status.signal
	}
	h := s.link.h
	if words != nil {
		return h.fail("start", fmt.Errorf("%w: sudo -n ended with %s; %s", ErrPrivilege, how, said(words)),
			"ssh "+h.aliasArgs()+" sudo -n true must succeed: let the account run commands as root without a password")
	}
	return h.fail("start", fmt.Errorf("%w: it ended with %s; %s", ErrShell, how, said(append(out, errs...))),
		"ssh "+h.aliasArgs()+" true must print nothing and succeed: see the account's shell and its start-up files")
}

// sudoSaid returns what followed on standard error when sudo was begun and the
// command was not, or nil if it did not come so far.
func (s *session) sudoSaid() []byte {
	_, errs := s.errsFrame.state()
	_, words, found := bytes.Cut(errs, []byte(s.wire.sudoMark+"\n"))
	if s.wire.sudoMark == "" || !found {
		return nil
	}
	return words
}

// tooLong reports that the kernel did not take the arguments: with sudo in
// front the shell says so before the command's own output begins, in the words
// of E2BIG; other reasons are sudo's.
func (s *session) tooLong() bool {
	return s.status.code == hostcmd.ExitNotExecutable && bytes.Contains(s.sudoSaid(), []byte("Argument list too long"))
}

// handOn makes what the shell said the command's standard error.
func (s *session) handOn(err error) ([]byte, error) {
	words := s.sudoSaid()
	if s.cmd.Stderr == nil || err != nil {
		return words, err
	}
	_, err = s.cmd.Stderr.Write(words)
	return nil, err
}

func said(noise []byte) string {
	if words := lastWords(noise); words != "" {
		return fmt.Sprintf("it said %q", words)
	}
	return "it said nothing"
}
