package lab_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer/test/lab"
)

func TestAliases(t *testing.T) {
	l := lab.Open(t)
	for _, login := range l.Logins {
		if login.Alias == "lab-nologin" {
			continue
		}
		if got := strings.TrimSpace(l.SSH(t, login.Alias, "id -un")); !strings.HasSuffix(got, login.User) {
			t.Errorf("%s: got user %q, want %q", login.Alias, got, login.User)
		}
	}
	for _, alias := range []string{"lab-hop", "lab-jump", "lab-jump2", "lab-cert"} {
		if got := strings.TrimSpace(l.SSH(t, alias, "id -un")); got != "sbxlab-bash" {
			t.Errorf("%s: got user %q, want %q", alias, got, "sbxlab-bash")
		}
	}
}

func TestTrouble(t *testing.T) {
	l := lab.Open(t)
	for alias, want := range map[string]string{
		"lab-nologin":  "not available",
		"lab-refused":  "Connection refused",
		"lab-deadjump": "Connection refused",
		"lab-changed":  "IDENTIFICATION HAS CHANGED",
		"lab-unknown":  "host key is known",
		"lab-denied":   "Permission denied",
		"lab-agent":    "Permission denied",
	} {
		out, err := exec.Command("ssh", "-F", l.SSHConfig, alias, "true").CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %v, %q, want an error with %q", alias, err, out, want)
		}
	}
}

func TestNoisyShell(t *testing.T) {
	l := lab.Open(t)
	if got, want := l.SSH(t, "lab-noisy", "echo data"), "noise on stdout\ndata\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAgent(t *testing.T) {
	l := lab.Open(t)
	t.Setenv("SSH_AUTH_SOCK", lab.Agent(t, l.Key))
	if got := l.SSH(t, "lab-agent", "echo in"); got != "in\n" {
		t.Errorf("got %q, want %q", got, "in\n")
	}
}

func TestSSHD(t *testing.T) {
	l := lab.Open(t)
	s := lab.SSHD(t, lab.SSHDOptions{
		HostKeys: []string{"ed25519"}, MaxSessions: 1, Config: []string{"SetEnv LAB_EXTRA=yes"},
	})
	l.SSHConfig = s.SSHConfig
	if got := l.SSH(t, "lab-dash", "echo $LAB_EXTRA"); got != "yes\n" {
		t.Errorf("got %q, want %q", got, "yes\n")
	}
	s.Stop()
	if err := exec.Command("ssh", "-F", s.SSHConfig, "lab-dash", "true").Run(); err == nil {
		t.Error("got a connection to a stopped server, want an error")
	}
}

// TestVia counts what OpenSSH itself needs, by the proxy and by the clock.
func TestVia(t *testing.T) {
	const delay = 50 * time.Millisecond
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Server.Addr, delay)
	l.SSHConfig = l.Via(t, p.Addr)
	start := time.Now()
	l.SSH(t, "lab-dash", "true")
	elapsed := time.Since(start)
	if got := p.RoundTrips(); got < 6 || got > 10 {
		t.Errorf("got %d round trips, want about 8", got)
	}
	if got := p.Connections(); got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
	t.Logf("%d round trips, %.1f by the clock", p.RoundTrips(), float64(elapsed)/float64(2*delay))
}

func TestEngineLock(t *testing.T) {
	lab.Require(t, "dockerd")
	entered := make(chan bool, 1)
	t.Run("both", func(t *testing.T) {
		for range 2 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				lab.EngineLock(t)
				select {
				case entered <- true:
				default:
					t.Error("got in while another test is, want to wait")
				}
				t.Cleanup(func() { <-entered })
			})
		}
	})
}

// recorder is a test that notes how it was ended, and goes on.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Skipf(f string, a ...any)  { r.said += "skip: " + fmt.Sprintf(f, a...) }
func (r *recorder) Fatalf(f string, a ...any) { r.said += "fatal: " + fmt.Sprintf(f, a...) }

func TestRequire(t *testing.T) {
	t.Setenv(lab.StateVar, "")
	for _, test := range []struct{ part, required, want string }{
		{"sshd", "dockerd,root", "skip: sshd is missing: no lab"},
		{"sshd", "dockerd,sshd", "fatal: sshd is missing, and SANDBOXER_REQUIRE"},
		{"ssshd", "", `fatal: no part is named "ssshd"`},
	} {
		t.Setenv(lab.RequireVar, test.required)
		r := &recorder{TB: t}
		lab.Require(r, test.part)
		if !strings.HasPrefix(r.said, test.want) {
			t.Errorf("part %q, required %q: got %q, want %q", test.part, test.required, r.said, test.want)
		}
	}
}
