package sshhost

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys are the keys that known_hosts files have for one target.
type hostKeys struct {
	h       *Host
	t       target
	hosts   *knownhosts.HostKeyDB // keys of hosts
	signers *knownhosts.HostKeyDB // keys of authorities, which are not to be a host's own
	origin  map[string]string     // cleaned copy -> the file it was made from
	revoked map[string]bool       // keys of RevokedHostKeys

	// verdict is the error of the last check: the library passes it on as
	// text only.
	verdict error
}

// nowhere is given where the library wants an address: only names are looked
// up, as OpenSSH does it (CheckHostIP no).
var nowhere net.Addr = &net.TCPAddr{IP: net.IPv4zero}

// loadHostKeys reads what the known_hosts files have of the target. Files that
// do not exist are empty; a line that cannot be read is left out, with a
// warning, where the library would refuse the whole file.
//
// The library gets copies with the lines of this target only, under its own
// name: it has rules of its own for patterns, and it keeps what it has read for
// as long as the connection lives, which with many lines and many hosts would
// be most of the memory.
func (h *Host) loadHostKeys(t target) (*hostKeys, error) {
	k := &hostKeys{h: h, t: t, origin: make(map[string]string)}
	if err := k.loadRevoked(); err != nil {
		return nil, err
	}
	var hosts, signers []knownFile
	for _, file := range slices.Concat(t.knownHosts, t.globalKnownHosts) {
		own, certifying := k.readKnownHosts(file)
		hosts, signers = append(hosts, own), append(signers, certifying)
	}
	var err error
	if k.hosts, err = k.database(hosts); err != nil {
		return nil, err
	}
	k.signers, err = k.database(signers)
	return k, err
}

// A knownFile is what a known_hosts file has of the target, each line at its
// place.
type knownFile struct {
	name  string
	lines []string
}

// database hands lines to the library.
func (k *hostKeys) database(files []knownFile) (*knownhosts.HostKeyDB, error) {
	dir := ""
	var copies []string
	for _, file := range files {
		if len(file.lines) == 0 {
			continue
		}
		if dir == "" {
			var err error
			if dir, err = os.MkdirTemp("", "sandboxer-known-hosts-"); err != nil {
				return nil, err
			}
			defer os.RemoveAll(dir)
		}
		name := filepath.Join(dir, fmt.Sprint(len(copies)))
		if err := os.WriteFile(name, []byte(strings.Join(file.lines, "\n")), 0o600); err != nil {
			return nil, err
		}
		k.origin[name] = file.name
		copies = append(copies, name)
	}
	return knownhosts.NewDB(copies...)
}

// readKnownHosts returns what a file has of the target: lines about the host,
// and those about authorities. Revoked keys are among both.
func (k *hostKeys) readKnownHosts(name string) (hosts, signers knownFile) {
	hosts.name, signers.name = name, name
	warn := func(msg string, args ...any) {
		k.h.log.Warn(msg, append([]any{"host", k.h.alias, "file", name}, args...)...)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			warn("known_hosts", "err", err)
		}
		return hosts, signers
	}
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		own, err := k.t.ownLine(line)
		if err != nil {
			warn("known_hosts line ignored", "line", number, "err", err)
		}
		if own == "" {
			continue
		}
		if !strings.HasPrefix(own, markerAuthority) {
			hosts.put(number, own)
		}
		if strings.HasPrefix(own, "@") {
			signers.put(number, own)
		}
	}
	return hosts, signers
}

// put makes line the one of that number.
func (f *knownFile) put(number int, line string) {
	f.lines = append(f.lines, make([]string, number-1-len(f.lines))...)
	f.lines = append(f.lines, line)
}

// loadRevoked reads RevokedHostKeys, a list of keys. Where it is configured
// and cannot be read, nothing may be trusted.
func (k *hostKeys) loadRevoked() error {
	if k.t.revokedHostKeys == "" {
		return nil
	}
	content, err := os.ReadFile(k.t.revokedHostKeys)
	if err != nil {
		return fmt.Errorf("%w: RevokedHostKeys: %w", ErrConfig, err)
	}
	if strings.HasPrefix(string(content), "SSHKRL") {
		return fmt.Errorf("%w: RevokedHostKeys %s is a binary list, which cannot be read here", ErrConfig, k.t.revokedHostKeys)
	}
	k.revoked = make(map[string]bool)
	for n, line := range strings.Split(string(content), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return fmt.Errorf("%w: RevokedHostKeys %s:%d: %w", ErrConfig, k.t.revokedHostKeys, n+1, err)
		}
		k.revoked[string(key.Marshal())] = true
	}
	return nil
}

// names returns the name the target's key is stored under, as host:port, and
// the second one that OpenSSH tries: an entry without a port is good for
// every port.
func (t target) names() (first, second string) {
	if t.hostKeyAlias != "" {
		if oddAlias.MatchString(t.hostKeyAlias) {
			return "alias.invalid:22", "" // the library would take it to pieces
		}
		return net.JoinHostPort(t.hostKeyAlias, "22"), ""
	}
	host := strings.ToLower(t.host)
	if t.port == "22" {
		return net.JoinHostPort(host, "22"), ""
	}
	return net.JoinHostPort(host, t.port), net.JoinHostPort(host, "22")
}

var oddAlias = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// stored returns the name as known_hosts has it, for one of names.
func (t target) stored(addr string) string {
	if t.hostKeyAlias != "" {
		return t.hostKeyAlias
	}
	return knownhosts.Normalize(addr)
}

// algorithms returns the host key algorithms to ask for, those for which a
// key is known first: a server shows the one key that is asked for first, and
// another one than the known would look like a changed key.
func (k *hostKeys) algorithms() []string {
	var known []string
	first, second := k.t.names()
	for _, name := range []string{first, second} {
		if name == "" {
			continue
		}
		if len(k.signers.HostKeys(name)) > 0 {
			known = append(known, certAlgorithms()...)
		}
	}
	for _, name := range []string{first, second} {
		if name != "" {
			known = append(known, k.hosts.HostKeyAlgorithms(name)...)
		}
	}
	all := append(known, plainAlgorithms()...)
	var algos []string
	for _, a := range all {
		if !slices.Contains(algos, a) && (len(k.t.hostKeyAlgorithms) == 0 || slices.Contains(k.t.hostKeyAlgorithms, a)) {
			algos = append(algos, a)
		}
	}
	return algos
}

// certAlgorithms: an authority may certify keys of any type.
func certAlgorithms() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
}

func plainAlgorithms() []string {
	return []string{
		ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA,
	}
}

// check is an ssh.HostKeyCallback. The key's signature has been verified.
func (k *hostKeys) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	k.verdict = k.judge(key)
	return k.verdict
}

func (k *hostKeys) judge(key ssh.PublicKey) error {
	plain := key
	cert, isCert := key.(*ssh.Certificate)
	if isCert {
		plain = cert.Key
	}
	if where, ok := k.isRevoked(key); ok {
		return k.errRevoked(plain, where)
	}
	if isCert {
		err := lookUp(k.signers, k.t, key)
		if err == nil {
			return nil
		}
		// As OpenSSH does: a certificate that does not convince is a plain
		// key, which may be known.
		k.h.log.Warn("host certificate not accepted", "host", k.h.alias, "err", err)
	}
	err := lookUp(k.hosts, k.t, plain)
	var mismatch *xknownhosts.KeyError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &mismatch):
		return k.h.fail("host key", err, "")
	case len(mismatch.Want) > 0:
		return k.errChanged(plain, mismatch.Want)
	case k.t.acceptNew:
		k.remember(plain)
		return nil
	}
	return k.errUnknown(plain)
}

// lookUp looks a key up under the target's name, and where it is not known
// under the one without a port.
func lookUp(db *knownhosts.HostKeyDB, t target, key ssh.PublicKey) error {
	first, second := t.names()
	err := db.HostKeyCallback()(first, nowhere, key)
	_, isCert := key.(*ssh.Certificate)
	if second != "" && (isCert && err != nil || knownhosts.IsHostUnknown(err)) && db.HostKeyCallback()(second, nowhere, key) == nil {
		return nil
	}
	return err
}

// isRevoked looks a key up, and with a certificate the key it certifies and
// the one that signed it.
func (k *hostKeys) isRevoked(key ssh.PublicKey) (where string, revoked bool) {
	keys := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		keys = []ssh.PublicKey{cert.Key, cert.SignatureKey}
	}
	first, _ := k.t.names()
	for _, key := range keys {
		if k.revoked[string(key.Marshal())] {
			return k.t.revokedHostKeys, true
		}
		var r *xknownhosts.RevokedError
		if err := k.hosts.HostKeyCallback()(first, nowhere, key); errors.As(err, &r) {
			return k.where(r.Revoked), true
		}
	}
	return "", false
}
