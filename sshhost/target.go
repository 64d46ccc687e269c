package sshhost

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// A target is what OpenSSH's configuration says about one alias.
type target struct {
	alias                   string // as ssh understands the name: without user and port
	user, host, port        string
	hostKeyAlias            string
	addressFamily           string // "any", "inet", "inet6"
	bindAddress             string
	proxyJump, proxyCommand string
	controlPath             string
	connectTimeout          time.Duration // 0 where none is set

	knownHosts       []string // the user's files; a new key goes into the first
	globalKnownHosts []string
	revokedHostKeys  string
	acceptNew        bool
	hashKnownHosts   bool

	identityFiles    []string
	certificateFiles []string
	identityAgent    string // as configured; "" is the environment's
	identitiesOnly   bool
	noPublicKey      bool

	kex, ciphers, macs, hostKeyAlgorithms []string // allowed; empty is the library's choice

	warnings []string
}

// local is what tokens in file names stand for.
type local struct {
	home, user, uid, host string
	getenv                func(string) (string, bool)
}

func thisMachine() local {
	l := local{uid: strconv.Itoa(os.Getuid()), getenv: os.LookupEnv}
	if u, err := user.Current(); err == nil {
		l.home, l.user = u.HomeDir, u.Username
	}
	if l.home == "" {
		l.home = os.Getenv("HOME")
	}
	l.host, _ = os.Hostname()
	return l
}

// settings are the lines that `ssh -G` prints, a key in lower case (but one
// of them is not) and a value, which may be repeated:
//
//	host web1
//	user deploy
//	hostname 192.0.2.7
//	port 22
//	identityfile ~/.ssh/id_ed25519
//	userknownhostsfile /home/me/.ssh/known_hosts /home/me/.ssh/known_hosts2
//	canonicalizePermittedcnames none
type settings map[string][]string

func parseSettings(out []byte) settings {
	s := make(settings)
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key = strings.ToLower(key)
		s[key] = append(s[key], strings.TrimSpace(value))
	}
	return s
}

// get returns the value of a key, or "" where it has none or is "none".
func (s settings) get(key string) string {
	if v := s[key]; len(v) > 0 && v[0] != "none" {
		return v[0]
	}
	return ""
}

func (s settings) yes(key string) bool { v := s.get(key); return v == "yes" || v == "true" }

func (s settings) no(key string) bool { v := s.get(key); return v == "no" || v == "false" }

func (s settings) list(key string) []string {
	if v := s.get(key); v != "" {
		return strings.Split(v, ",")
	}
	return nil
}

// parseTarget reads what `ssh -G` prints.
func parseTarget(alias string, out []byte, l local) (target, error) {
	s := parseSettings(out)
	t := target{
		alias: cmp.Or(s.get("host"), alias), user: s.get("user"), host: s.get("hostname"), port: s.get("port"),
		hostKeyAlias:  s.get("hostkeyalias"),
		addressFamily: s.get("addressfamily"), bindAddress: s.get("bindaddress"),
		proxyJump: s.get("proxyjump"), proxyCommand: s.get("proxycommand"),
		connectTimeout: seconds(s.get("connecttimeout")),
		knownHosts:     files(s.get("userknownhostsfile")), globalKnownHosts: files(s.get("globalknownhostsfile")),
		revokedHostKeys: s.get("revokedhostkeys"),
		acceptNew:       s.get("stricthostkeychecking") == "accept-new",
		hashKnownHosts:  s.yes("hashknownhosts"),
		identitiesOnly:  s.yes("identitiesonly"),
		noPublicKey:     s.no("pubkeyauthentication"),
		kex:             s.list("kexalgorithms"), ciphers: s.list("ciphers"), macs: s.list("macs"),
		hostKeyAlgorithms: s.list("hostkeyalgorithms"),
	}
	if v := s["identityagent"]; len(v) > 0 {
		t.identityAgent = v[0] // "none" has a meaning of its own here
	}
	if err := t.check(); err != nil {
		return target{}, err
	}
	if s.yes("proxyusefdpass") && t.proxyCommand != "" {
		return target{}, fmt.Errorf("%w: ProxyUseFdpass is not supported", ErrConfig)
	}
	t.identityFiles = t.expandAll(s["identityfile"], l)
	t.certificateFiles = t.expandAll(s["certificatefile"], l)
	if paths := t.expandAll(s["controlpath"], l); len(paths) > 0 {
		t.controlPath = paths[0]
	}
	return t, nil
}

// address is where the target listens.
func (t target) address() string { return net.JoinHostPort(t.host, t.port) }

// expandAll expands file names, which ssh -G prints as they stand in the
// configuration. Where nothing is configured they are the default names, of
// which few exist. One that cannot be expanded is left out, with a warning.
func (t *target) expandAll(names []string, l local) []string {
	var paths []string
	for _, name := range names {
		if name == "none" {
			continue
		}
		path, err := t.expand(name, l)
		if err != nil {
			t.warnings = append(t.warnings, fmt.Sprintf("file name %q: %v", name, err))
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

// check reports what no connection can do without.
func (t target) check() error {
	n, err := strconv.Atoi(t.port)
	if err != nil || n < 1 || n > 65535 || t.host == "" || t.user == "" {
		return fmt.Errorf("%w: ssh -G gives host %q, port %q, user %q", ErrConfig, t.host, t.port, t.user)
	}
	return nil
}

// expand replaces a leading ~, the percent tokens of ssh_config(5) and
// ${VARIABLE}, in this order, as ssh does.
func (t target) expand(s string, l local) (string, error) {
	if s == "~" || strings.HasPrefix(s, "~/") {
		s = l.home + s[1:]
	} else if strings.HasPrefix(s, "~") {
		return "", errors.New("the home of another user is not looked up")
	}
	short, _, _ := strings.Cut(l.host, ".")
	tokens := map[byte]string{
		'%': "%", 'd': l.home, 'h': t.host, 'i': l.uid, 'j': t.proxyJump, 'k': t.keyName(), 'L': short,
		'l': l.host, 'n': t.alias, 'p': t.port, 'r': t.user, 'u': l.user,
	}
	s, err := expandPercent(s, tokens)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value, set := l.getenv(name)
		if !closed || !set {
			return "", fmt.Errorf("environment variable %q is not set", name)
		}
		b.WriteString(value)
		s = after
	}
}

func expandPercent(s string, tokens map[byte]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("ends with %%")
		}
		value, ok := tokens[s[i]]
		if !ok {
			return "", fmt.Errorf("unknown token %%%c", s[i])
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// keyName is the name of %k.
func (t target) keyName() string {
	if t.hostKeyAlias != "" {
		return t.hostKeyAlias
	}
	return t.alias
}

// seconds parses a time as ssh prints it. "none" and nonsense are 0.
func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// files splits a list of file names, which ssh prints with spaces between
// them and without quotes. A part that is not a path belongs to the name
// before it, which had a space.
func files(s string) []string {
	var all []string
	for _, part := range strings.Split(s, " ") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "/") || strings.HasPrefix(part, "~") || len(all) == 0:
			all = append(all, part)
		default:
			all[len(all)-1] += " " + part
		}
	}
	return all
}
