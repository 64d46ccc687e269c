package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// need is a command the tests use and the Debian package it comes from.
type need struct{ command, pkg string }

func needs() []need {
	return []need{
		{"ssh", "openssh-client"},
		{"sshd", "openssh-server"},
		{"dockerd", "docker.io"},
		{"docker", "docker.io"},
		{"docker-compose", "docker-compose"},
		{"podman", "podman"},
		{"podman-compose", "podman-compose"},
		{"conmon", "conmon"},
		{"catatonit", "catatonit"},
		{"runc", "runc"},
		{"/usr/lib/podman/netavark", "netavark"},
		{"/usr/lib/podman/aardvark-dns", "aardvark-dns"},
		{"newuidmap", "uidmap"},
		{"slirp4netns", "slirp4netns"},
		{"fuse-overlayfs", "fuse-overlayfs"},
		{"sudo", "sudo"},
		{"setpriv", "util-linux"},
		{"ip", "iproute2"},
		{"iptables", "iptables"},
		{"useradd", "passwd"},
		{"ps", "procps"},
		{"git", "git"},
		{"curl", "curl"},
		{"openssl", "openssl"},
		{"shasum", "perl"},
		{"shellcheck", "shellcheck"},
		{"man", "man-db"},
		{"zsh", "zsh"},
		{"fish", "fish"},
		{"tcsh", "tcsh"},
		{"mksh", "mksh"},
		{"busybox", "busybox"},
	}
}

// benchNeeds lists what only benchmarks use.
func benchNeeds() []need {
	return []need{
		{"ansible", "ansible-core"},
		{"parallel-ssh", "pssh"},
	}
}

// missing lists the packages whose commands are not there.
func missing(needs []need) []string {
	var packages []string
	for _, n := range needs {
		if _, err := exec.LookPath(n.command); err != nil && !slices.Contains(packages, n.pkg) {
			packages = append(packages, n.pkg)
		}
	}
	return packages
}

// installPackages installs what is missing. Services that come with a package
// are not started: the lab has its own.
func installPackages(ctx context.Context, needs []need) error {
	packages := missing(needs)
	if len(packages) == 0 {
		return nil
	}
	say("installing %s", strings.Join(packages, " "))
	allow, err := forbidServices()
	if err != nil {
		return err
	}
	defer allow()
	install := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if aptGet(ctx, install...) == nil {
		return nil
	}
	// The lists of packages are absent or old.
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, install...)
}

func aptGet(ctx context.Context, args ...string) error {
	args = append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// forbidServices tells Debian's package scripts to start nothing, until the
// returned function is called. A policy that is already there stands.
func forbidServices() (allow func(), err error) {
	const policy = "/usr/sbin/policy-rc.d"
	f, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteString("#!/bin/sh\nexit 101\n"); err != nil {
		return nil, err
	}
	return func() { os.Remove(policy) }, f.Close()
}
