package sshhost

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/tegwick/sand-boxer/internal/shellquote"
)

// where names the line of a known key.
func (k *hostKeys) where(known xknownhosts.KnownKey) string {
	return fmt.Sprintf("%s:%d", k.file(known), known.Line)
}

func (k *hostKeys) file(known xknownhosts.KnownKey) string {
	if file, ok := k.origin[known.Filename]; ok {
		return file
	}
	return known.Filename
}

func (k *hostKeys) errRevoked(key ssh.PublicKey, where string) error {
	return k.h.fail("host key", fmt.Errorf("%w: %s, by %s", ErrHostKeyRevoked, fingerprint(key), where),
		"do not connect; the host needs a new key")
}

func (k *hostKeys) errChanged(key ssh.PublicKey, want []xknownhosts.KnownKey) error {
	var known []string
	for _, w := range want {
		known = append(known, fmt.Sprintf("%s (%s)", fingerprint(w.Key), k.where(w)))
	}
	first, _ := k.t.names()
	mend := fmt.Sprintf("only if the host was installed anew: ssh-keygen -f %s -R %s",
		shellquote.Quote(k.file(want[0])), shellquote.Quote(k.t.stored(first)))
	return k.h.fail("host key", fmt.Errorf("%w: it is %s; known is %s", ErrHostKeyChanged, fingerprint(key), strings.Join(known, ", ")), mend)
}

func (k *hostKeys) errUnknown(key ssh.PublicKey) error {
	first, _ := k.t.names()
	err := fmt.Errorf("%w: %s for %s", ErrHostKeyUnknown, fingerprint(key), k.t.stored(first))
	return k.h.fail("host key", err, "if this is the host's fingerprint: "+k.mendUnknown(key))
}

// mendUnknown returns the command that makes the key known. ssh-keyscan needs
// no terminal; but it knows nothing of aliases and proxies.
func (k *hostKeys) mendUnknown(key ssh.PublicKey) string {
	into := k.ownFile()
	if k.t.proxied() || k.t.hostKeyAlias != "" || into == "" {
		return "ssh -o StrictHostKeyChecking=ask " + k.h.aliasArgs() + " true"
	}
	kind := strings.TrimPrefix(key.Type(), "ssh-")
	if strings.HasPrefix(kind, "ecdsa-") {
		kind = "ecdsa"
	}
	port := ""
	if k.t.port != "22" {
		port = " -p " + k.t.port
	}
	return fmt.Sprintf("ssh-keyscan -t %s%s %s >> %s", shellquote.Quote(kind), port, shellquote.Quote(k.t.host), shellquote.Quote(into))
}

// ownFile returns the file new keys go into, or "" where none is kept.
func (k *hostKeys) ownFile() string {
	for _, file := range k.t.knownHosts {
		if file != os.DevNull {
			return file
		}
	}
	return ""
}

func fingerprint(key ssh.PublicKey) string {
	return strings.TrimPrefix(key.Type(), "ssh-") + " " + ssh.FingerprintSHA256(key)
}
