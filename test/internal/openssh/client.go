package openssh

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Endpoint is a server as a client knows it.
type Endpoint struct {
	Addr     string   `json:"addr"`      // ip:port
	HostKeys []string `json:"host_keys"` // public key files
}

// Login is an alias and the account behind it.
type Login struct{ Alias, User string }

// Client describes an ssh_config: how each alias is reached, with which key,
// and what is known about the server's own.
type Client struct {
	Server   Endpoint // behind every alias
	Hop      Endpoint // the way to lab-jump
	Refused  string   // ip:port where nobody listens
	Logins   []Login
	Key      string // opens every account
	CertKey  string // opens them by its certificate only
	Stranger string // opens none
	User     string // of the aliases that are about something else than the account
}

// Write makes ssh_config and its known_hosts files in dir, and returns the path
// of the former, which is for ssh -F.
func (c Client) Write(dir string) (string, error) {
	known, err := KnownHosts(c.Server, c.Hop)
	if err != nil {
		return "", err
	}
	wrong := Endpoint{Addr: c.Server.Addr, HostKeys: []string{c.Stranger + ".pub"}}
	changed, err := KnownHosts(wrong)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "ssh_config")
	for name, text := range map[string]string{
		filepath.Join(dir, "known_hosts"):         known,
		filepath.Join(dir, "known_hosts.changed"): changed,
		filepath.Join(dir, "known_hosts.empty"):   "",
		path:                                      c.config(dir),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return path, nil
}

// config makes the text of an ssh_config. The first value of a keyword wins, so
// what is special to an alias stands before what all share.
func (c Client) config(dir string) string {
	var b strings.Builder
	host := func(aliases string, lines ...string) {
		fmt.Fprintf(&b, "Host %s\n", aliases)
		for _, line := range lines {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	for _, login := range c.Logins {
		host(login.Alias, "User "+login.User)
	}
	host("lab-hop", address(c.Hop.Addr)...)
	host("lab-jump", "ProxyJump lab-hop")
	host("lab-jump2", "ProxyJump lab-bash,lab-hop")
	host("lab-deadjump", "ProxyJump lab-refused")
	host("lab-changed", "UserKnownHostsFile "+filepath.Join(dir, "known_hosts.changed"))
	host("lab-unknown", "UserKnownHostsFile "+filepath.Join(dir, "known_hosts.empty"))
	host("lab-refused", address(c.Refused)...)
	host("lab-denied", "IdentityFile "+c.Stranger)
	host("lab-cert", "IdentityFile "+c.CertKey, "CertificateFile "+c.CertKey+"-cert.pub")
	host("lab-agent", "IdentityFile none", "IdentitiesOnly no", "IdentityAgent SSH_AUTH_SOCK")
	// IdentityFile adds up, so those with a key of their own are left out.
	host("lab-* !lab-denied !lab-cert !lab-agent", "IdentityFile "+c.Key)
	host("lab-*", address(c.Server.Addr)...)
	b.WriteString(Common(c.User, filepath.Join(dir, "known_hosts")))
	return b.String()
}

// Common makes the last lines of an ssh_config: what holds of the host before
// them where it does not say otherwise. Nothing of the user's own is used, and
// nothing is asked.
func Common(user, knownHosts string) string {
	return fmt.Sprintf(`    User %s
    UserKnownHostsFile %s
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
    IdentitiesOnly yes
    IdentityAgent none
    BatchMode yes
    ControlMaster no
    ControlPath none
`, user, knownHosts)
}

func address(addr string) []string {
	host, port, _ := net.SplitHostPort(addr)
	return []string{"HostName " + host, "Port " + port}
}

// KnownHosts makes the text of a known_hosts file that knows these servers.
func KnownHosts(servers ...Endpoint) (string, error) {
	var b strings.Builder
	for _, s := range servers {
		host, port, err := net.SplitHostPort(s.Addr)
		if err != nil {
			return "", err
		}
		for _, file := range s.HostKeys {
			pub, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			fields := strings.Fields(string(pub))
			if len(fields) < 2 {
				return "", fmt.Errorf("%q is no public key file", file)
			}
			name := fmt.Sprintf("[%s]:%s", host, port)
			if port == "22" {
				name = host
			}
			fmt.Fprintf(&b, "%s %s %s\n", name, fields[0], fields[1])
		}
	}
	return b.String(), nil
}
