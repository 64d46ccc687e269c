package sshhost_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// runs checks that the host can be reached.
func runs(t *testing.T, h *sshhost.Host) {
	t.Helper()
	res, err := h.Run(t.Context(), trueCmd)
	if err != nil || res.ExitCode != 0 {
		t.Fatalf("got exit %d, %v, want success", res.ExitCode, err)
	}
}

func writeFile(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keyLine returns "TYPE BLOB" of the server's key of a kind.
func keyLine(t *testing.T, keys []string, kind string) string {
	t.Helper()
	for _, file := range keys {
		if fields := strings.Fields(readFile(t, file)); strings.Contains(fields[0], kind) {
			return fields[0] + " " + fields[1]
		}
	}
	t.Fatalf("no key of kind %q among %q", kind, keys)
	return ""
}

// known returns a config with these lines as known_hosts, in which %s is the
// name of the lab's server.
func known(t *testing.T, lines []string, more ...string) (cfg, file string) {
	t.Helper()
	l := lab.Open(t)
	host, port, _ := net.SplitHostPort(l.Server.Addr)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "NAME", fmt.Sprintf("[%s]:%s", host, port))
	}
	file = writeFile(t, lines...)
	return config(t, l.SSHConfig, append([]string{"Host lab-bash", "    UserKnownHostsFile " + file}, more...)...), file
}

func TestHostKeyKnown(t *testing.T) {
	l := lab.Open(t)
	ed25519, ecdsa, rsa := keyLine(t, l.Server.HostKeys, "ed25519"), keyLine(t, l.Server.HostKeys, "ecdsa"), keyLine(t, l.Server.HostKeys, "rsa")
	other := strings.Join(strings.Fields(readFile(t, l.Stranger+".pub"))[:2], " ")
	_, port, _ := net.SplitHostPort(l.Server.Addr)
	hashed := writeFile(t, fmt.Sprintf("[127.0.0.1]:%s %s", port, ed25519))
	if out, err := exec.Command("ssh-keygen", "-H", "-f", hashed).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -H: %v: %s", err, out)
	}
	for _, tt := range []struct {
		name  string
		lines []string
		more  []string
		want  error
	}{
		{"only ed25519 of three keys", []string{"NAME " + ed25519}, nil, nil},
		{"only ecdsa of three keys", []string{"NAME " + ecdsa}, nil, nil},
		{"only rsa of three keys", []string{"NAME " + rsa}, nil, nil},
		{"hashed", strings.Split(strings.TrimSpace(readFile(t, hashed)), "\n"), nil, nil},
		{"without a port", []string{"127.0.0.1 " + ed25519}, nil, nil},
		{"wildcard", []string{"127.0.0.* " + ed25519}, nil, nil},
		{"malformed lines around it", []string{"1.2.3.4 SHA256:abc", "x ssh-future AAAA", "NAME " + ed25519, "@nonsense"}, nil, nil},
		{"alias of its own", []string{"cluster " + ed25519}, []string{"    HostKeyAlias cluster"}, nil},
		{"second file", []string{"# empty"}, []string{"    GlobalKnownHostsFile " + hashed}, nil},
		{"another host's", []string{"[127.0.0.2]:22 " + ed25519}, nil, sshhost.ErrHostKeyUnknown},
		{"another port's", []string{"[127.0.0.1]:1 " + ed25519}, nil, sshhost.ErrHostKeyUnknown},
		{"negated", []string{"*,!NAME,!127.0.0.1 " + ed25519}, nil, sshhost.ErrHostKeyUnknown},
		{"another key", []string{"NAME " + other}, nil, sshhost.ErrHostKeyChanged},
		{"another key without a port", []string{"127.0.0.1 " + other}, nil, sshhost.ErrHostKeyUnknown},
		{"another key, accept-new", []string{"NAME " + other}, []string{"    StrictHostKeyChecking accept-new"}, sshhost.ErrHostKeyChanged},
		{"another key, no checking", []string{"NAME " + other}, []string{"    StrictHostKeyChecking no"}, sshhost.ErrHostKeyChanged},
		{"none, no checking", []string{""}, []string{"    StrictHostKeyChecking no"}, sshhost.ErrHostKeyUnknown},
		{"revoked", []string{"NAME " + ed25519, "@revoked * " + ed25519}, nil, sshhost.ErrHostKeyRevoked},
		{"revoked, accept-new", []string{"@revoked * " + ed25519}, []string{"    StrictHostKeyChecking accept-new"}, sshhost.ErrHostKeyRevoked},
		{"in RevokedHostKeys", []string{"NAME " + ed25519}, []string{"    RevokedHostKeys " + writeFile(t, "# list", ed25519)}, sshhost.ErrHostKeyRevoked},
		{"RevokedHostKeys not there", []string{"NAME " + ed25519}, []string{"    RevokedHostKeys /nonexistent/keys"}, sshhost.ErrConfig},
		{"RevokedHostKeys not readable", []string{"NAME " + ed25519}, []string{"    RevokedHostKeys " + writeFile(t, "SSHKRL\n\x00")}, sshhost.ErrConfig},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, file := known(t, tt.lines, tt.more...)
			before := readFile(t, file)
			h := open(t, "lab-bash", cfg, nil)
			if tt.want == nil {
				runs(t, h)
			} else {
				unreachable(t, h, "host key", tt.want)
			}
			if after := readFile(t, file); after != before {
				t.Errorf("got known_hosts changed to %q, want it as it was", after)
			}
			if n := h.Stats().Dials; n > 1 {
				t.Errorf("got %d dials, want none of it retried", n)
			}
		})
	}
}

// TestHostKeyMends runs the commands that the hints name, as they stand.
func TestHostKeyMends(t *testing.T) {
	l := lab.Open(t)
	other := strings.Join(strings.Fields(readFile(t, l.Stranger+".pub"))[:2], " ")
	cfg, file := known(t, []string{"NAME " + other})
	mend := func(hint string) {
		t.Helper()
		_, command, ok := strings.Cut(hint, ": ")
		if !ok {
			t.Fatalf("got hint %q, want a command after a colon", hint)
		}
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	he := unreachable(t, open(t, "lab-bash", cfg, nil), "host key", sshhost.ErrHostKeyChanged, file+":1")
	mend(he.Hint)
	he = unreachable(t, open(t, "lab-bash", cfg, nil), "host key", sshhost.ErrHostKeyUnknown)
	out, err := exec.Command("ssh-keygen", "-lf", strings.TrimSuffix(l.Server.HostKeys[0], ".pub")+".pub").Output()
	if fields := strings.Fields(string(out)); err != nil || !strings.Contains(he.Error(), fields[1]) {
		t.Errorf("got %q, want the fingerprint ssh-keygen gives, %q", he, out)
	}
	mend(he.Hint)
	runs(t, open(t, "lab-bash", cfg, nil))
}

func TestHostKeyAcceptNew(t *testing.T) {
	for _, hash := range []string{"no", "yes"} {
		t.Run("hash "+hash, func(t *testing.T) {
			cfg, file := known(t, []string{"# mine"}, "    StrictHostKeyChecking accept-new", "    HashKnownHosts "+hash)
			runs(t, open(t, "lab-bash", cfg, nil))
			lines := strings.Split(strings.TrimSpace(readFile(t, file)), "\n")
			if len(lines) != 2 || strings.HasPrefix(lines[1], "|1|") != (hash == "yes") {
				t.Fatalf("got %q, want one line more, hashed: %s", lines, hash)
			}
			// OpenSSH must find it there, and so must we.
			if out, err := exec.Command("ssh", "-F", cfg, "-o", "StrictHostKeyChecking=yes", "lab-bash", "true").CombinedOutput(); err != nil {
				t.Errorf("ssh: %v: %s", err, out)
			}
			runs(t, open(t, "lab-bash", cfg, nil))
			if again := strings.Count(readFile(t, file), "\n"); again != 2 {
				t.Errorf("got %d lines after the second time, want 2", again)
			}
		})
	}
}

func TestHostKeyCertificate(t *testing.T) {
	lab.Require(t, "ssh")
	dir := t.TempDir()
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %q: %v: %s", args, err, out)
		}
	}
	ca, hostKey := filepath.Join(dir, "ca"), filepath.Join(dir, "host")
	keygen("-t", "rsa", "-N", "", "-f", ca) // another type than the host's key
	keygen("-t", "ed25519", "-N", "", "-f", hostKey)
	keygen("-s", ca, "-h", "-I", "test", "-n", "127.0.0.1,cluster", hostKey+".pub")
	srv := lab.SSHD(t, lab.SSHDOptions{Config: []string{"HostKey " + hostKey, "HostCertificate " + hostKey + "-cert.pub"}})
	caLine := strings.Join(strings.Fields(readFile(t, ca+".pub"))[:2], " ")
	plain := strings.Join(strings.Fields(readFile(t, hostKey+".pub"))[:2], " ")
	for _, tt := range []struct {
		name  string
		known []string
		more  []string
		want  error
	}{
		{"authority", []string{"@cert-authority * " + caLine}, nil, nil},
		{"authority, alias", []string{"@cert-authority cluster " + caLine}, []string{"    HostKeyAlias cluster"}, nil},
		{"plain key known", []string{"127.0.0.1 " + plain}, nil, nil},
		{"authority for another name", []string{"@cert-authority *.example.com " + caLine}, nil, sshhost.ErrHostKeyUnknown},
		{"certificate for another name", []string{"@cert-authority * " + caLine}, []string{"    HostKeyAlias elsewhere"}, sshhost.ErrHostKeyUnknown},
		{"authority revoked", []string{"@cert-authority * " + caLine, "@revoked * " + caLine}, nil, sshhost.ErrHostKeyRevoked},
		{"key revoked", []string{"@cert-authority * " + caLine, "@revoked * " + plain}, nil, sshhost.ErrHostKeyRevoked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := append([]string{"Host lab-bash", "    UserKnownHostsFile " + writeFile(t, tt.known...)}, tt.more...)
			h := open(t, "lab-bash", config(t, srv.SSHConfig, lines...), nil)
			if tt.want == nil {
				runs(t, h)
			} else {
				unreachable(t, h, "host key", tt.want)
			}
		})
	}
}
