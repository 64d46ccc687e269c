package sshhost_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// children returns the processes that this one has started, and theirs,
// except those of ps itself.
func children(t *testing.T) []string {
	t.Helper()
	ps := exec.Command("ps", "-A", "-o", "pid=,ppid=,args=")
	out, err := ps.Output()
	if err != nil {
		t.Fatalf("ps: %v", err)
	}
	mine := map[string]bool{strconv.Itoa(os.Getpid()): true}
	var found []string
	for again := true; again; {
		again = false
		for _, line := range strings.Split(string(out), "\n") {
			f := strings.Fields(line)
			if len(f) > 2 && mine[f[1]] && !mine[f[0]] && f[0] != strconv.Itoa(ps.Process.Pid) {
				mine[f[0]], again = true, true
				found = append(found, strings.Join(f[2:], " "))
			}
		}
	}
	return found
}

func TestJumps(t *testing.T) {
	l := lab.Open(t)
	proxy := config(t, l.SSHConfig, "Host lab-bash", "    ProxyCommand ssh -F "+l.SSHConfig+" -W %h:%p lab-hop")
	unknown := config(t, l.SSHConfig, "Host lab-hop", "    UserKnownHostsFile /dev/null")
	for _, tt := range []struct{ name, alias, config string }{
		{"one jump", "lab-jump", l.SSHConfig},
		{"two jumps", "lab-jump2", l.SSHConfig},
		{"a command", "lab-bash", proxy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(children(t))
			h := open(t, tt.alias, tt.config, nil)
			runs(t, h)
			if now := children(t); len(now) <= before {
				t.Errorf("got children %q, want the jump's ssh among them", now)
			}
			h.Close()
			if now := children(t); len(now) != before {
				t.Errorf("after Close: got children %q, want none of the jump's", now)
			}
		})
	}
	t.Run("host key behind a jump", func(t *testing.T) {
		cfg := config(t, l.SSHConfig, "Host lab-jump", "    UserKnownHostsFile "+writeFile(t, "# none"))
		unreachable(t, open(t, "lab-jump", cfg, nil), "host key", sshhost.ErrHostKeyUnknown,
			"ssh -o StrictHostKeyChecking=ask -F "+cfg+" lab-jump true")
	})
	t.Run("host key of a jump", func(t *testing.T) {
		unreachable(t, open(t, "lab-jump", unknown, nil), "dial", nil, "proxy: ", "Host key verification failed")
	})
	t.Run("a command that is not there", func(t *testing.T) {
		cfg := config(t, l.SSHConfig, "Host lab-bash", "    ProxyCommand sbx-no-such-proxy %h")
		unreachable(t, open(t, "lab-bash", cfg, nil), "dial", nil, "proxy: ", "sbx-no-such-proxy")
	})
	t.Run("none", func(t *testing.T) {
		runs(t, open(t, "lab-jump", config(t, l.SSHConfig, "Host lab-jump", "    ProxyJump none"), nil))
	})
}

// TestJumpDies: the end of a jump is the end of the connection, and the next
// command makes a new one.
func TestJumpDies(t *testing.T) {
	l := lab.Open(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	cfg := config(t, l.SSHConfig, "Host lab-bash", "    ProxyCommand sh -c 'echo $$ >"+pidFile+"; exec ssh -F "+l.SSHConfig+" -W %h:%p lab-hop'")
	h := open(t, "lab-bash", cfg, nil)
	cmd := sandboxer.Cmd{Args: []string{"sh", "-c", "echo; exec sleep 20"}, Stdout: writerFunc(func(p []byte) (int, error) {
		if out, err := exec.Command("kill", "-KILL", strings.TrimSpace(readFile(t, pidFile))).CombinedOutput(); err != nil {
			t.Errorf("kill: %v: %s", err, out)
		}
		return len(p), nil
	})}
	_, err := h.Run(t.Context(), cmd)
	var he *sandboxer.HostError
	if !errors.As(err, &he) || !he.Started || !errors.Is(err, sshhost.ErrConnLost) {
		t.Errorf("got %v, want ErrConnLost, started", err)
	}
	runs(t, h)
}

// TestJumpThatHangs: a jump that does not answer ends with the caller's
// patience, and takes its ssh with it.
func TestJumpThatHangs(t *testing.T) {
	l := lab.Open(t)
	p := lab.DelayProxy(t, l.Hop.Addr, 0)
	p.Stall()
	host, port, _ := net.SplitHostPort(p.Addr)
	cfg := config(t, l.SSHConfig, "Host lab-hop", "    HostName "+host, "    Port "+port)
	before := len(children(t))
	h := open(t, "lab-jump2", cfg, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := h.Run(ctx, trueCmd); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
	h.Close()
	if now := children(t); len(now) != before {
		t.Errorf("after Close: got children %q, want none of the jump's", now)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
