package sshhost_test

import (
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sandboxertest"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// TestHost is every promise of sandboxer.Host, kept by the real sshd for users
// of every login shell.
func TestHost(t *testing.T) {
	l := lab.Open(t)
	for _, shell := range []string{"bash", "dash", "zsh", "fish", "tcsh", "mksh", "noisy"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if shell != "noisy" {
				lab.Require(t, shell)
			}
			alias := "lab-" + shell
			sandboxertest.TestHost(t, func(t *testing.T) sandboxer.Host { return open(t, alias, l.SSHConfig, nil) })
		})
	}
}

// TestHostProxied is the same by way of another program: ssh, for a jump, and
// a ProxyCommand.
func TestHostProxied(t *testing.T) {
	l := lab.Open(t)
	command := config(t, l.SSHConfig, "Host lab-bash", "    ProxyCommand ssh -F "+l.SSHConfig+" -W %h:%p lab-hop")
	for _, way := range []struct{ name, alias, config string }{
		{"ProxyJump", "lab-jump", l.SSHConfig},
		{"ProxyCommand", "lab-bash", command},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			sandboxertest.TestHost(t, func(t *testing.T) sandboxer.Host { return open(t, way.alias, way.config, nil) })
		})
	}
}

// open returns a host that is closed when the test is over.
func open(t *testing.T, alias, config string, change func(*sshhost.Config)) *sshhost.Host {
	t.Helper()
	cfg := sshhost.Config{ConfigFile: config, Logger: testLogger(t)}
	if change != nil {
		change(&cfg)
	}
	h := sshhost.New(alias, cfg)
	t.Cleanup(func() { h.Close() })
	return h
}
