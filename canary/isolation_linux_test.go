package canary

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tegwick/sand-boxer"
)

func TestParseStatus(t *testing.T) {
	for _, c := range []struct {
		data string
		want procStatus
		ok   bool
	}{
		{
			data: "Name:\tsandboxer\nUid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n",
			want: procStatus{capEff: 0, noNewPrivs: true, seccomp: true},
			ok:   true,
		},
		{
			data: "CapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n",
			want: procStatus{capEff: 0x1ffffffffff},
			ok:   true,
		},
		{data: "CapEff:\t00000000a80425fb\n", want: procStatus{capEff: 0xa80425fb}, ok: true},
		{data: ""},
		{data: "CapEff:\tmany\n"},
		{data: "CapEff:\t0\nNoNewPrivs:\tperhaps\n"},
	} {
		got, err := parseStatus(c.data)
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%q: got %+v, %v, want %+v, ok %v", c.data, got, err, c.want, c.ok)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add("CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n")
	f.Fuzz(func(t *testing.T, data string) {
		if _, err := parseStatus(data); err == nil && !strings.Contains(data, "CapEff:") {
			t.Errorf("%q: got no error, want one", data)
		}
	})
}

func TestJudgeContainer(t *testing.T) {
	good := facts{pid: 1, processes: 1, uid: 1000, readOnly: true, status: procStatus{noNewPrivs: true, seccomp: true}}
	for _, c := range []struct {
		what   string
		change func(*facts)
		want   sandboxer.Verdict
		says   string
	}{
		{"as asked for", func(*facts) {}, sandboxer.Pass, "uid 1000; effective capabilities 0x0;"},
		{"root without capabilities", func(f *facts) { f.uid = 0 }, sandboxer.Pass, "uid 0"},
		{"no seccomp in the kernel", func(f *facts) { f.status.seccomp = false }, sandboxer.Pass, "seccomp off"},
		{"the host's processes", func(f *facts) { f.pid, f.processes = 4711, 180 }, sandboxer.Fail, "pid 4711 of 180 processes visible (fail)"},
		{"first, but not alone", func(f *facts) { f.processes = 180 }, sandboxer.Fail, "(fail)"},
		{"capabilities", func(f *facts) { f.status.capEff = 0xa80425fb }, sandboxer.Fail, "effective capabilities 0xa80425fb (fail)"},
		{"may gain privileges", func(f *facts) { f.status.noNewPrivs = false }, sandboxer.Warn, "no_new_privs off (warn)"},
		{"writable root", func(f *facts) { f.readOnly = false }, sandboxer.Warn, "read-only root off (warn)"},
		{"the host's files", func(f *facts) { f.hostFiles = []string{"/bin/sh"} }, sandboxer.Fail, "files as on a host: /bin/sh (fail)"},
		{"an engine", func(f *facts) { f.sockets = []string{"/run/docker.sock"} }, sandboxer.Fail, "/run/docker.sock (fail)"},
		{"a failure and a warning", func(f *facts) { f.readOnly, f.status.capEff = false, 1 }, sandboxer.Fail, "(warn)"},
	} {
		f := good
		c.change(&f)
		got := judgeContainer(f)
		if got.Name != sandboxer.CheckIsolation || got.Status != c.want || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: got %s %s: %s, want %s with %q", c.what, got.Name, got.Status, got.Message, c.want, c.says)
		}
	}
}

func TestJudgeProcess(t *testing.T) {
	for _, c := range []struct {
		what string
		f    facts
		want sandboxer.Verdict
		says string
	}{
		{"by a user", facts{pid: 1, procPID: 1, processes: 1, mapped: true}, sandboxer.Pass, "own: user, pid, mount;"},
		{"by root", facts{pid: 1, procPID: 1, processes: 1}, sandboxer.Pass, "own: pid, mount;"},
		{"with the host's /proc", facts{pid: 1, procPID: 4711, processes: 180}, sandboxer.Warn, "own: pid (warn)"},
		{"only mapped", facts{pid: 4711, procPID: 4711, processes: 180, mapped: true}, sandboxer.Warn, "own: user (warn)"},
		{"none", facts{pid: 4711, procPID: 4711, processes: 180}, sandboxer.Warn, "did not give it any (warn)"},
		{"an engine", facts{pid: 1, procPID: 1, sockets: []string{"/run/docker.sock"}}, sandboxer.Warn, "/run/docker.sock (warn)"},
	} {
		got := judgeProcess(c.f)
		if got.Status != c.want || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: got %s: %s, want %s with %q", c.what, got.Status, got.Message, c.want, c.says)
		}
	}
}

// Facts are read from a process in new namespaces, and from one without.
func TestReadFacts(t *testing.T) {
	f, err := readFacts()
	if err != nil {
		t.Fatal(err)
	}
	if f.pid != os.Getpid() || f.processes < 1 || len(f.hostFiles) == 0 {
		t.Errorf("got %+v, want this process, on a host", f)
	}
	unshare := []string{"--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if err := exec.Command("unshare", append(unshare, "true")...).Run(); err != nil {
		t.Logf("namespaces: unshare: %v", err)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := processDir(t)
	cmd := exec.CommandContext(t.Context(), "unshare", append(unshare, exe, mainArg)...)
	cmd.Env = processEnv(dir)
	startCanary(t, cmd)
	defer cmd.Wait()
	defer cmd.Process.Kill()
	got := check(readResult(t, dir), sandboxer.CheckIsolation)
	if want := "namespaces of its own: user, pid, mount; pid 1 of 1 processes visible"; !strings.HasPrefix(got.Message, want) {
		t.Errorf("in new namespaces: got %s: %s, want %q", got.Status, got.Message, want)
	}
}
