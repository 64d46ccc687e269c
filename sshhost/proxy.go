package sshhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/internal/capture"
)

// proxied reports whether the target is reached through another program.
func (t target) proxied() bool { return t.proxyJump != "" || t.proxyCommand != "" }

// proxyCommandLine returns the program that gives a connection to the target
// on its standard streams. Jumps are ssh's own business: it knows what each
// of them needs.
func (h *Host) proxyCommandLine(t target) ([]string, error) {
	if t.proxyJump == "" {
		tokens := map[byte]string{'%': "%", 'h': t.host, 'n': t.alias, 'p': t.port, 'r': t.user, 'k': t.keyName()}
		for _, name := range []string{t.host, t.alias, t.user} {
			// These become part of a shell command.
			if strings.ContainsAny(name, "'\"`$\\;&<>|(){}*?!~# \t") || strings.HasPrefix(name, "-") {
				return nil, fmt.Errorf("%w: %q cannot be given to ProxyCommand", ErrConfig, name)
			}
		}
		line, err := expandPercent(t.proxyCommand, tokens)
		if err != nil {
			return nil, fmt.Errorf("%w: ProxyCommand: %w", ErrConfig, err)
		}
		return []string{"/bin/sh", "-c", "exec " + line}, nil
	}
	jumps := strings.Split(t.proxyJump, ",")
	last := jumps[len(jumps)-1]
	if strings.HasPrefix(last, "-") {
		return nil, fmt.Errorf("%w: ProxyJump %q", ErrConfig, t.proxyJump)
	}
	args := append([]string{h.program(), "-o", "BatchMode=yes"}, h.configArgs()...)
	if before := jumps[:len(jumps)-1]; len(before) > 0 {
		args = append(args, "-J", strings.Join(before, ","))
	}
	return append(args, "-W", net.JoinHostPort(t.host, t.port), "--", last), nil
}

// A proxyConn is a connection whose other end is a program of ours.
type proxyConn struct {
	net.Conn
	cmd    *exec.Cmd
	stderr *capture.Stream
	ended  chan struct{} // closed once the program has been waited for
}

// proxyGrace is the time a proxy has to end once its connection is closed.
const proxyGrace = 500 * time.Millisecond

// startProxy starts the target's proxy, in a process group of its own, which
// Close ends with all that the program has started.
func (h *Host) startProxy(ctx context.Context, t target) (*proxyConn, error) {
	args, err := h.proxyCommandLine(t)
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	r, w, err := os.Pipe()
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer w.Close()
	p := &proxyConn{Conn: ours, stderr: capture.NewStream(nil, 8<<10, nil), ended: make(chan struct{})}
	// Not CommandContext: the proxy outlives the dial, and Close ends it.
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs, theirs, w
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		ours.Close()
		r.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	h.log.DebugContext(ctx, "proxy started", "host", h.alias, "program", args[0])
	go p.stderr.Copy(r)
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its words are on stderr
		capture.Settle(context.Background(), 50*time.Millisecond, 50*time.Millisecond, p.stderr)
		r.Close()
	}()
	return p, nil
}

// Close ends the connection and the program. It returns when that is gone.
func (p *proxyConn) Close() error {
	err := p.Conn.Close()
	for _, sig := range []syscall.Signal{0, syscall.SIGTERM, syscall.SIGKILL} {
		if sig != 0 {
			_ = syscall.Kill(-p.cmd.Process.Pid, sig)
		}
		t := time.NewTimer(proxyGrace)
		select {
		case <-p.ended:
			t.Stop()
			return err
		case <-t.C:
		}
	}
	return errors.Join(err, fmt.Errorf("proxy %d does not end", p.cmd.Process.Pid))
}

// complaint returns what the program said, if it has ended.
func (p *proxyConn) complaint() string {
	t := time.NewTimer(proxyGrace)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
	text, _, _ := p.stderr.Stop()
	return strings.Join(strings.Fields(string(text)), " ")
}

// socketPair returns two ends of one connection: sockets, because they have
// deadlines, and because one descriptor serves a program as both streams.
func socketPair() (net.Conn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "proxy"), os.NewFile(uintptr(fds[1]), "proxy")
	defer ours.Close() // FileConn has a copy
	c, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c, theirs, nil
}
