package sshhost_test

import (
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// A vouched is an sshd with a certified ed25519 key and an ecdsa key that is
// not, and what known_hosts may say of it. The names are those of the keys.
type vouched struct {
	*lab.Server
	name                     string // [127.0.0.1]:port
	plain, ecdsa, authority  string // TYPE BLOB
	otherEd25519, otherECDSA string
}

func newVouched(t *testing.T) vouched {
	t.Helper()
	ca, hostKey := newKey(t, "-t", "ed25519"), newKey(t, "-t", "ed25519")
	if out, err := exec.Command("ssh-keygen", "-q", "-s", ca, "-h", "-I", "test", "-n", "127.0.0.1,web", hostKey+".pub").CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -s: %v: %s", err, out)
	}
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ecdsa"}, Config: []string{"HostKey " + hostKey, "HostCertificate " + hostKey + "-cert.pub"}})
	key := func(file string) string { return strings.Join(strings.Fields(readFile(t, file))[:2], " ") }
	return vouched{
		srv, fmt.Sprintf("[127.0.0.1]:%d", portOf(t, srv.Addr)), key(hostKey + ".pub"), key(srv.HostKeys[0]), key(ca + ".pub"),
		key(newKey(t, "-t", "ed25519") + ".pub"), key(newKey(t, "-t", "ecdsa") + ".pub"),
	}
}

// asSSH returns whether we trust the server by these lines, and whether ssh
// does.
func (v vouched) asSSH(t *testing.T, known []string, more ...string) (ours, theirs error) {
	t.Helper()
	cfg := config(t, v.SSHConfig, append([]string{"Host lab-dash", "UserKnownHostsFile " + writeFile(t, known...)}, more...)...)
	if out, err := exec.Command("ssh", "-F", cfg, "lab-dash", "true").CombinedOutput(); err != nil {
		theirs = fmt.Errorf("%w: %s", err, out)
	}
	_, ours = open(t, "lab-dash", cfg, nil).Run(t.Context(), trueCmd)
	return ours, theirs
}

// hashed returns a line as ssh-keygen -H makes it.
func hashed(t *testing.T, line string) string {
	t.Helper()
	file := writeFile(t, line)
	if out, err := exec.Command("ssh-keygen", "-H", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -H: %v: %s", err, out)
	}
	return strings.TrimSpace(readFile(t, file))
}

// TestHostKeysAsSSHHasThem asks OpenSSH whether it would trust the server,
// and expects to be of one mind with it.
func TestHostKeysAsSSHHasThem(t *testing.T) {
	v := newVouched(t)
	name, plain, ecdsa, authority, other := v.name, v.plain, v.ecdsa, v.authority, v.otherEd25519
	port := fmt.Sprint(portOf(t, v.Addr))
	for _, tt := range []struct {
		name  string
		known []string
		more  []string
	}{
		{"by name and port", []string{name + " " + plain}, nil},
		{"by name and port, the other key", []string{name + " " + ecdsa}, nil},
		{"hashed", []string{hashed(t, name+" "+ecdsa)}, nil},
		{"hashed, without a port", []string{hashed(t, "127.0.0.1 "+plain)}, nil},
		{"without a port", []string{"127.0.0.1 " + plain}, nil},
		{"a list", []string{"web,db," + name + " " + plain}, nil},
		{"upper case in the file", []string{"WEB " + plain}, []string{"HostKeyAlias web"}},
		{"upper case in the alias", []string{"web " + plain}, []string{"HostKeyAlias WEB"}},
		{"a negation in upper case", []string{"*,!WEB " + plain}, []string{"HostKeyAlias web"}},
		{"an alias with a port", []string{name + " " + plain}, []string{"HostKeyAlias " + name}},
		{"an alias with a colon", []string{"x:5 " + plain}, []string{"HostKeyAlias x:5"}},
		{"a port without brackets", []string{"127.0.0.1:" + port + " " + plain}, nil},
		{"the usual port, in brackets", []string{"[127.0.0.1]:22 " + plain}, nil},
		{"a bracket that is not closed", []string{"127.0.0.1,[bad " + plain}, nil},
		{"a pattern for the port", []string{"[127.0.0.1]:*" + port[1:] + " " + plain}, nil},
		{"negated by the name without a port", []string{"*,!127.0.0.1 " + plain}, nil},
		{"a NUL behind the key", []string{name + " " + plain + "\x00x"}, nil},
		{"a long comment", []string{name + " " + plain + " " + strings.Repeat("x", 70000)}, nil},
		{"revoked, with an odd name beside it", []string{name + " " + plain, name + " " + ecdsa, "@revoked " + name + ",[10.0.0.1] " + plain, "@revoked [x],* " + ecdsa}, nil},
		{"revoked, with a NUL behind it", []string{name + " " + plain, "@revoked * " + plain + "\x00x"}, nil},
		{"an authority's key as the host's own", []string{"@cert-authority * " + plain, "@cert-authority * " + ecdsa}, nil},
		{"a pattern without a port", []string{"127.0.0.? " + plain}, nil},
		{"a pattern and a port", []string{"[127.0.0.*]:" + port + " " + plain}, nil},
		{"a pattern without a port, beside a hashed name", []string{hashed(t, "web "+plain), "127.* " + plain}, nil},
		{"an authority by pattern and port", []string{"@cert-authority [127.*]:" + port + " " + authority}, nil},
		{"an authority by pattern", []string{"@cert-authority 127.* " + authority}, nil},
		{"negated", []string{"127.0.0.*,!127.0.0.1 " + plain}, nil},
		{"negated with its port", []string{"*,!" + name + " " + plain}, nil},
		{"of another port", []string{"[127.0.0.1]:1 " + plain}, nil},
		{"not at all", []string{"web " + plain}, nil},
		{"another key of the type", []string{name + " " + other}, nil},
		{"another key, and the right one", []string{name + " " + other, name + " " + plain}, nil},
		{"another key of one type, the right one of the other", []string{name + " " + other, name + " " + ecdsa}, nil},
		{"another key without a port, the right one with it", []string{"127.0.0.1 " + v.otherECDSA, name + " " + ecdsa}, nil},
		{"an authority", []string{"@cert-authority * " + authority}, nil},
		{"an authority by name and port", []string{"@cert-authority " + name + " " + authority}, nil},
		{"an authority of others", []string{"@cert-authority *.example.com " + authority}, nil},
		{"another authority", []string{"@cert-authority * " + other}, nil},
		{"another authority, the plain key known", []string{"@cert-authority * " + other, name + " " + plain}, nil},
		{"an authority that is only a key", []string{name + " " + authority}, nil},
		{"revoked key", []string{"@revoked * " + plain, name + " " + plain}, nil},
		{"revoked authority", []string{"@revoked * " + authority, "@cert-authority * " + authority}, nil},
		{"revoked key of another host", []string{"@revoked web " + plain, name + " " + plain}, nil},
		{"revoked other key", []string{"@revoked * " + ecdsa, name + " " + plain}, nil},
		{"malformed lines", []string{"1.2.3.4 SHA256:abc", "@what * " + plain, name, "x ssh-new AAAA", name + " " + plain}, nil},
		{"only a malformed line", []string{name + " " + plain[:len(plain)-20]}, nil},
		{"HostKeyAlias", []string{"web " + plain}, []string{"HostKeyAlias web"}},
		{"HostKeyAlias with a port", []string{"[web]:" + port + " " + plain}, []string{"HostKeyAlias web"}},
		{"HostKeyAlias, known by name", []string{name + " " + plain}, []string{"HostKeyAlias db"}},
		{"HostKeyAlias, an authority", []string{"@cert-authority web " + authority}, []string{"HostKeyAlias web"}},
		{"HostKeyAlias, not in the certificate", []string{"@cert-authority * " + authority}, []string{"HostKeyAlias db"}},
		{"HostKeyAlgorithms", []string{name + " " + ecdsa}, []string{"HostKeyAlgorithms ssh-ed25519"}},
		{"RevokedHostKeys", []string{name + " " + plain}, []string{"RevokedHostKeys " + writeFile(t, plain)}},
		{"two files", []string{"# none"}, []string{"GlobalKnownHostsFile /nonexistent " + writeFile(t, name+" "+plain)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if ours, theirs := v.asSSH(t, tt.known, tt.more...); (ours == nil) != (theirs == nil) {
				t.Errorf("got %v, ssh has %v", ours, theirs)
			}
		})
	}
}

// TestHostKeysOtherThanSSH is where we are not of one mind, and mean it: where
// only the key of another type is known, without a port, that one is asked for.
func TestHostKeysOtherThanSSH(t *testing.T) {
	v := newVouched(t)
	ours, theirs := v.asSSH(t, []string{"127.0.0.1 " + v.ecdsa})
	if ours != nil || theirs == nil {
		t.Errorf("another type known without a port: got %v, ssh has %v, want nil, an error", ours, theirs)
	}
}

// TestMalformedLineIsNamed: a line that is left out is said, by file and
// number.
func TestMalformedLineIsNamed(t *testing.T) {
	l := lab.Open(t)
	cfg, file := known(t, []string{"# mine", "1.2.3.4 SHA256:abc", "NAME " + keyLine(t, l.Server.HostKeys, "ed25519")})
	var log strings.Builder
	runs(t, open(t, "lab-bash", cfg, func(c *sshhost.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }))
	if got := log.String(); !strings.Contains(got, "file="+file+" line=2") || strings.Contains(got, "line=3") {
		t.Errorf("got log %q, want line 2 of %s named, and no other", got, file)
	}
}

// TestHostKeySwapped: a server that comes back with other keys is not the one
// that went, and the same Host says so when it connects anew.
func TestHostKeySwapped(t *testing.T) {
	first := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}})
	h := open(t, "lab-dash", first.SSHConfig, nil)
	runs(t, h)
	knownHosts := filepath.Join(filepath.Dir(first.SSHConfig), "known_hosts")
	before := readFile(t, knownHosts)
	first.Stop()
	lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Port: portOf(t, first.Addr)})
	for range 2 {
		unreachable(t, h, "host key", sshhost.ErrHostKeyChanged)
	}
	if n := h.Stats().Dials; n != 3 {
		t.Errorf("got %d dials, want one for each of three commands: none of it retried", n)
	}
	if after := readFile(t, knownHosts); after != before {
		t.Errorf("got known_hosts changed to %q, want it as it was", after)
	}
}
