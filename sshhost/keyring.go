package sshhost

import (
	"context"

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

	dealt int // of ids.signers: the next batch begins there
	asked int // of them, those that a server was asked about
	end   int // of the present batch
	used  int // connections that got keys
}

// next returns the keys for one more connection. What the one before did not
// come to, as its server had less patience, is among them.
func (r *keyring) next(ctx context.Context) []ssh.Signer {
	if r.ids == nil {
		r.ids = r.h.identities(ctx, r.t, r.limit)
	}
	r.dealt = r.asked
	r.end = min(r.dealt+keysPerLogin, len(r.ids.signers))
	r.used++
	return r.batch(r.dealt)
}

// batch returns the keys from number i on to the end of the batch, each of
// which notes that it was asked for.
func (r *keyring) batch(i int) []ssh.Signer {
	var batch []ssh.Signer
	for ; i < r.end; i++ {
		n := i + 1
		note := func() { r.asked = max(r.asked, n) }
		switch s := r.ids.signers[i].(type) {
		case ssh.MultiAlgorithmSigner:
			batch = append(batch, &multiOffer{s, note})
		case ssh.AlgorithmSigner:
			batch = append(batch, &offer{s, note})
		}
	}
	return batch
}

// rest returns the keys of this connection after the one that could not sign,
// or nil if none did.
func (r *keyring) rest() []ssh.Signer {
	if r.ids == nil || !r.ids.unsigned {
		return nil
	}
	r.ids.unsigned = false
	return r.batch(r.asked)
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

// offered names the keys that a server was asked about.
func (r *keyring) offered() []string { return r.identities().names[:r.asked] }

// left is how many keys were not.
func (r *keyring) left() int { return len(r.identities().names) - r.asked }

// close ends the use of the agent.
func (r *keyring) close() {
	if r.ids != nil {
		r.ids.close()
	}
}

// An offer is a key that notes when the library comes to it.
type offer struct {
	ssh.AlgorithmSigner
	note func()
}

// PublicKey notes it.
func (o *offer) PublicKey() ssh.PublicKey {
	o.note()
	return o.AlgorithmSigner.PublicKey()
}

// A multiOffer is an offer of a key that chooses among algorithms.
type multiOffer struct {
	ssh.MultiAlgorithmSigner
	note func()
}

// PublicKey notes it.
func (o *multiOffer) PublicKey() ssh.PublicKey {
	o.note()
	return o.MultiAlgorithmSigner.PublicKey()
}
