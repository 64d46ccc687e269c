package sshhost

import (
	"errors"

	sandboxer "github.com/tegwick/sand-boxer"
)

// What callers branch on. Each comes wrapped in a *sandboxer.HostError and is
// matched with errors.Is. None of them is cured by trying again at once, and
// none is retried here.
var (
	// ErrConfig: the alias, or what ssh_config says of it, cannot be used.
	ErrConfig = errors.New("unusable ssh configuration")

	// ErrHostKeyUnknown: no known_hosts file has a key of the host.
	ErrHostKeyUnknown = errors.New("host key is not known")

	// ErrHostKeyChanged: known_hosts has other keys of the host. It was
	// installed anew, or it is another machine.
	ErrHostKeyChanged = errors.New("host key has changed")

	// ErrHostKeyRevoked: the host showed a key that is marked as revoked.
	ErrHostKeyRevoked = errors.New("host key is revoked")

	// ErrAuth: the host was reached and lets us in by none of our keys. Where
	// one of the next three says more, the error is that one too.
	ErrAuth = errors.New("permission denied")

	// ErrNoKey: there was no key to offer.
	ErrNoKey = errors.New("no key to offer")

	// ErrKeyLocked: a key file is encrypted, no agent holds it, and there is
	// nobody to ask for its passphrase; see Config.Passphrase.
	ErrKeyLocked = errors.New("key is encrypted")

	// ErrPassphrase: the host would take an encrypted key, and the passphrase
	// for it was wrong, or not to be had.
	ErrPassphrase = errors.New("key could not be decrypted")

	// ErrPrivilege: sudo does not run commands for this account without a
	// password; see Config.Sudo.
	ErrPrivilege = errors.New("not allowed to become root")

	// ErrShell: the login does not get as far as running a command: nologin,
	// a forced command, a shell profile that exits or waits for input.
	ErrShell = errors.New("login shell does not run commands")

	// ErrBusy: the server refuses to open a session, though none of ours is
	// open.
	ErrBusy = errors.New("no session to be had")

	// ErrConnLost: the connection broke, or was silent for Config.LostAfter.
	ErrConnLost = errors.New("connection lost")

	// ErrClosed: Close was called.
	ErrClosed = errors.New("host is closed")
)

// fail returns an error of something that never started.
func (h *Host) fail(op string, err error, hint string) error {
	var he *sandboxer.HostError
	if errors.As(err, &he) {
		return err // said already, nearer to the cause
	}
	return &sandboxer.HostError{Host: h.alias, Op: op, Err: err, Hint: hint}
}
