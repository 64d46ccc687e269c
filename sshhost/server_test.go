package sshhost_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/tegwick/sand-boxer/test/lab"
)

// answer has serve answer each connection, side by side, until the test ends or
// stop is called, and returns the address.
func answer(t *testing.T, network, at string, serve func(net.Conn)) (addr string, stop func()) {
	t.Helper()
	listener, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(c) })
		}
	})
	stop = func() {
		listener.Close()
		all.Wait()
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// openHouse starts a server in this process that lets in everybody without a
// proof, as some private networks' do, and runs what it is asked for. It is no
// sshd: it is there for what none of them can be made to do here, and where a
// thousand logins are to take seconds. It returns an ssh_config in which
// "open-house" is that server.
func openHouse(t *testing.T) (cfg string) {
	t.Helper()
	lab.Require(t, "ssh")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(key)
	addr, _ := answer(t, "tcp", "127.0.0.1:0", func(c net.Conn) { serveConn(c, config) })
	host, port, _ := net.SplitHostPort(addr)
	dir := t.TempDir()
	known, cfg := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "ssh_config")
	text := "Host open-house\n    HostName " + host + "\n    Port " + port + "\n    User anybody\n    IdentityFile none\n" +
		"    IdentityAgent none\n    UserKnownHostsFile " + known + "\n    GlobalKnownHostsFile /dev/null\n"
	err = errors.Join(
		os.WriteFile(known, []byte(knownhosts.Line([]string{addr}, key.PublicKey())+"\n"), 0o600),
		os.WriteFile(cfg, []byte(text), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func serveConn(c net.Conn, config *ssh.ServerConfig) {
	defer c.Close()
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer conn.Close()
	all.Go(func() { ssh.DiscardRequests(requests) })
	for asked := range channels {
		ch, requests, err := asked.Accept()
		if err == nil {
			all.Go(func() { serveSession(ch, requests) })
		}
	}
}

func serveSession(ch ssh.Channel, requests <-chan *ssh.Request) {
	defer ch.Close()
	for r := range requests {
		var m struct{ Line string }
		if r.Type != "exec" || ssh.Unmarshal(r.Payload, &m) != nil {
			_ = r.Reply(false, nil)
			continue
		}
		_ = r.Reply(true, nil)
		cmd := exec.Command("sh", "-c", m.Line)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = ch, ch, ch.Stderr()
		var status struct{ Status uint32 }
		var exit *exec.ExitError
		if err := cmd.Run(); errors.As(err, &exit) {
			status.Status = uint32(exit.ExitCode())
		}
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}
