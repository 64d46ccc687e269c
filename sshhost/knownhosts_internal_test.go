package sshhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/skeema/knownhosts"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

const (
	ed25519Line = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	hashedName  = "|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg="
)

// TestOwnLine: what a line is for a target, and which lines OpenSSH skips.
func TestOwnLine(t *testing.T) {
	const key = " ssh-ed25519 " + ed25519Line
	at := target{host: "Web1.example.com", port: "2222"}
	const own, bare = "[web1.example.com]:2222" + key, "web1.example.com" + key
	for line, want := range map[string]string{ // "error": one
		"":                              "",
		"  ":                            "",
		" # comment":                    "",
		"[web1.example.com]:2222" + key: own,
		"web1.example.com" + key:        bare, // good for every port
		"other,[WEB1.example.com]:2222" + key + " a comment":   own,
		"web1.example.com\tssh-ed25519\t" + ed25519Line + "\r": bare,
		"*.example.com" + key:                                               bare,
		"*" + key:                                                           own,
		"[web?.example.com]:*" + key:                                        own,
		"*.example.com,!web1.example.com" + key:                             "",
		"*,![web1.example.com]:2222,!web1.*" + key:                          "",
		"*.com*,!web1.example.com" + key:                                    own, // by its name with the port
		xknownhosts.HashHostname("[web1.example.com]:2222") + key:           own,
		xknownhosts.HashHostname("web1.example.com") + key:                  bare,
		"web2.example.com" + key:                                            "",
		"web1" + key:                                                        "",
		"xweb1.example.com,web1.example.comx" + key:                         "",
		xknownhosts.HashHostname("[web1.example.com]:2223") + key:           "",
		hashedName + key:                                                    "",
		"@cert-authority web2.example.com" + key:                            "",
		"@cert-authority web1.example.com" + key:                            "@cert-authority " + bare,
		"@revoked *" + key:                                                  "@revoked " + own,
		"1.2.3.4 SHA256:abc":                                                "error",
		"web1.example.com ssh-ed25519":                                      "error",
		"@revoked * ssh-ed25519":                                            "error",
		"@cert-authority":                                                   "error",
		"* ssh-rsa " + ed25519Line:                                          "error",
		"* ssh-ed25519 AAAA":                                                "error",
		"* ssh-ed25519 !!!!":                                                "error",
		"* ssh-future-type AAAAD3NzaC1mdXR1cmUtdHlwZQAAAAA=":                "error",
		"web2.example.com ssh-future-type AAAAD3NzaC1mdXR1cmUtdHlwZQAAAAA=": "",
		"@other *" + key:                                                    "error",
		"@revoked @revoked *" + key:                                         "error",
		"|2|a|b" + key:                                                      "error",
		"|1|a" + key:                                                        "error",
		"|1|!|b=" + key:                                                     "error",
	} {
		got, err := at.ownLine(line)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%.80q: got %q (%v), want %q", line, got, err, want)
		}
		if _, err := knownhosts.NewDB(write(t, got)); err != nil && want != "error" {
			t.Errorf("%.80q: the library says of it %v", line, err)
		}
	}
}

func TestMatchPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abc", true},
		{"a*b", "abc", false}, {"?", "", false}, {"?", "a", true}, {"a?c", "abc", true}, {"*b*b*", "abab", true}, {"*ab", "aab", true},
		{"a**c", "ac", true}, {"abc", "ab", false}, {"[a]:*", "[a]:22", true}, {"*.*.*", "a.b", false},
	} {
		if got := matchPattern(tt.pattern, tt.s); got != tt.want {
			t.Errorf("%q for %q: got %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}

func FuzzKnownHostsLine(f *testing.F) {
	f.Add("a ssh-ed25519 " + ed25519Line)
	f.Add("@cert-authority [*.b]:22,!c ssh-ed25519 " + ed25519Line)
	f.Add(hashedName + " ssh-ed25519 " + ed25519Line)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		own, err := target{host: "a", port: "22"}.ownLine(line)
		if err != nil {
			return
		}
		if _, err := knownhosts.NewDB(write(t, own)); err != nil {
			t.Errorf("%q: passed on as %q, and the library says %v", line, own, err)
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
