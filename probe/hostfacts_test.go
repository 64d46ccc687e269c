package probe

import "testing"

func TestRootAge(t *testing.T) {
	const usr, etc = "/usr/lib/tmpfiles.d/tmp.conf", "/etc/tmpfiles.d/"
	for _, c := range []struct {
		name, root string
		files      map[string]string
		want       string
	}{
		{"nothing said", "/tmp/sandboxer", nil, ""},
		{"at boot only", "/tmp/sandboxer", map[string]string{usr: "D /tmp 1777 root root -\n"}, ""},
		{"aged", "/tmp/sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n"}, "10d"},
		{"elsewhere", "/home/ann/.sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n"}, ""},
		{"left out", "/tmp/sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n", etc + "x.conf": "x /tmp/sandboxer\n"}, ""},
		{"left out by pattern", "/tmp/sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n", etc + "x.conf": "x /tmp/sand*\n"}, ""},
		{"only itself left out", "/tmp/sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n", etc + "x.conf": "X /tmp/sandboxer\n"}, "10d"},
		{"the distribution's is replaced", "/tmp/sandboxer", map[string]string{usr: "q /tmp 1777 root root 10d\n", etc + "tmp.conf": "q /tmp 1777 root root -\n"}, ""},
		{"the nearest counts", "/tmp/sandboxer", map[string]string{usr: "d /tmp/sandboxer - - - 2h\nq /tmp 1777 root root 10d\n"}, "2h"},
		{"a name that begins alike", "/tmp/sandboxer", map[string]string{usr: "d /tmp/sand - - - 2h\n"}, ""},
	} {
		r := &reading{files: c.files}
		r.self.root = c.root
		if got := r.rootAge(true); got == nil || *got != c.want {
			t.Errorf("%s: got %v, want %q", c.name, got, c.want)
		}
	}
}

func TestMaxSessions(t *testing.T) {
	const main, drop = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/10-x.conf"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"not said", map[string]string{main: "UsePAM yes\n"}, 10},
		{"said", map[string]string{main: "MaxSessions 3\nMaxSessions 30\n"}, 3},
		{"in another file", map[string]string{main: "MaxSessions 3\n", drop: "maxsessions=2\n"}, 2},
		{"for somebody", map[string]string{main: "Match User git\n MaxSessions 1\n"}, 10},
	} {
		r := &reading{files: c.files}
		r.self.opens = map[string]bool{main: true}
		if got := r.maxSessions(); got == nil || *got != c.want {
			t.Errorf("%s: got %v, want %d", c.name, got, c.want)
		}
	}
	if got := (&reading{}).maxSessions(); got != nil {
		t.Errorf("unreadable: got %d, want none", *got)
	}
}

func TestPoolsFree(t *testing.T) {
	for _, c := range []struct {
		name     string
		pools    []addressPool
		subnets  []string
		networks int64
		want     int64
	}{
		{"nothing used", nil, []string{}, 0, 31},
		{"docker0", nil, []string{"172.17.0.0/16"}, 3, 30},
		{"others' do not count", nil, []string{"172.17.0.0/16", "10.1.0.0/16", "fd00::/64", "no address"}, 5, 30},
		{"a small one takes all of its place", nil, []string{"172.18.5.0/24"}, 3, 30},
		{"two in one place", nil, []string{"172.18.5.0/24", "172.18.6.0/24"}, 4, 30},
		{"a large one takes the pool", nil, []string{"192.168.0.0/15"}, 3, 15},
		{"several places of a pool", nil, []string{"172.20.0.0/15"}, 3, 29},
		{"configured", []addressPool{{"10.200.0.0/16", 24}}, []string{"10.200.0.0/24", "172.17.0.0/16"}, 4, 255},
		{"by number", nil, nil, 33, 0},
		{"nonsense", []addressPool{{"x", 24}, {"10.0.0.0/8", 4}}, []string{}, 0, 0},
	} {
		if got := poolsFree(c.pools, c.subnets, c.networks); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestElsewhere(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "unix:///run/user/1000/docker.sock": "", "tcp://localhost:2375": "", "tcp://127.0.0.1:2375": "", "tcp://[::1]:2375": "",
		"context:default": "", `	"currentContext": "rootless"`: "", `	"currentContext": "prod",`: "context:prod",
		"tcp://192.0.2.1:2375": "tcp://192.0.2.1:2375", "ssh://ann@box": "ssh://ann@box",
	} {
		if got := elsewhere(said); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

func TestSudoRefusal(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "Cannot connect to the Docker daemon": "",
		"sudo: unable to resolve host box: Name or service not known\nError":                       "",
		"sudo: a password is required\n":                                                           "sudo: a password is required",
		"ann is not in the sudoers file.\nThis incident has been reported to the administrator.\n": "ann is not in the sudoers file.",
		"Sorry, user ann may not run sudo on box.\n":                                               "Sorry, user ann may not run sudo on box.",
		"sudo: docker: command not found\n":                                                        "sudo: docker: command not found",
	} {
		if got := sudoRefusal([]byte(said)); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

func TestJSONIn(t *testing.T) {
	for said, want := range map[string]string{
		"": "", "hello\n": "", "[]\n": "[]", "null\n": "null",
		"time=\"x\" level=warning msg=\"y\"\n[\n {\"a\": 1}\n]\n": "[\n {\"a\": 1}\n]",
		"{\"a\":1}\nWARNING: z\n{\"a\":2}\n":                      "{\"a\":1}\n{\"a\":2}",
		"w\n[{\"a\":":                                             "[{\"a\":",
	} {
		if got := string(jsonIn([]byte(said))); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}
