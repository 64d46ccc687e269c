package canary

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindMemoryGroup(t *testing.T) {
	const id = "5f1c5a3f0e5ff1c5a3f0e5f"
	for _, c := range []struct {
		what, cgroup, mountinfo string
		want                    memoryGroup
		ok                      bool
	}{
		{
			what:      "docker, version 1",
			cgroup:    "9:name=systemd:/docker/" + id + "\n4:memory:/docker/" + id + "\n1:cpu:/docker/" + id + "\n0::/\n",
			mountinfo: "500 400 0:32 /docker/" + id + " /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:9 - cgroup cgroup rw,memory\n",
			want:      memoryGroup{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
			ok:        true,
		},
		{
			what:      "docker, version 2, own cgroup namespace",
			cgroup:    "0::/\n",
			mountinfo: "1 0 0:50 / / ro - overlay overlay rw\n600 1 0:28 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n",
			want:      memoryGroup{"/sys/fs/cgroup", "/sys/fs/cgroup", "memory.max"},
			ok:        true,
		},
		{
			what:      "host, version 2",
			cgroup:    "0::/user.slice/user-1000.slice/session-3.scope\n",
			mountinfo: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			want:      memoryGroup{"/sys/fs/cgroup", "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope", "memory.max"},
			ok:        true,
		},
		{
			what:      "hybrid: memory is with version 1",
			cgroup:    "4:cpu,memory:/a\n0::/b\n",
			mountinfo: "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			want:      memoryGroup{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/a", "memory.limit_in_bytes"},
			ok:        true,
		},
		{
			what:      "hybrid: memory is with version 2",
			cgroup:    "1:cpu:/a\n0::/b\n",
			mountinfo: "34 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			want:      memoryGroup{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/b", "memory.max"},
			ok:        true,
		},
		{
			what:      "a group outside of what is mounted",
			cgroup:    "0::/../other\n",
			mountinfo: "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			want:      memoryGroup{"/sys/fs/cgroup", "/sys/fs/cgroup/other", "memory.max"},
			ok:        true,
		},
		{
			what:      "a mount point with a space",
			cgroup:    "0::/\n",
			mountinfo: `41 31 0:38 / /mnt/c\040g rw - cgroup2 cgroup2 rw` + "\n",
			want:      memoryGroup{"/mnt/c g", "/mnt/c g", "memory.max"},
			ok:        true,
		},
		{what: "no hierarchy mounted", cgroup: "0::/\n", mountinfo: "1 0 0:50 / / ro - overlay overlay rw\n"},
		{what: "nothing", cgroup: "", mountinfo: ""},
		{what: "noise", cgroup: "0:\n::\n", mountinfo: " - \n1 2 3\n"},
	} {
		got, ok := findMemoryGroup(c.cgroup, c.mountinfo)
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %+v, %v, want %+v, %v", c.what, got, ok, c.want, c.ok)
		}
	}
}

func TestLimit(t *testing.T) {
	const most = "9223372036854771712\n"
	for _, c := range []struct {
		what                string
		mount, parent, self string // content of the limit file, "" for none
		want                int64
		ok                  bool
	}{
		{what: "own", mount: "max\n", parent: "max\n", self: "67108864\n", want: 67108864, ok: true},
		{what: "a parent's is lower", mount: "max\n", parent: "4096\n", self: "67108864\n", want: 4096, ok: true},
		{what: "only above", mount: "1024\n", self: "max\n", want: 1024, ok: true},
		{what: "none", mount: "max\n", parent: "max\n", self: "max\n"},
		{what: "none, version 1", mount: most, parent: most, self: most},
		{what: "unreadable"},
		{what: "not a number", self: "lots\n"},
	} {
		mount := t.TempDir()
		g := memoryGroup{mount: mount, dir: filepath.Join(mount, "parent", "self"), file: "memory.max"}
		if err := os.MkdirAll(g.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for dir, content := range map[string]string{mount: c.mount, filepath.Dir(g.dir): c.parent, g.dir: c.self} {
			if content == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, g.file), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, ok := g.limit(); got != c.want || ok != c.ok {
			t.Errorf("%s: got %d, %v, want %d, %v", c.what, got, ok, c.want, c.ok)
		}
	}
}

func FuzzFindMemoryGroup(f *testing.F) {
	f.Add("0::/a\n", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	f.Add("4:memory:/docker/x\n", `41 31 0:38 /docker /m\040x rw - cgroup cgroup rw,memory`)
	f.Fuzz(func(t *testing.T, cgroup, mountinfo string) {
		g, ok := findMemoryGroup(cgroup, mountinfo)
		if ok && g.file == "" {
			t.Errorf("got %+v, want a file", g)
		}
		if rel, err := filepath.Rel(g.mount, g.dir); ok && filepath.IsAbs(g.mount) && (err != nil || !filepath.IsLocal(rel)) {
			t.Errorf("got %q, want a directory below %q", g.dir, g.mount)
		}
	})
}
