package sshhost_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestNamesThatAreNone: what is not the name of a host is refused before any
// program has seen it.
func TestNamesThatAreNone(t *testing.T) {
	lab.Require(t, "sshd")
	dir := t.TempDir()
	stub, trace := filepath.Join(dir, "ssh"), filepath.Join(dir, "trace")
	if err := os.WriteFile(stub, []byte("#!/bin/sh\necho \"$@\" >>'"+trace+"'\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	started := func(alias string) bool {
		t.Helper()
		h := open(t, alias, "/dev/null", func(c *sshhost.Config) { c.SSH = stub })
		unreachable(t, h, "resolve", sshhost.ErrConfig)
		if n := h.Stats().Dials; n != 0 {
			t.Errorf("%q: got %d dials, want none", alias, n)
		}
		_, err := os.Stat(trace)
		return err == nil
	}
	for _, alias := range []string{
		"", "-", "-oProxyCommand=touch x", "-G", "--", "-F/etc/passwd", "a b", " a", "a\n", "a\nb", "a\x00b", "a\tb", "a\x1b[2J",
		"a\x7f", "a\u0085b", "a\u00a0b", "a\u2028b", "\xff", strings.Repeat("a", 1025),
	} {
		if started(alias) {
			t.Fatalf("%q: got a program started, with %q", alias, readFile(t, trace))
		}
	}
	if !started("plain") {
		t.Error("got no trace of a name that is one: the test shows nothing")
	}
}

// TestIPv6 reaches an sshd at ::1, by that name, by another one, and behind a
// jump.
func TestIPv6(t *testing.T) {
	l := lab.Open(t)
	lab.Require(t, "ipv6")
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	srv := lab.SSHD(t, lab.SSHDOptions{HostKeys: []string{"ed25519"}, Port: port, Config: []string{fmt.Sprintf("ListenAddress [::1]:%d", port)}})
	known := writeFile(t, fmt.Sprintf("[::1]:%d %s", port, keyLine(t, srv.HostKeys, "ed25519")))
	login := []string{
		"IdentityFile " + l.Key, "IdentityAgent none", "UserKnownHostsFile " + known, "GlobalKnownHostsFile /dev/null",
	}
	full := writeFile(t, append([]string{"Host ::1 six", "HostName ::1", "User sbxlab-bash", fmt.Sprintf("Port %d", port)}, login...)...)
	jump := config(t, srv.SSHConfig, "Host six", fmt.Sprintf("HostName ::1\nPort %d\nProxyJump lab-bash\nUser sbxlab-bash\n", port)+strings.Join(login, "\n"))
	for _, tt := range []struct{ name, alias, cfg string }{
		{"literal", "::1", full},
		{"literal with a user", "sbxlab-dash@::1", full},
		{"by HostName", "six", full},
		{"behind a jump", "six", jump},
	} {
		t.Run(tt.name, func(t *testing.T) { runs(t, open(t, tt.alias, tt.cfg, nil)) })
	}
}

// TestURL: a name may be an address with everything in it.
func TestURL(t *testing.T) {
	l := lab.Open(t)
	host, port, _ := net.SplitHostPort(l.Server.Addr)
	cfg := config(t, l.SSHConfig, "Host "+host, "IdentityFile "+l.Key, "IdentityAgent none",
		"UserKnownHostsFile "+filepath.Join(filepath.Dir(l.SSHConfig), "known_hosts"), "GlobalKnownHostsFile /dev/null")
	for _, alias := range []string{"ssh://sbxlab-bash@" + l.Server.Addr, "ssh://lab-bash", "ssh://sbxlab-dash@lab-bash", "sbxlab-dash@lab-bash", "ssh://sbxlab-bash@lab-bash:" + port + "/"} {
		runs(t, open(t, alias, cfg, nil))
	}
}
