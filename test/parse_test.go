package main

import (
	"maps"
	"slices"
	"testing"
)

func TestMountsBelow(t *testing.T) {
	const mountinfo = `22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:26 / /tmp/lab rw - tmpfs tmpfs rw
31 30 0:27 / /tmp/lab/a\040b\134c rw - tmpfs tmpfs rw
32 22 0:28 / /tmp/laboratory rw - tmpfs tmpfs rw
short line
`
	got := mountsBelow(mountinfo, "/tmp/lab")
	want := []string{"/tmp/lab", `/tmp/lab/a b\c`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseUsers(t *testing.T) {
	const passwd = `root:x:0:0:root:/root:/bin/bash
sbxlab-bash:x:1001:1001::/tmp/sbx-lab/home/sbxlab-bash:/bin/bash
sbxlabor:x:1002:1002::/:/bin/sh
`
	got, err := parseUsers(passwd)
	want := map[uint32]string{1001: "sbxlab-bash"}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	// What runs under these numbers will be killed.
	for _, bad := range []string{"sbxlab-x:x:0:0::/:/bin/sh\n", "sbxlab-x:x::0::/:/bin/sh\n", "sbxlab-x:x:-1:0::/:/bin/sh\n"} {
		if got, err := parseUsers(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestTestEnv(t *testing.T) {
	got := testEnv([]string{"HOME=/h", "SANDBOXER_HOST=production", "SANDBOXER_REQUIRE=fish"}, "/l/lab.json", "sshd,root")
	want := []string{"SANDBOXER_LAB=/l/lab.json", "HOME=/h", "SANDBOXER_REQUIRE=fish"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = testEnv([]string{"HOME=/h", "SANDBOXER_LAB=/old"}, "", "sshd,root")
	want = []string{"HOME=/h", "SANDBOXER_REQUIRE=sshd,root"}
	if !slices.Equal(got, want) {
		t.Errorf("without a lab: got %q, want %q", got, want)
	}
}
