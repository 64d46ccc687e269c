package sshhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// identities are the keys a connection offers, in order, and what to say if
// none of them opens.
type identities struct {
	signers []ssh.Signer
	names   []string // of signers
	skipped []string // keys that could not be offered, and why
	locked  string   // the first file skipped for want of its passphrase
	close   func()   // ends the use of the agent

	limit       *patience
	unsigned    bool  // the key that was asked for last could not sign
	undecrypted error // why a key that the server had accepted could not be used
}

// agentPatience bounds the first answer of an agent, or of another helper on
// this machine. A hung one must not make a host unreachable that can be reached
// without it.
const agentPatience = 3 * time.Second

// identities collects the keys for a target: those configured in their order,
// each certificate ahead of its key, then the agent's others unless
// IdentitiesOnly says no. A server counts refused keys, so what was named
// comes before what merely is there. They may be used until close is called
// or ctx ends.
func (h *Host) identities(ctx context.Context, t target, limit *patience) *identities {
	ids := &identities{close: func() {}, limit: limit}
	if t.noPublicKey {
		return ids
	}
	held := ids.askAgent(ctx, h, t)
	certs := readCertificates(t.certificateFiles, ids)
	for _, file := range t.identityFiles {
		ids.addFile(ctx, h, file, held, certs)
	}
	for _, cert := range certs {
		for _, s := range held {
			if sameKey(cert.Key, s.PublicKey()) {
				ids.addCert(cert, s, "agent")
			}
		}
	}
	if !t.identitiesOnly {
		for _, s := range held {
			ids.add(s, "agent "+fingerprint(s.PublicKey()))
		}
	}
	return ids
}

// askAgent returns the agent's keys.
func (ids *identities) askAgent(ctx context.Context, h *Host, t target) []ssh.Signer {
	socket := agentSocket(t, os.Getenv)
	if socket == "" {
		return nil
	}
	d := net.Dialer{Timeout: agentPatience}
	conn, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		ids.skipped = append(ids.skipped, fmt.Sprintf("agent (%v)", err))
		return nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	ids.close = func() { stop(); conn.Close() }
	conn.SetDeadline(time.Now().Add(agentPatience))
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		ids.skipped = append(ids.skipped, fmt.Sprintf("agent (%v)", err))
		return nil
	}
	conn.SetDeadline(time.Time{}) // a signature may have to wait for a finger
	for i, s := range signers {
		if as, ok := s.(ssh.AlgorithmSigner); ok {
			signers[i] = &watched{as, ids}
		}
	}
	return signers
}

// agentSocket returns the path of the agent's socket: IdentityAgent is a path,
// "none", "SSH_AUTH_SOCK" or the name of a variable after "$".
func agentSocket(t target, getenv func(string) string) string {
	switch name, isVar := strings.CutPrefix(t.identityAgent, "$"); {
	case t.identityAgent == "" || t.identityAgent == "SSH_AUTH_SOCK":
		return getenv("SSH_AUTH_SOCK")
	case t.identityAgent == "none":
		return ""
	case isVar:
		return getenv(name)
	}
	return t.identityAgent
}

// addFile adds the key of an IdentityFile: a private key, or the public half
// of one that the agent holds.
func (ids *identities) addFile(ctx context.Context, h *Host, file string, held []ssh.Signer, certs []*ssh.Certificate) {
	content, err := os.ReadFile(file)
	if err != nil {
		pub := readPublic(file + ".pub")
		if i := slices.IndexFunc(held, func(s ssh.Signer) bool { return pub != nil && sameKey(pub, s.PublicKey()) }); i >= 0 {
			ids.addKey(held[i], file, certs)
		} else if !errors.Is(err, fs.ErrNotExist) {
			ids.skipped = append(ids.skipped, fmt.Sprintf("%s (%v)", file, err))
		}
		return
	}
	key, err := ssh.ParseRawPrivateKey(content)
	if err == nil {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			ids.skipped = append(ids.skipped, fmt.Sprintf("%s (%v)", file, err))
			return
		}
		ids.addKey(signer, file, certs)
		return
	}
	pub := publicHalf(file, content, err)
	if i := slices.IndexFunc(held, func(s ssh.Signer) bool { return pub != nil && sameKey(pub, s.PublicKey()) }); i >= 0 {
		ids.addKey(held[i], file, certs)
		return
	}
	var locked *ssh.PassphraseMissingError
	switch {
	case !errors.As(err, &locked):
		ids.skipped = append(ids.skipped, fmt.Sprintf("%s (%v)", file, err))
	case h.cfg.Passphrase == nil || pub == nil:
		ids.skipped = append(ids.skipped, file+" (encrypted)")
		if ids.locked == "" {
			ids.locked = file
		}
	default:
		ask := func() (passphrase []byte, err error) {
			ids.limit.ask(func() { passphrase, err = h.cfg.Passphrase(ctx, file) })
			return passphrase, err
		}
		ids.addKey(&watched{newLockedSigner(pub, file, content, ask, &ids.undecrypted), ids}, file, certs)
	}
}

// addKey adds a key and, ahead of it, its certificates: those configured, and
// the one that lies beside its file.
func (ids *identities) addKey(s ssh.Signer, file string, certs []*ssh.Certificate) {
	if beside, err := readCertificate(file + "-cert.pub"); err == nil {
		certs = append(slices.Clip(certs), beside)
	}
	for _, cert := range certs {
		if sameKey(cert.Key, s.PublicKey()) {
			ids.addCert(cert, s, file)
		}
	}
	ids.add(s, file)
}

func (ids *identities) addCert(cert *ssh.Certificate, s ssh.Signer, name string) {
	signer, err := ssh.NewCertSigner(cert, s)
	if err == nil {
		ids.add(signer, name+" with certificate "+cert.KeyId)
	}
}

// add adds a key once. All that the library makes can choose its algorithm; a
// key that could not would be of no use.
func (ids *identities) add(s ssh.Signer, name string) {
	if _, ok := s.(ssh.AlgorithmSigner); !ok {
		ids.skipped = append(ids.skipped, name+" (of an unknown kind)")
		return
	}
	for _, known := range ids.signers {
		if bytes.Equal(known.PublicKey().Marshal(), s.PublicKey().Marshal()) {
			return
		}
	}
	ids.signers = append(ids.signers, s)
	ids.names = append(ids.names, name)
}

func sameKey(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// publicHalf finds the public key of a file that could not be read as a
// private one.
func publicHalf(file string, content []byte, err error) ssh.PublicKey {
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && locked.PublicKey != nil {
		return locked.PublicKey
	}
	if pub, _, _, _, err := ssh.ParseAuthorizedKey(content); err == nil {
		return pub
	}
	return readPublic(file + ".pub")
}

func readPublic(file string) ssh.PublicKey {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil
	}
	return pub
}

func readCertificates(files []string, ids *identities) []*ssh.Certificate {
	var certs []*ssh.Certificate
	for _, file := range files {
		cert, err := readCertificate(file)
		if err != nil {
			ids.skipped = append(ids.skipped, fmt.Sprintf("%s (%v)", file, err))
			continue
		}
		certs = append(certs, cert)
	}
	return certs
}

func readCertificate(file string) (*ssh.Certificate, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(content)
	if err != nil {
		return nil, err
	}
	cert, ok := pub.(*ssh.Certificate)
	if !ok {
		return nil, errors.New("not a certificate")
	}
	return cert, nil
}

// A watched signer is one that may fail: an agent's owner may say no. The
// library would take that for the end of all keys.
type watched struct {
	ssh.AlgorithmSigner
	ids *identities
}

// Sign notes a failure.
func (w *watched) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return w.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm notes a failure.
func (w *watched) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	sig, err := w.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		w.ids.unsigned = true
		w.ids.skipped = append(w.ids.skipped, fmt.Sprintf("%s (%v)", fingerprint(w.PublicKey()), err))
	}
	return sig, err
}

// A lockedSigner is a key that is decrypted when it is to sign, that is when
// the server has said that it would do: neither the user nor the slow key
// derivation is troubled before.
type lockedSigner struct {
	pub    ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

// newLockedSigner notes in failed what unlocking ends with: the library does
// not tell it from the server's refusal.
func newLockedSigner(pub ssh.PublicKey, file string, content []byte, ask func() ([]byte, error), failed *error) *lockedSigner {
	return &lockedSigner{pub, sync.OnceValues(func() (ssh.Signer, error) {
		passphrase, err := ask()
		if err != nil {
			*failed = fmt.Errorf("%s: passphrase: %w", file, err)
			return nil, *failed
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(content, passphrase)
		if err != nil {
			*failed = fmt.Errorf("%s: %w", file, err)
		}
		return signer, *failed
	})}
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.pub }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	signer, err := s.unlock()
	if err != nil {
		return nil, err
	}
	return signer.Sign(rand, data)
}

// SignWithAlgorithm makes it an ssh.AlgorithmSigner: an RSA key signs with
// whatever hash the server wants.
func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.unlock()
	if err != nil {
		return nil, err
	}
	if as, ok := signer.(ssh.AlgorithmSigner); ok {
		return as.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}
