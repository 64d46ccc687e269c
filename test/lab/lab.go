// Package lab gives tests the real parts they talk to: an sshd with users of
// several login shells, docker and podman, a slow and breakable network, a PATH from
// which something is missing.
//
// The sshd and the engines belong to a running lab, which `go run ./test`
// starts around a whole test run and `go run ./test lab` keeps for many of
// them. SANDBOXER_LAB names its state file. Without one the tests that need a
// lab skip; see Require.
//
// The ssh_config of a lab has these aliases:
//
//	lab-root                     root
//	lab-bash, lab-dash, lab-zsh, lab-fish, lab-tcsh, lab-mksh
//	                             users with this login shell and an empty profile
//	lab-docker                   a user in the group docker; no other user is
//	lab-plain                    a user like lab-bash, who has no docker
//	lab-podman, lab-podfish      users with a podman of their own, in bash and in fish
//	lab-sudo                     a user whom sudo lets use the engines as root, and only them
//	lab-admin                    a user whom sudo lets do everything as root, without a password
//	lab-noisy                    a user whose .bashrc prints on both streams
//	lab-nologin                  a user who may not log in
//	lab-hop                      a second sshd
//	lab-jump, lab-jump2          ways over lab-hop, and over lab-bash and lab-hop
//	lab-deadjump                 a way over lab-refused
//	lab-refused                  a port that refuses connections
//	lab-changed, lab-unknown     known_hosts has another key for the host, or none
//	lab-denied                   the key opens no account
//	lab-cert                     the key opens it by its certificate only
//	lab-agent                    only the keys of the agent of SSH_AUTH_SOCK are tried
package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/tegwick/sand-boxer/test/internal/openssh"
)

// Environment variables that say where the lab is and what it must have.
const (
	StateVar   = "SANDBOXER_LAB"     // path of a running lab's state file
	RequireVar = "SANDBOXER_REQUIRE" // parts, separated by commas, whose absence fails a test
)

// Format is the version of the state file. A lab of another format cannot be
// used.
const Format = 2

// Lab is a running lab, as its state file describes it. A test may change its
// copy, for instance the SSHConfig that SSH uses.
type Lab struct {
	Format int    `json:"format"`
	PID    int    `json:"pid"`
	Dir    string `json:"dir"`

	// Missing holds the parts that could not be started, with the reason.
	Missing map[string]string `json:"missing"`

	SSHConfig string           `json:"ssh_config"` // for ssh -F
	Server    openssh.Endpoint `json:"server"`     // the sshd behind the aliases
	Hop       openssh.Endpoint `json:"hop"`        // a second sshd, the way to lab-jump
	Refused   string           `json:"refused"`    // ip:port that refuses connections
	Logins    []openssh.Login  `json:"logins"`
	Key       string           `json:"key"`      // private key that opens every account
	CertKey   string           `json:"cert_key"` // private key whose certificate does
	Stranger  string           `json:"stranger"` // private key that opens none
	UserCA    string           `json:"user_ca"`  // public key that signs user certificates
	KeysFile  string           `json:"keys_file"`

	DockerSocket string `json:"docker_socket"`
	DockerOurs   bool   `json:"docker_ours"` // false: the daemon was there before the lab
}

// Read reads the state file of a lab. It does not say whether the lab still
// runs.
func Read(path string) (*Lab, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := new(Lab)
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	if l.Format != Format {
		return nil, fmt.Errorf("%q is of format %d and not %d: stop that lab, process %d, and start it again",
			path, l.Format, Format, l.PID)
	}
	return l, nil
}

// Write writes the state file of a lab, whole or not at all.
func (l *Lab) Write(path string) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.WriteFile(temp, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// Client returns the description of the client configuration of this lab.
func (l *Lab) Client() openssh.Client {
	return openssh.Client{
		Server: l.Server, Hop: l.Hop, Refused: l.Refused, Logins: l.Logins,
		Key: l.Key, CertKey: l.CertKey, Stranger: l.Stranger, User: "sbxlab-bash",
	}
}

// Open returns the running lab, and skips or fails the test, as Require does,
// if there is none with an sshd.
func Open(t testing.TB) *Lab {
	t.Helper()
	Require(t, "sshd")
	l, err := Read(os.Getenv(StateVar))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Via writes an ssh_config with the lab's aliases, but reaching its sshd by
// another address, such as a Proxy's, and returns its path.
func (l *Lab) Via(t testing.TB, addr string) string {
	t.Helper()
	client := l.Client()
	client.Server.Addr = addr
	path, err := client.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// SSH runs the OpenSSH client on an alias, for tests that compare with it or
// look at a host behind the back of the code under test. It returns the
// standard output and fails the test if the command fails.
func (l *Lab) SSH(t testing.TB, alias, command string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ssh", "-F", l.SSHConfig, alias, command)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ssh %s %q: got %v, want success: %s", alias, command, err, stderrOf(err))
	}
	return string(out)
}
