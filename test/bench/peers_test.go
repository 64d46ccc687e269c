package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/shellquote"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/test/lab"
)

// BenchmarkInspectAttached is "inspect host" over the connection that an ssh
// of the user's holds already, against "ssh HOST true" over the same one, and
// against an ssh that runs the same script.
func BenchmarkInspectAttached(b *testing.B) {
	lab.Require(b, "sshd", "ssh")
	l, path := lab.Open(b), build(b)
	for _, alias := range []string{"lab-root", "lab-docker", "lab-dash"} {
		config := master(b, l, alias)
		ours := []string{path, "inspect", "host", "--host", alias, "--ssh-config", config, "-o", "json"}
		b.Run(alias+"/true", func(b *testing.B) {
			pair(b, ours, []string{"ssh", "-F", config, alias, "true"})
		})
		b.Run(alias+"/script", func(b *testing.B) {
			pair(b, ours, []string{"ssh", "-F", config, alias, probeScript(b)})
		})
	}
}

// BenchmarkExecAttached is a program that runs "true" over such a connection,
// against ssh.
func BenchmarkExecAttached(b *testing.B) {
	lab.Require(b, "sshd", "ssh")
	config := master(b, lab.Open(b), "lab-dash")
	pair(b,
		[]string{buildProgram(b, "test/bench/crowd"), "-config", config, "lab-dash"},
		[]string{"ssh", "-F", config, "lab-dash", "true"})
}

// probeScript returns the command by which sandboxer looks at a host.
func probeScript(b *testing.B) string {
	b.Helper()
	var r recorder
	_, _ = probe.Collector{}.Collect(b.Context(), &r, sandboxer.CollectOptions{})
	return shellquote.Join(r.args)
}

// A recorder is a host that runs nothing.
type recorder struct{ args []string }

func (r *recorder) Name() string { return "recorder" }

func (r *recorder) Run(_ context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	r.args = cmd.Args
	return sandboxer.Result{}, nil
}

// master starts an ssh that holds a connection for others, and returns the
// configuration with which they find it.
func master(b *testing.B, l *lab.Lab, alias string) (config string) {
	b.Helper()
	dir := shortDir(b)
	socket := filepath.Join(dir, "s")
	config = filepath.Join(dir, "ssh_config")
	write(b, config, fmt.Sprintf("Host %s\n    ControlPath %s\nHost *\n    Include %s\n", alias, socket, l.SSHConfig))
	cmd := exec.Command("ssh", "-F", config, "-M", "-N", alias)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			return config
		}
		<-tick.C
	}
	b.Fatalf("the socket of the ssh to %s does not appear", alias)
	return ""
}

// BenchmarkAnsible is "inspect host" over ssh, cold, against the setup module
// of ansible, which keeps its connections for a minute: all runs but the first
// find one.
func BenchmarkAnsible(b *testing.B) {
	lab.Require(b, "sshd", "ssh", "ansible")
	l, path := lab.Open(b), build(b)
	dir := shortDir(b)
	b.Setenv("LC_ALL", "C.UTF-8") // it accepts no other
	b.Setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", dir)
	b.Cleanup(func() {
		sockets, _ := filepath.Glob(dir + "/*")
		for _, socket := range sockets {
			_ = exec.Command("ssh", "-o", "ControlPath="+socket, "-O", "exit", "any").Run()
		}
	})
	for _, alias := range []string{"lab-docker", "lab-dash"} {
		b.Run(alias, func(b *testing.B) {
			pair(b,
				[]string{path, "inspect", "host", "--host", alias, "--ssh-config", l.SSHConfig, "-o", "json"},
				[]string{"ansible", alias, "-i", alias + ",", "--ssh-common-args=-F " + l.SSHConfig, "-m", "setup"})
		})
	}
}

// shortDir returns a directory for sockets: that of b.TempDir may be too long
// for them.
func shortDir(b *testing.B) string {
	b.Helper()
	dir, err := os.MkdirTemp("", "cm")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
