package sshhost

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// markerAuthority is what a line about an authority begins with.
const markerAuthority = "@cert-authority "

// ownLine returns a line of a known_hosts file as it is about the target, which
// it then names without patterns, or "" where it is about others. An error is
// a line that OpenSSH skips, too. sshd(8), SSH_KNOWN_HOSTS FILE FORMAT:
//
//	host1,[host2]:2222 ssh-ed25519 AAAAC3Nz… comment
//	|1|F1E1KeoE…=|bRDBJHvR…= ecdsa-sha2-nistp256 AAAAE2Vj…
//	@cert-authority *.example.com ssh-rsa AAAAB3Nz…
func (t target) ownLine(line string) (string, error) {
	line, _, _ = strings.Cut(line, "\x00") // as C has it
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil
	}
	fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	marker := ""
	if fields[0] == "@cert-authority" || fields[0] == "@revoked" {
		marker, fields = fields[0]+" ", fields[1:]
	}
	switch {
	case len(fields) < 3:
		return "", errors.New("not of the form: hosts type key")
	case fields[0][0] == '@':
		return "", fmt.Errorf("unknown marker %q", fields[0])
	}
	first, second := t.names()
	for _, addr := range []string{first, second} {
		if addr == "" {
			continue
		}
		about, err := matchHosts(fields[0], t.stored(addr))
		if err != nil {
			return "", err
		}
		if !about {
			continue
		}
		if err := checkKnownKey(fields[1], fields[2]); err != nil {
			return "", err
		}
		return marker + knownhosts.Normalize(addr) + " " + fields[1] + " " + fields[2], nil
	}
	return "", nil
}

// matchHosts reports whether a name is one of those that a line is about:
// hashed, |1|salt|HMAC-SHA1(salt, name) with both in base64, or by patterns,
// in which * stands for anything, ? for one character and ! for what it is
// not.
func matchHosts(hosts, name string) (bool, error) {
	if strings.HasPrefix(hosts, "|") {
		parts := strings.Split(hosts, "|")
		if len(parts) != 4 || parts[1] != "1" {
			return false, errors.New("unknown kind of hashed name")
		}
		salt, saltErr := base64.StdEncoding.DecodeString(parts[2])
		hash, hashErr := base64.StdEncoding.DecodeString(parts[3])
		if err := errors.Join(saltErr, hashErr); err != nil {
			return false, err
		}
		mac := hmac.New(sha1.New, salt)
		mac.Write([]byte(name))
		return hmac.Equal(mac.Sum(nil), hash), nil
	}
	about := false
	for _, p := range strings.Split(strings.ToLower(hosts), ",") {
		p, not := strings.CutPrefix(p, "!")
		if !matchPattern(p, strings.ToLower(name)) {
			continue
		}
		if not {
			return false, nil
		}
		about = true
	}
	return about, nil
}

// matchPattern matches all of s.
func matchPattern(pattern, s string) bool {
	// Where a * has taken too little, the last one takes a byte more.
	star, taken := -1, 0
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, taken = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p, i = p+1, i+1
		case star >= 0:
			taken++
			p, i = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// checkKnownKey reports why the library would refuse a key, and with it the
// whole file.
func checkKnownKey(kind, text string) error {
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return fmt.Errorf("key of type %q: %w", kind, err)
	}
	if key.Type() != kind {
		return fmt.Errorf("key is %q, said to be %q", key.Type(), kind)
	}
	return nil
}

// remember appends a key to the user's file, because StrictHostKeyChecking is
// accept-new. A failure is logged only, as with OpenSSH: the key was to be
// accepted.
func (k *hostKeys) remember(key ssh.PublicKey) {
	file := k.ownFile()
	if file == "" {
		return
	}
	first, _ := k.t.names()
	name := k.t.stored(first)
	if k.t.hashKnownHosts {
		name = xknownhosts.HashHostname(name)
	}
	line := fmt.Sprintf("%s %s", name, ssh.MarshalAuthorizedKey(key)) // ends with a line end
	if err := appendLine(file, line); err != nil {
		k.h.log.Warn("host key accepted, but not stored", "host", k.h.alias, "file", file, "err", err)
		return
	}
	k.h.log.Info("host key accepted and stored", "host", k.h.alias, "file", file, "key", fingerprint(key))
}

// appendLine appends under a lock, in one write, and on a line of its own
// even where the last one has no end.
func appendLine(file, line string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if st, err := f.Stat(); err == nil && st.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, st.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Close()
}
