package openssh_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/internal/openssh"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestConfig asks OpenSSH how it understands what Write has written.
func TestConfig(t *testing.T) {
	lab.Require(t, "ssh")
	dir := t.TempDir()
	hostKey := filepath.Join(dir, "host.pub")
	if err := os.WriteFile(hostKey, []byte("ssh-ed25519 AAAA comment\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := openssh.Client{
		Server:  openssh.Endpoint{Addr: "127.0.0.1:2201", HostKeys: []string{hostKey}},
		Hop:     openssh.Endpoint{Addr: "127.0.0.1:2202", HostKeys: []string{hostKey}},
		Refused: "127.0.0.1:2203",
		Logins:  []openssh.Login{{Alias: "lab-fish", User: "fisher"}},
		User:    "user",
		Key:     "/k/key", CertKey: "/k/cert", Stranger: strings.TrimSuffix(hostKey, ".pub"),
	}.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ alias, want string }{
		{"lab-fish", "user fisher"},
		{"lab-fish", "port 2201"},
		{"lab-fish", "identityfile /k/key"},
		{"lab-hop", "port 2202"},
		{"lab-hop", "user user"},
		{"lab-jump", "proxyjump lab-hop"},
		{"lab-jump", "port 2201"},
		{"lab-refused", "port 2203"},
		{"lab-changed", "userknownhostsfile " + dir + "/known_hosts.changed"},
		{"lab-changed", "identityfile /k/key"},
		{"lab-cert", "certificatefile /k/cert-cert.pub"},
		{"lab-cert", "identityfile /k/cert"},
		{"lab-agent", "identityagent SSH_AUTH_SOCK"},
	} {
		out, err := exec.Command("ssh", "-G", "-F", path, test.alias).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "\n"+test.want+"\n") {
			t.Errorf("%s: got %v, %s, want %q", test.alias, err, out, test.want)
		}
	}
	// An identity adds to those of later lines, where it is not meant to.
	for _, alias := range []string{"lab-cert", "lab-agent", "lab-denied"} {
		out, _ := exec.Command("ssh", "-G", "-F", path, alias).Output()
		if strings.Contains(string(out), "identityfile /k/key\n") {
			t.Errorf("%s: got the key that opens every account, want another or none", alias)
		}
	}
	known, err := os.ReadFile(filepath.Join(dir, "known_hosts"))
	want := "[127.0.0.1]:2201 ssh-ed25519 AAAA\n[127.0.0.1]:2202 ssh-ed25519 AAAA\n"
	if err != nil || string(known) != want {
		t.Errorf("got %q, %v, want %q", known, err, want)
	}
}
