package sshhost

import (
	"context"
	"slices"

	"golang.org/x/crypto/ssh"
)

// How many keys are offered. sshd ends a connection at the sixth that it
// refuses (MaxAuthTries), and since OpenSSH 9.8 it shuts out for a while an
// address from which three connections failed like that (PerSourcePenalties).
// So a connection offers five, and one more connection the next five: what
// lies in an agent unnamed is found there or must be named.
const (
	keysPerLogin = 5
	logins       = 2
)

// A keyring deals the keys of one dial out to its connections. They are
// collected when the first server wants one.
type keyring struct {
	h     *Host
	t     target
	limit *patience
	ids   *identities // nil until they were wanted
	batch []ssh.Signer
	dealt int // of ids.signers
	used  int // connections that got keys
}

// next returns the keys for one more connection.
func (r *keyring) next(ctx context.Context) []ssh.Signer {
	if r.ids == nil {
		r.ids = r.h.identities(ctx, r.t, r.limit)
	}
	r.batch = r.ids.signers[r.dealt:min(r.dealt+keysPerLogin, len(r.ids.signers))]
	r.dealt += len(r.batch)
	r.used++
	return r.batch
}

// rest returns the keys of this connection after the one that could not sign,
// or nil if none did.
func (r *keyring) rest() []ssh.Signer {
	failed := r.identities().unsigned
	if failed == nil {
		return nil
	}
	r.ids.unsigned = nil
	i := slices.IndexFunc(r.batch, func(s ssh.Signer) bool {
		if cert, ok := s.PublicKey().(*ssh.Certificate); ok {
			return sameKey(cert.Key, failed)
		}
		return sameKey(s.PublicKey(), failed)
	})
	if i < 0 {
		return nil
	}
	r.batch = r.batch[i+1:]
	return r.batch
}

// another reports whether there are keys for one more connection.
func (r *keyring) another() bool {
	return r.left() > 0 && r.used < logins && r.identities().undecrypted == nil
}

// identities returns what was collected, which may be nothing.
func (r *keyring) identities() *identities {
	if r.ids == nil {
		return &identities{}
	}
	return r.ids
}

// offered names the keys that were dealt so far.
func (r *keyring) offered() []string { return r.identities().names[:r.dealt] }

// left is how many keys were not.
func (r *keyring) left() int { return len(r.identities().names) - r.dealt }

// close ends the use of the agent.
func (r *keyring) close() {
	if r.ids != nil {
		r.ids.close()
	}
}
