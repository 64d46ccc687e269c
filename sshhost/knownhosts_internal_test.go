package sshhost

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

const (
	ed25519Line = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	hashedName  = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
)

func TestCheckKnownHostsLine(t *testing.T) {
	for line, ok := range map[string]bool{
		"":                             true,
		"  ":                           true,
		"# comment":                    true,
		"a ssh-ed25519 " + ed25519Line: true,
		"a,b,[c]:2222 ssh-ed25519 " + ed25519Line + " a comment": true,
		"a\tssh-ed25519\t" + ed25519Line + "\r":                  true,
		"*.example.com,!x ssh-ed25519 " + ed25519Line:            true,
		"@cert-authority * ssh-ed25519 " + ed25519Line:           true,
		"@revoked * ssh-ed25519 " + ed25519Line:                  true,
		hashedName + " ssh-ed25519 " + ed25519Line:               true,
		"1.2.3.4 SHA256:abc":                                     false,
		"a ssh-ed25519":                                          false,
		"a ssh-rsa " + ed25519Line:                               false,
		"a ssh-ed25519 AAAA":                                     false,
		"a ssh-ed25519 !!!!":                                     false,
		"a ssh-future-type AAAAD3NzaC1mdXR1cmUtdHlwZQAAAAA=":     false,
		"@other * ssh-ed25519 " + ed25519Line:                    false,
		"@revoked @revoked * ssh-ed25519 " + ed25519Line:         false,
		"|2|a|b ssh-ed25519 " + ed25519Line:                      false,
		"|1|a ssh-ed25519 " + ed25519Line:                        false,
		"[a ssh-ed25519 " + ed25519Line:                          false,
		"a,! ssh-ed25519 " + ed25519Line:                         false,
		"a ssh-ed25519 " + strings.Repeat("A", 70000):            false,
	} {
		err := checkKnownHostsLine(line)
		if (err == nil) != ok {
			t.Errorf("%.80q: got %v, want valid %v", line, err, ok)
		}
		if file := write(t, line); ok {
			if _, err := knownhosts.NewDB(file); err != nil {
				t.Errorf("%.80q: passed on, and the library says %v", line, err)
			}
		}
	}
}

// TestMayMatch: no line is left out that the library would find for a name, and
// those of other hosts mostly are.
func TestMayMatch(t *testing.T) {
	key, err := ssh.ParsePublicKey(decode(t, ed25519Line))
	if err != nil {
		t.Fatal(err)
	}
	at := target{host: "Web1.example.com", port: "2222"}
	for hosts, want := range map[string]bool{
		"[web1.example.com]:2222":                                true,
		"web1.example.com":                                       true, // good for every port
		"other,[WEB1.example.com]:2222":                          true,
		"*.example.com":                                          true,
		"[web?.example.com]:2222":                                true,
		xknownhosts.HashHostname("[web1.example.com]:2222"):      true,
		xknownhosts.HashHostname("web1.example.com"):             true,
		"web2.example.com":                                       false,
		"web1":                                                   false,
		xknownhosts.HashHostname("[web1.example.com]:2223"):      false,
		"10.0.0.1,[10.0.0.2]:2222":                               false,
		"@cert-authority web2.example.com":                       false,
		"@cert-authority web1.example.com":                       true,
		"@revoked " + xknownhosts.HashHostname("web2.example.c"): false,
	} {
		line := hosts + " ssh-ed25519 " + ed25519Line
		if got := mayMatch(line, at.storedNames()); got != want {
			t.Errorf("%q: got %v, want %v", hosts, got, want)
		}
		db, err := knownhosts.NewDB(write(t, line))
		if err != nil {
			t.Fatal(err)
		}
		first, second := at.names()
		found := db.HostKeyCallback()(first, nowhere, key) == nil || db.HostKeyCallback()(second, nowhere, key) == nil
		if found && !want {
			t.Errorf("%q: the library finds it, and it would be left out", hosts)
		}
	}
}

func decode(t *testing.T, blob string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func FuzzKnownHostsLine(f *testing.F) {
	f.Add("a ssh-ed25519 " + ed25519Line)
	f.Add("@cert-authority [*.b]:22,!c ssh-ed25519 " + ed25519Line)
	f.Add(hashedName + " ssh-ed25519 " + ed25519Line)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") || checkKnownHostsLine(line) != nil {
			return
		}
		if _, err := knownhosts.NewDB(write(t, line)); err != nil {
			t.Errorf("%q: passed on, and the library says %v", line, err)
		}
	})
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAppendLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "known_hosts")
	if err := appendLine(file, "first\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("first\nno end"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := appendLine(file, fmt.Sprintf("line %d\n", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(file)
	lines := strings.Split(string(got), "\n")
	if err != nil || len(lines) != 23 || lines[1] != "no end" || lines[22] != "" {
		t.Errorf("got %q, %v, want 22 whole lines", got, err)
	}
	st, err := os.Stat(filepath.Dir(file))
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("got directory %v, %v, want mode 0700", st.Mode(), err)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		t             target
		first, second string
	}{
		{target{host: "Web1.Example.com", port: "22"}, "web1.example.com:22", ""},
		{target{host: "web1", port: "2222"}, "web1:2222", "web1:22"},
		{target{host: "::1", port: "2222"}, "[::1]:2222", "[::1]:22"},
		{target{host: "10.0.0.1", port: "2222", hostKeyAlias: "web"}, "web:22", ""},
	} {
		if first, second := tt.t.names(); first != tt.first || second != tt.second {
			t.Errorf("%+v: got %q, %q, want %q, %q", tt.t, first, second, tt.first, tt.second)
		}
	}
}
