package sshhost_test

import (
	"testing"
)

// TestHostKeysByPattern: patterns, and entries without a port, mean to us what
// they mean to ssh, for authorities as for keys.
func TestHostKeysByPattern(t *testing.T) {
	v := newVouched(t)
	for name, line := range map[string]string{
		"an authority by name, without a port": "@cert-authority 127.0.0.1 " + v.authority,
		"a pattern with a port":                "[127.0.*]:* " + v.plain,
	} {
		t.Run(name, func(t *testing.T) {
			if ours, theirs := v.asSSH(t, []string{line}); (ours == nil) != (theirs == nil) {
				t.Errorf("%q: got %v, ssh has %v", line, ours, theirs)
			}
		})
	}
}
