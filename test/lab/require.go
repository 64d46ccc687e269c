package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Parts lists every part that a test may require.
//
//	sshd        a lab whose sshd runs
//	dockerd     a lab whose dockerd runs
//	docker-cli  the docker command
//	compose-v2  the plugin behind docker compose
//	compose-v1  the docker-compose command, in its version 1
//	podman      a lab where root's podman works
//	rootless    a lab where podman works for lab-podman and lab-podfish
//	sudo        a lab where lab-sudo may run the engines by sudo -n
//	root        the test itself runs as root
//	netns       root, and a lab where network namespaces can be made
//	ipv6        the address ::1
//	proc        /proc, as Linux has it
//
// The others are commands of that name.
func Parts() []string {
	return []string{
		"sshd", "dockerd", "docker-cli", "compose-v2", "compose-v1", "podman", "rootless",
		"podman-compose", "sudo", "root", "netns", "ssh", "git", "curl", "shellcheck", "man",
		"dash", "bash", "zsh", "fish", "tcsh", "mksh", "busybox", "openssl", "shasum", "ipv6", "proc",
	}
}

// BenchParts lists the parts that only a benchmark may require. Where tests
// run nobody installs them.
//
//	ansible     the ansible command
//	pssh        the parallel-ssh command
func BenchParts() []string { return []string{"ansible", "pssh"} }

// Require skips the test if one of the parts is missing. If SANDBOXER_REQUIRE
// lists that part, the test fails instead.
func Require(t testing.TB, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !slices.Contains(Parts(), part) && !slices.Contains(BenchParts(), part) {
			t.Fatalf("no part is named %q", part)
		}
		err := Find(part)
		if err == nil {
			continue
		}
		required := strings.Split(os.Getenv(RequireVar), ",")
		if slices.Contains(required, part) {
			t.Fatalf("%s is missing, and %s lists it: %v", part, RequireVar, err)
		}
		t.Skipf("%s is missing: %v", part, err)
	}
}

// Find returns nil if the part is there and an error saying why not otherwise.
func Find(part string) error {
	switch part {
	case "sshd", "dockerd", "podman", "rootless", "sudo":
		return findInLab(part)
	case "root":
		if os.Geteuid() != 0 {
			return errors.New("not root")
		}
		return nil
	case "netns":
		if err := Find("root"); err != nil {
			return err
		}
		return findInLab(part)
	case "ipv6":
		listener, err := net.Listen("tcp6", "[::1]:0")
		if err == nil {
			listener.Close()
		}
		return err
	case "proc":
		_, err := os.Stat("/proc/self/fd")
		return err
	case "docker-cli":
		return findCommand("docker")
	case "pssh":
		return findCommand("parallel-ssh")
	case "compose-v1":
		out, err := exec.Command("docker-compose", "version", "--short").CombinedOutput()
		if err == nil && !strings.HasPrefix(string(out), "1.") {
			err = errors.New("not version 1")
		}
		if err != nil {
			return fmt.Errorf("docker-compose version --short: %w: %s", err, out)
		}
		return nil
	case "compose-v2":
		out, err := exec.Command("docker", "compose", "version").CombinedOutput()
		if err != nil {
			first, _, _ := strings.Cut(string(out), "\n") // a whole manual may follow
			return fmt.Errorf("docker compose version: %w: %s", err, first)
		}
		return nil
	default:
		return findCommand(part)
	}
}

func findCommand(name string) error {
	_, err := exec.LookPath(name)
	return err
}

func findInLab(part string) error {
	path := os.Getenv(StateVar)
	if path == "" {
		return fmt.Errorf("no lab: %s is not set; `go run ./test` runs the tests in one", StateVar)
	}
	l, err := Read(path)
	if err != nil {
		return err
	}
	if reason := l.Missing[part]; reason != "" {
		return errors.New(reason)
	}
	return nil
}

// stderrOf returns what a failed command wrote to its standard error, as far as
// os/exec kept it.
func stderrOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}
