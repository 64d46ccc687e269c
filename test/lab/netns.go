package lab

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/internal/openssh"
)

// NetnsPrefix begins the name of every network namespace, and of every network
// interface, that a test makes.
const NetnsPrefix = "sbxlab-"

// makeHops makes three namespaces in a row, with wires between them, and prints
// the addresses of the hosts in them. $1 is how their names begin and the name
// of the wire's end here, whose number, unique in this network, makes the
// addresses: 16 of those for measuring networks (RFC 2544). Here all of them are
// looked for on that wire, where only the first host answers, and soon given
// up.
const makeHops = `set -e
for ns in "$1-a" "$1-b" "$1-c"; do
	ip netns add "$ns"
	ip -n "$ns" link set lo up
done
ip link add "$1" type veth peer name prev netns "$1-a"
ip -n "$1-a" link add next type veth peer name prev netns "$1-b"
ip -n "$1-b" link add next type veth peer name prev netns "$1-c"
i=$(cat "/sys/class/net/$1/ifindex")
net=198.$((18 + i / 4096 % 2)).$((i / 16 % 256)) at=$((i % 16 * 16))
ip address add "$net.$((at + 1))/30" dev "$1"
ip -n "$1-a" address add "$net.$((at + 2))/30" dev prev
ip -n "$1-a" address add "$net.$((at + 5))/30" dev next
ip -n "$1-b" address add "$net.$((at + 6))/30" dev prev
ip -n "$1-b" address add "$net.$((at + 9))/30" dev next
ip -n "$1-c" address add "$net.$((at + 10))/30" dev prev
ip link set dev "$1" up
for end in a/prev a/next b/prev b/next c/prev; do
	ip -n "$1-${end%/*}" link set dev "${end#*/}" up
done
ip route add "$net.$at/28" dev "$1"
echo 100 >"/proc/sys/net/ipv4/neigh/$1/retrans_time_ms"
echo "$net.$((at + 2)) $net.$((at + 6)) $net.$((at + 10))"`

// Hops are three hosts in a row, each with a network of its own and the lab's
// users. Its ssh_config has these aliases:
//
//	net-a                   the first, which can be reached from here
//	net-b                   the second, which only net-a reaches: a way over that
//	net-c                   the third, which only net-b reaches: a way over net-b, and with that over net-a
//	net-c-list              the third, both ways named
//	net-b-direct, net-c-direct
//	                        the same hosts without a way
type Hops struct {
	SSHConfig string     // for ssh -F
	Hosts     [3]*Server // in their order; their SSHConfig is empty

	name string // begins those of the namespaces
}

// NewHops makes Hops for one test, and removes them when it ends.
func NewHops(t testing.TB) *Hops {
	t.Helper()
	Require(t, "netns")
	l := Open(t)
	h := &Hops{name: NetnsPrefix + strings.ToLower(rand.Text()[:6])} // an interface's has at most 15 bytes
	t.Cleanup(func() {
		if err := RemoveNetns(h.name); err != nil {
			t.Errorf("remove the network namespaces: %v", err)
		}
	})
	out, err := exec.Command("sh", "-c", makeHops, "sh", h.name).Output()
	if err != nil {
		t.Fatalf("make network namespaces: %v: %s", err, stderrOf(err))
	}
	addresses := strings.Fields(string(out))
	for i := range h.Hosts {
		h.Hosts[i] = h.serve(t, l, string(rune('a'+i)), addresses[i])
	}
	if h.SSHConfig, err = h.write(t.TempDir(), l); err != nil {
		t.Fatal(err)
	}
	return h
}

// serve starts the sshd of one host.
func (h *Hops) serve(t testing.TB, l *Lab, letter, address string) *Server {
	t.Helper()
	inner, err := openssh.StartServer(openssh.ServerOptions{
		Dir: t.TempDir(), AuthorizedKeys: l.KeysFile, HostKeys: []string{"ed25519"},
		Netns: h.name + "-" + letter, Address: address,
	})
	if err != nil {
		t.Fatalf("start sshd of host %s: %v", letter, err)
	}
	s := &Server{Server: inner}
	t.Cleanup(s.Stop)
	return s
}

// write makes ssh_config and known_hosts in dir.
func (h *Hops) write(dir string, l *Lab) (string, error) {
	var ends []openssh.Endpoint
	var ips []string
	for _, s := range h.Hosts {
		ip, _, err := net.SplitHostPort(s.Addr)
		if err != nil {
			return "", err
		}
		ips = append(ips, ip)
		ends = append(ends, openssh.Endpoint{Addr: s.Addr, HostKeys: s.HostKeys})
	}
	known, err := openssh.KnownHosts(ends...)
	if err != nil {
		return "", err
	}
	knownFile, config := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "ssh_config")
	text := fmt.Sprintf(`Host net-a
    HostName %s
Host net-b net-b-direct
    HostName %s
Host net-c net-c-list net-c-direct
    HostName %s
Host net-b
    ProxyJump net-a
Host net-c
    ProxyJump net-b
Host net-c-list
    ProxyJump net-a,net-b
Host net-*
    IdentityFile %s
`, ips[0], ips[1], ips[2], l.Key) + openssh.Common(l.Client().User, knownFile)
	return config, errors.Join(os.WriteFile(knownFile, []byte(known), 0o644), os.WriteFile(config, []byte(text), 0o644))
}

// Unplug takes down the wire between here and net-a: what is sent on it is
// lost, and nobody is told.
func (h *Hops) Unplug(t testing.TB) {
	t.Helper()
	// The other end: the way of this one would be seen to be gone.
	if _, err := ip("-n", h.name+"-a", "link", "set", "dev", "prev", "down"); err != nil {
		t.Fatal(err)
	}
}

// RemoveNetns removes the network namespaces whose names begin so, with all
// that runs in them, and the interfaces here of such names.
func RemoveNetns(prefix string) error {
	if !strings.HasPrefix(prefix, NetnsPrefix) {
		return fmt.Errorf("%q is not of a test's making", prefix)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil // who could have made any?
	}
	// Each end of a wire takes the other one with it. A namespace is gone some
	// time after its last process, so this one goes first.
	links, err := names("-o", "link", "show", "type", "veth")
	errs := []error{err}
	for _, name := range links {
		if strings.HasPrefix(name, prefix) {
			_, err := ip("link", "delete", name)
			errs = append(errs, err)
		}
	}
	spaces, err := names("netns", "list")
	errs = append(errs, err)
	for _, name := range spaces {
		if strings.HasPrefix(name, prefix) {
			errs = append(errs, removeNamespace(name))
		}
	}
	return errors.Join(errs...)
}

// removeNamespace kills what runs in a network namespace and removes it.
func removeNamespace(name string) error {
	out, err := ip("netns", "pids", name)
	if err != nil {
		return err
	}
	inside := strings.Fields(out)
	for _, p := range daemon.Processes() {
		if slices.Contains(inside, strconv.Itoa(p.PID)) {
			p.Kill()
		}
	}
	_, err = ip("netns", "delete", name)
	return err
}

// names lists what ip lists, by name, as in `sbxlab-abc-a (id: 0)` and in
// `7: sbxlab-abc@if2: <BROADCAST,MULTICAST,UP> mtu 1500 ...`.
func names(args ...string) ([]string, error) {
	out, err := ip(args...)
	var all []string
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) > 1 && strings.HasSuffix(words[0], ":") {
			words = words[1:]
		}
		if len(words) > 0 {
			name, _, _ := strings.Cut(words[0], "@")
			all = append(all, strings.TrimSuffix(name, ":"))
		}
	}
	return all, err
}

func ip(args ...string) (string, error) {
	out, err := exec.Command("ip", args...).Output()
	if err != nil {
		return "", fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, stderrOf(err))
	}
	return string(out), nil
}

// TryNetns returns nil if network namespaces and wires between them can be
// made.
func TryNetns() error {
	name := NetnsPrefix + "try"
	_, err := ip("netns", "add", name)
	if err == nil {
		_, err = ip("link", "add", name, "type", "veth", "peer", "name", "prev", "netns", name)
	}
	return errors.Join(err, RemoveNetns(name))
}
