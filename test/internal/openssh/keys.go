// Package openssh drives the real OpenSSH programs for the lab: it makes keys
// and certificates, starts sshd, and writes the client's configuration.
package openssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// Keygen makes a key pair without passphrase at path and path.pub. A pair that
// is already there is kept.
func Keygen(path, kind string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return keygen("-q", "-t", kind, "-N", "", "-C", "sandboxer-lab", "-f", path)
}

// SignUser makes path-cert.pub: a user certificate, valid for ever, by which
// the authority lets the holder of path log in as any of the principals.
func SignUser(authority, path string, principals ...string) error {
	return keygen("-q", "-s", authority, "-I", "sandboxer-lab",
		"-n", strings.Join(principals, ","), path+".pub")
}

func keygen(args ...string) error {
	out, err := exec.Command("ssh-keygen", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ssh-keygen %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
