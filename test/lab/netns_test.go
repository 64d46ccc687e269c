package lab_test

import (
	"errors"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

// TestHops asks OpenSSH itself: each host is where it is said to be, and only
// there.
func TestHops(t *testing.T) {
	var addresses []string
	t.Run("inner", func(t *testing.T) {
		l, h := lab.Open(t), lab.NewHops(t)
		l.SSHConfig = h.SSHConfig
		for alias, i := range map[string]int{"net-a": 0, "net-b": 1, "net-c": 2, "net-c-list": 2} {
			want, _, _ := net.SplitHostPort(h.Hosts[i].Addr)
			// The fourth word is the port of the third.
			if got := strings.Fields(l.SSH(t, alias, "echo $SSH_CONNECTION")); len(got) != 4 || got[2] != want {
				t.Errorf("%s: got connection %q, want one to %s", alias, got, want)
			}
		}
		for _, s := range h.Hosts[1:] {
			if _, err := net.DialTimeout("tcp", s.Addr, time.Minute); !errors.Is(err, syscall.EHOSTUNREACH) {
				t.Errorf("%s, from here: got %v, want %v", s.Addr, err, syscall.EHOSTUNREACH)
			}
		}
		for _, s := range h.Hosts {
			addresses = append(addresses, s.Addr)
		}
	})
	nothingLeft(t, addresses)
}

// TestRemoveNetns: a test that was killed leaves all of it behind, with
// processes in it.
func TestRemoveNetns(t *testing.T) {
	lab.Require(t, "netns")
	const name = lab.NetnsPrefix + "test"
	for _, args := range []string{"netns add " + name, "link add " + name + " type veth peer name prev netns " + name} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	inside := exec.Command("nsenter", "--net=/run/netns/"+name, "sleep", "1000")
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- inside.Wait() }()
	// Whether it is inside yet is for nobody to see but ip.
	for deadline := time.Now().Add(10 * time.Second); ; <-time.After(time.Millisecond) {
		if out, _ := exec.Command("ip", "netns", "pids", name).Output(); len(out) > 0 || time.Now().After(deadline) {
			break
		}
	}
	if err := lab.RemoveNetns(name); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("got a process that went on, want it killed")
	}
	nothingLeft(t, []string{name})
	if err := lab.RemoveNetns("eth"); err == nil {
		t.Error("got nil for a prefix that is not ours, want an error")
	}
}

// nothingLeft looks for words in what ip lists.
func nothingLeft(t *testing.T, words []string) {
	t.Helper()
	for _, args := range [][]string{{"netns", "list"}, {"-o", "address"}, {"-o", "link"}, {"route"}} {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
		for _, word := range words {
			host, _, _ := strings.Cut(word, ":")
			if strings.Contains(string(out), host) {
				t.Errorf("ip %v: got %q in %s, want nothing left", args, host, out)
			}
		}
	}
}
