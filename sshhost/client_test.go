package sshhost_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// clientVar makes this test binary a client that runs one script and ends:
// one that can be stopped and killed. It holds the alias, the configuration,
// LostAfter, the deadline, and the script, separated by line ends.
const clientVar = "SANDBOXER_TEST_CLIENT"

func TestMain(m *testing.M) {
	if order := os.Getenv(clientVar); order != "" {
		os.Exit(client(order))
	}
	os.Exit(m.Run())
}

func client(order string) int {
	part := strings.SplitN(order, "\n", 5)
	lostAfter, _ := time.ParseDuration(part[2])
	deadline, err := time.ParseDuration(part[3])
	if err != nil {
		fmt.Println(err)
		return 2
	}
	h := sshhost.New(part[0], sshhost.Config{ConfigFile: part[1], LostAfter: lostAfter})
	defer h.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if _, err := h.Run(ctx, sandboxer.Cmd{Args: []string{"sh", "-c", part[4]}, Stdin: os.Stdin, Stdout: os.Stdout}); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// A process is a client of another process, and what it prints.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startClient starts a client, which ends with the test, if it did not before.
func startClient(t *testing.T, alias, cfg string, lostAfter, deadline time.Duration, script string) process {
	t.Helper()
	p := process{Cmd: exec.Command(os.Args[0])}
	p.Env = append(os.Environ(), clientVar+"="+strings.Join([]string{alias, cfg, lostAfter.String(), deadline.String(), script}, "\n"))
	p.Stderr = os.Stderr
	in, inErr := p.StdinPipe()
	out, outErr := p.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); p.Process.Kill(); p.Wait() })
	p.in, p.out = in, bufio.NewReader(out)
	return p
}

// line returns the next line of what the client prints.
func (p process) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q, %v, want a line of the client", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// pid returns the process id that the client prints as its first line.
func (p process) pid(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(p.line(t))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestKilledClientsInput: a command that waits for its client's word notices
// the client's death.
func TestKilledClientsInput(t *testing.T) {
	l := lab.Open(t)
	client := startClient(t, "lab-dash", l.SSHConfig, 0, time.Hour, "echo $$; exec cat")
	pid := client.pid(t)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if err := client.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if !awaitEnd(pid, 25*time.Second) {
		t.Errorf("got process %d alive, want it to have seen the end of its input", pid)
	}
}
