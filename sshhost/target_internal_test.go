package sshhost

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

var testMachine = local{
	home: "/home/me", user: "me", uid: "1000", host: "laptop.example.org",
	getenv: func(name string) (string, bool) { return "/run/keys", name == "KEYS" },
}

const sample = `host web
user deploy
hostname web1.example.com
port 2222
addressfamily inet6
canonicalizePermittedcnames none
identitiesonly yes
hashknownhosts yes
stricthostkeychecking accept-new
pubkeyauthentication true
identityagent none
identityfile ~/.ssh/id_%h_%r
identityfile ${KEYS}/web
identityfile none
identityfile ~/.ssh/%Z
certificatefile /etc/100%%-cert.pub
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /home/me/my hosts /home/me/.ssh/known_hosts2
connecttimeout 7
ciphers aes128-ctr,aes256-ctr
proxyjump none
proxycommand nc %h %p
`

func TestParseTarget(t *testing.T) {
	got, err := parseTarget("web", []byte(sample), testMachine)
	if err != nil {
		t.Fatal(err)
	}
	want := target{
		alias: "web", user: "deploy", host: "web1.example.com", port: "2222", addressFamily: "inet6",
		identitiesOnly: true, hashKnownHosts: true, acceptNew: true, identityAgent: "none",
		identityFiles:    []string{"/home/me/.ssh/id_web1.example.com_deploy", "/run/keys/web"},
		certificateFiles: []string{"/etc/100%-cert.pub"},
		globalKnownHosts: []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"},
		knownHosts:       []string{"/home/me/my hosts", "/home/me/.ssh/known_hosts2"},
		connectTimeout:   7 * time.Second,
		ciphers:          []string{"aes128-ctr", "aes256-ctr"},
		proxyCommand:     "nc %h %p",
		warnings:         []string{`file name "~/.ssh/%Z": unknown token %Z`},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestParseTargetRefuses(t *testing.T) {
	for name, out := range map[string]string{
		"nothing":        "",
		"no user":        "hostname a\nport 22\n",
		"no port":        "hostname a\nuser b\n",
		"port 0":         "hostname a\nuser b\nport 0\n",
		"port too large": "hostname a\nuser b\nport 65536\n",
		"fd passing":     "hostname a\nuser b\nport 22\nproxycommand x\nproxyusefdpass yes\n",
	} {
		if got, err := parseTarget("a", []byte(out), testMachine); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: got %+v, %v, want ErrConfig", name, got, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("hostname a\nuser b\nport 22\nidentityfile %"))
	f.Add([]byte("hostname a\nuser b\nport 22\nidentityfile ${KEYS"))
	f.Add([]byte("hostname a\nuser b\nport 22\nidentityfile ~${KEYS}"))
	f.Fuzz(func(t *testing.T, out []byte) {
		got, err := parseTarget("alias", out, testMachine)
		if err != nil {
			return
		}
		if got.host == "" || got.user == "" || got.port == "" {
			t.Errorf("%q: got %+v, want an error where the address is incomplete", out, got)
		}
		for _, file := range append(got.identityFiles, got.certificateFiles...) {
			// A host or user may be called "~", and a token puts that in.
			if strings.HasPrefix(file, "~") && !strings.Contains(got.host+got.user+got.proxyJump+got.hostKeyAlias, "~") {
				t.Errorf("%q: got file %q, want ~ expanded", out, file)
			}
		}
	})
}

func TestCheckAlias(t *testing.T) {
	for alias, ok := range map[string]bool{
		"web": true, "me@web": true, "ssh://me@web:22": true, "::1": true, "fe80::1%eth0": true, "münchen": true,
		"": false, "-oProxyCommand=id": false, "-G": false, "a b": false, "a\nb": false, "a\x00b": false,
		"a\tb": false, "a\x7fb": false, "a\xffb": false, "a\u2028b": false, strings.Repeat("a", 1025): false,
	} {
		if err := checkAlias(alias); (err == nil) != ok || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%q: got %v, want valid %v", alias, err, ok)
		}
	}
}

func TestProxyCommandLine(t *testing.T) {
	h := New("web", Config{ConfigFile: "/cfg"})
	base := target{alias: "web", host: "10.0.0.1", port: "22", user: "deploy"}
	for _, tt := range []struct {
		name   string
		change func(*target)
		want   string // joined; empty: an error
	}{
		{"jump", func(t *target) { t.proxyJump = "hop" }, "ssh -o BatchMode=yes -F /cfg -W 10.0.0.1:22 -- hop"},
		{"jumps", func(t *target) { t.proxyJump = "a,b:2222,u@c" }, "ssh -o BatchMode=yes -F /cfg -J a,b:2222 -W 10.0.0.1:22 -- u@c"},
		{"jump to IPv6", func(t *target) { t.proxyJump, t.host = "hop", "::1" }, "ssh -o BatchMode=yes -F /cfg -W [::1]:22 -- hop"},
		{"jump that is an option", func(t *target) { t.proxyJump = "-oProxyCommand=id" }, ""},
		{"command", func(t *target) { t.proxyCommand = "nc -X 5 %h %p # %r %n %%" }, "/bin/sh -c exec nc -X 5 10.0.0.1 22 # deploy web %"},
		{"command with an unknown token", func(t *target) { t.proxyCommand = "nc %q" }, ""},
		{"shell text as user", func(t *target) { t.proxyCommand, t.user = "nc %h", "$(id)" }, ""},
		{"option as host", func(t *target) { t.proxyCommand, t.host = "nc %h", "-e" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := base
			tt.change(&target)
			got, err := h.proxyCommandLine(target)
			if tt.want == "" && !errors.Is(err, ErrConfig) || tt.want != "" && strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
