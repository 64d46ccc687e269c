package sshhost_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// unwilling is an agent that shows its keys and signs with none of them, as
// one whose owner says no, or whose token is not touched.
type unwilling struct{ agent.ExtendedAgent }

func (unwilling) Sign(ssh.PublicKey, []byte) (*ssh.Signature, error) {
	return nil, errors.New("the owner says no")
}

func (unwilling) SignWithFlags(ssh.PublicKey, []byte, agent.SignatureFlags) (*ssh.Signature, error) {
	return nil, errors.New("the owner says no")
}

// TestKeyThatCannotSign: a key that the server would take, and that cannot be
// used after all, does not keep the next one from being tried.
func TestKeyThatCannotSign(t *testing.T) {
	l := lab.Open(t)
	key, err := ssh.ParseRawPrivateKey([]byte(readFile(t, l.Key)))
	if err != nil {
		t.Fatal(err)
	}
	keyring := agent.NewKeyring().(agent.ExtendedAgent)
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	answer(t, "unix", socket, func(c net.Conn) { agent.ServeAgent(unwilling{keyring}, c) })
	wrong := func(c *sshhost.Config) {
		c.Passphrase = func(context.Context, string) ([]byte, error) { return []byte("wrong"), nil }
	}
	t.Run("an agent that says no", func(t *testing.T) {
		cfg := identity(t, "IdentityAgent "+socket, "IdentityFile "+l.Key+".pub", "IdentityFile "+l.CertKey)
		runs(t, open(t, "lab-agent", cfg, nil))
	})
	t.Run("a wrong passphrase", func(t *testing.T) {
		cfg := identity(t, "IdentityAgent none", "IdentityFile "+encrypt(t, l.Key, "secret"), "IdentityFile "+l.CertKey)
		runs(t, open(t, "lab-agent", cfg, wrong))
	})
}
