package sshhost_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// copyKey copies a key to a place of its own, so that its passphrase can be
// changed and its public half removed.
func copyKey(t *testing.T, key string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	for _, suffix := range []string{"", ".pub"} {
		if err := os.WriteFile(file+suffix, []byte(readFile(t, key+suffix)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func encrypt(t *testing.T, key, passphrase string) string {
	t.Helper()
	file := copyKey(t, key)
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -p: %v: %s", err, out)
	}
	return file
}

func newKey(t *testing.T, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "id")
	args = append([]string{"-q", "-N", "", "-f", file}, args...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return file
}

// identity returns a config in which the alias lab-agent, which has no key of
// its own, gets these lines.
func identity(t *testing.T, lines ...string) string {
	l := lab.Open(t)
	return config(t, l.SSHConfig, append([]string{"Host lab-agent"}, lines...)...)
}

func TestAgent(t *testing.T) {
	l := lab.Open(t)
	wrong := make([]string, 7)
	for i := range wrong {
		wrong[i] = newKey(t, "-t", "ed25519")
	}
	few, many := lab.Agent(t, l.Key), lab.Agent(t, append(wrong, l.Key)...)
	tooMany := lab.Agent(t, append(append(wrong, newKey(t, "-t", "ed25519"), newKey(t, "-t", "ed25519"), newKey(t, "-t", "ed25519")), l.Key)...)
	certs := lab.Agent(t, l.CertKey)
	missing := filepath.Join(t.TempDir(), "missing")
	pubOnly := copyKey(t, l.Key)
	if err := os.Remove(pubOnly); err != nil {
		t.Fatal(err)
	}
	encrypted := encrypt(t, l.Key, "secret")
	for _, tt := range []struct {
		name  string
		env   string
		lines []string
		want  []string // in the error; nil: success
	}{
		{"has the key", few, nil, nil},
		{"by IdentityAgent", missing, []string{"IdentityAgent " + few}, nil},
		{"by a variable", few, []string{"IdentityAgent $SSH_AUTH_SOCK"}, nil},
		{"switched off", few, []string{"IdentityAgent none"}, []string{"no key to offer"}},
		{"is gone, no key file", missing, nil, []string{"no key to offer", "skipped agent"}},
		{"is gone, a key file", missing, []string{"IdentityFile " + l.Key}, nil},
		{"has seven wrong keys first", many, nil, nil},
		{"has ten wrong keys first", tooMany, nil, []string{"1 more keys not offered", "IdentitiesOnly yes"}},
		{"has seven wrong keys, the right one is a file", many, []string{"IdentityFile " + l.Key}, nil},
		{"has seven wrong keys, the right one is named by its public half", many, []string{"IdentitiesOnly yes", "IdentityFile " + pubOnly}, nil},
		{"has seven wrong keys, the right one is a public key file", many, []string{"IdentityFile " + l.Key + ".pub"}, nil},
		{"has the encrypted key", few, []string{"IdentitiesOnly yes", "IdentityFile " + encrypted}, nil},
		{"has it, but only others are wanted", few, []string{"IdentitiesOnly yes", "IdentityFile " + l.Stranger}, []string{"offered " + l.Stranger + " ("}},
		{"has the certified key", certs, []string{"IdentitiesOnly yes", "CertificateFile " + l.CertKey + "-cert.pub"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("SSH_AUTH_SOCK", tt.env)
			h := open(t, "lab-agent", identity(t, tt.lines...), nil)
			if tt.want == nil {
				runs(t, h)
			} else {
				unreachable(t, h, "auth", sshhost.ErrAuth, tt.want...)
			}
		})
	}
}

// TestServersArePatientEnough: however many keys there are, no server that has
// the patience it comes with loses it.
func TestServersArePatientEnough(t *testing.T) {
	lab.Require(t, "ssh")
	srv := lab.SSHD(t, lab.SSHDOptions{})
	wrong := make([]string, 12)
	for i := range wrong {
		wrong[i] = newKey(t, "-t", "ed25519")
	}
	t.Setenv("SSH_AUTH_SOCK", lab.Agent(t, wrong...))
	h := open(t, "lab-agent", srv.SSHConfig, nil)
	unreachable(t, h, "auth", sshhost.ErrAuth, "2 more keys not offered")
	if n := h.Stats().Dials; n != 2 {
		t.Errorf("got %d dials, want 2", n)
	}
	log := readFile(t, srv.Log)
	if refused := strings.Count(log, "Failed publickey"); refused != 10 || strings.Contains(log, "Too many authentication failures") ||
		strings.Contains(log, "maximum authentication attempts exceeded") {
		t.Errorf("got %d keys refused, want 10, and no word of too many in\n%s", refused, log)
	}
}

// TestImpatientServer: keys that a server with less patience did not come to are
// not counted as offered, and are among those of the next connection.
func TestImpatientServer(t *testing.T) {
	l := lab.Open(t)
	srv := lab.SSHD(t, lab.SSHDOptions{Config: []string{"MaxAuthTries 2"}})
	wrong := make([]string, 6)
	for i := range wrong {
		wrong[i] = newKey(t, "-t", "ed25519")
	}
	for _, tt := range []struct {
		right int // where the right key stands
		want  string
	}{{2, ""}, {3, ""}, {4, "3 more keys not offered"}} {
		keys := slices.Insert(slices.Clone(wrong), tt.right, l.Key)
		t.Setenv("SSH_AUTH_SOCK", lab.Agent(t, keys...))
		h := open(t, "lab-agent", srv.SSHConfig, nil)
		if tt.want == "" {
			runs(t, h)
		} else {
			unreachable(t, h, "auth", sshhost.ErrAuth, tt.want)
		}
	}
}

// TestAgentHangs: an agent that never answers delays, and does not hinder.
func TestAgentHangs(t *testing.T) {
	l := lab.Open(t)
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	runs(t, open(t, "lab-agent", identity(t, "IdentityAgent "+socket, "IdentityFile "+l.Key), nil))
}

func TestCertificate(t *testing.T) {
	l := lab.Open(t)
	runs(t, open(t, "lab-cert", l.SSHConfig, nil))
	// The one that lies beside its key needs no naming.
	runs(t, open(t, "lab-agent", identity(t, "IdentityFile "+l.CertKey), nil))
	bare := copyKey(t, l.CertKey)
	unreachable(t, open(t, "lab-agent", identity(t, "IdentityFile "+bare), nil), "auth", sshhost.ErrAuth)
	unreachable(t, open(t, "lab-agent", identity(t, "CertificateFile /nonexistent-cert.pub", "IdentityFile "+bare), nil),
		"auth", sshhost.ErrAuth, "skipped /nonexistent-cert.pub")
}

func TestPassphrase(t *testing.T) {
	l := lab.Open(t)
	t.Setenv("SSH_AUTH_SOCK", "")
	rsa := newKey(t, "-t", "rsa", "-m", "PEM")
	old := encrypt(t, rsa, "secret") // the public half is in its .pub only
	key := encrypt(t, l.Key, "secret")
	asked := 0
	answer := func(passphrase string, err error) func(*sshhost.Config) {
		asked = 0
		return func(c *sshhost.Config) {
			c.Passphrase = func(_ context.Context, file string) ([]byte, error) {
				asked++
				if file != key && file != old {
					t.Errorf("asked for %q, want %q", file, key)
				}
				return []byte(passphrase), err
			}
		}
	}
	cfg := identity(t, "IdentityFile "+key)
	unreachable(t, open(t, "lab-agent", cfg, nil), "auth", sshhost.ErrAuth, "skipped "+key+" (encrypted)", "ssh-add "+key)
	unreachable(t, open(t, "lab-agent", cfg, nil), "auth", sshhost.ErrKeyLocked)

	h := open(t, "lab-agent", cfg, answer("secret", nil))
	runs(t, h)
	runs(t, h)
	if asked != 1 {
		t.Errorf("asked %d times, want once for a connection", asked)
	}

	unreachable(t, open(t, "lab-agent", cfg, answer("wrong", nil)), "auth", sshhost.ErrPassphrase, key+": ", "decryption")
	gone := errors.New("nobody there")
	he := unreachable(t, open(t, "lab-agent", cfg, answer("", gone)), "auth", sshhost.ErrPassphrase, "nobody there")
	if !errors.Is(he, gone) {
		t.Errorf("got %v, want the callback's error in it", he)
	}

	// A key that the server does not want is not worth a question.
	h = open(t, "lab-agent", identity(t, "IdentityFile "+old, "IdentityFile "+l.Key), answer("secret", nil))
	runs(t, h)
	if asked != 0 {
		t.Errorf("asked %d times for a key the server refuses, want not at all", asked)
	}
}

// TestNoKeyAtAll: where there is nothing to offer the server is asked all the
// same: some let anybody in who comes by the right network.
func TestNoKeyAtAll(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	unreachable(t, open(t, "lab-agent", identity(t), nil), "auth", sshhost.ErrAuth, "no key to offer", "ssh-copy-id")
	unreachable(t, open(t, "lab-agent", identity(t), nil), "auth", sshhost.ErrNoKey)
	unreachable(t, open(t, "lab-agent", identity(t, "PubkeyAuthentication no"), nil), "auth", sshhost.ErrAuth, "no key to offer")
}

// TestLoginTakesTooLong: a question that is not answered ends with the
// caller's patience.
func TestLoginTakesTooLong(t *testing.T) {
	l := lab.Open(t)
	key := encrypt(t, l.Key, "secret")
	h := open(t, "lab-agent", identity(t, "IdentityFile "+key), func(c *sshhost.Config) {
		c.Passphrase = func(ctx context.Context, _ string) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := h.Run(ctx, trueCmd); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	h.Close()
}
