package sshhost

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// checkKnownHostsLine reports why the library would refuse a line, and with
// it the whole file; OpenSSH skips such lines. sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT:
//
//	host1,[host2]:2222 ssh-ed25519 AAAAC3Nz… comment
//	|1|F1E1KeoE…=|bRDBJHvR…= ecdsa-sha2-nistp256 AAAAE2Vj…
//	@cert-authority *.example.com ssh-rsa AAAAB3Nz…
func checkKnownHostsLine(line string) error {
	if err := checkKnownHostsForm(line); err != nil || isComment(line) {
		return err
	}
	fields := knownHostsFields(line)
	if err := checkHostPattern(fields[0]); err != nil {
		return err
	}
	blob, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil {
		return fmt.Errorf("key of type %q: %w", fields[1], err)
	}
	if key.Type() != fields[1] {
		return fmt.Errorf("key is %q, said to be %q", key.Type(), fields[1])
	}
	return nil
}

// checkKnownHostsForm is the part of checkKnownHostsLine that costs nothing, for
// the lines of other hosts.
func checkKnownHostsForm(line string) error {
	switch {
	case isComment(line):
		return nil
	case len(line) > 60<<10:
		return errors.New("too long")
	case len(knownHostsFields(line)) < 3:
		return errors.New("not of the form: hosts type key")
	}
	return nil
}

func isComment(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// knownHostsFields splits a line, and leaves its marker out. Of a comment
// nothing remains.
func knownHostsFields(line string) []string {
	if isComment(line) {
		return nil
	}
	fields := strings.FieldsFunc(strings.TrimSuffix(line, "\r"), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) > 0 && (fields[0] == "@cert-authority" || fields[0] == "@revoked") {
		fields = fields[1:]
	}
	return fields
}

// mayMatch reports whether the host patterns of a line may be about one of the
// names: with wildcards, and where the name is a part of another one, that is
// for the library to decide. Hashed names are looked up as sshd(8) describes
// them: |1|salt|HMAC-SHA1(salt, name), both in base64.
func mayMatch(line string, names []string) bool {
	fields := knownHostsFields(line)
	if len(fields) == 0 {
		return false
	}
	hosts := strings.ToLower(fields[0])
	if parts := strings.Split(fields[0], "|"); len(parts) == 4 && parts[0] == "" {
		salt, saltErr := base64.StdEncoding.DecodeString(parts[2])
		hash, hashErr := base64.StdEncoding.DecodeString(parts[3])
		if saltErr != nil || hashErr != nil {
			return true // and it will be complained about
		}
		return slices.ContainsFunc(names, func(name string) bool {
			mac := hmac.New(sha1.New, salt)
			mac.Write([]byte(name))
			return hmac.Equal(mac.Sum(nil), hash)
		})
	}
	return strings.ContainsAny(hosts, "*?@|") ||
		slices.ContainsFunc(names, func(name string) bool { return strings.Contains(hosts, strings.ToLower(name)) })
}

func checkHostPattern(pattern string) error {
	if strings.HasPrefix(pattern, "@") {
		return fmt.Errorf("unknown marker %q", pattern)
	}
	if strings.HasPrefix(pattern, "|") {
		parts := strings.Split(pattern, "|")
		if len(parts) != 4 || parts[1] != "1" {
			return errors.New("unknown kind of hashed name")
		}
		_, saltErr := base64.StdEncoding.DecodeString(parts[2])
		_, hashErr := base64.StdEncoding.DecodeString(parts[3])
		return errors.Join(saltErr, hashErr)
	}
	for _, p := range strings.Split(pattern, ",") {
		if p == "!" {
			return errors.New("! without a name")
		}
		if p = strings.TrimPrefix(p, "!"); strings.HasPrefix(p, "[") {
			if _, _, err := net.SplitHostPort(p); err != nil {
				return err
			}
		}
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
	name := knownhosts.Normalize(first)
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
