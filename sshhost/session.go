package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/capture"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// A session is one command under way. It is made on the raw channel:
// ssh.Session waits until everything has let go of the output, takes a
// command that does not read its input for a failed one, and cannot be told
// to stop.
type session struct {
	link  *link
	cmd   sandboxer.Cmd
	wire  wire
	ch    ssh.Channel
	grace time.Duration

	out, errs           *capture.Stream
	outFrame, errsFrame *frame
	began               chan struct{} // closed once a frame has found the marker
	beganOnce           sync.Once

	asked   chan struct{} // closed once the server has answered, or never will
	refused chan struct{} // closed, before asked, if the server will not run commands
	exited  chan struct{} // closed once status is set
	closed  chan struct{} // closed once no request can come any more
	status  status

	role role
	sudo bool // it is root's

	mu   sync.Mutex
	over bool           // no input is to be read any more
	in   *capture.Input // nil until the command's own input flows
}

// A status is how the command ended, as the server tells it.
type status struct {
	code   int
	signal string
}

// A role is what a session is for.
type role int

const (
	caller role = iota // a command of the caller's
	helper             // one that ends another command, and is not worth one itself
	hasty              // the same, and it is not worth waiting for either
)

// start opens a session for cmd and sends it off. A helper has no limit of its
// own on the host: it is one.
func (l *link) start(ctx context.Context, cmd sandboxer.Cmd, as role) (*session, error) {
	ch, requests, err := l.openChannel(ctx, as != hasty)
	if err != nil {
		return nil, err
	}
	grace := hostcmd.Grace(cmd)
	b := boot{sudo: l.h.cfg.Sudo}
	if deadline, ok := ctx.Deadline(); ok && as == caller {
		b.limit, b.grace = limits(deadline, grace)
	}
	w := newWire(cmd, b)
	s := &session{
		link: l, cmd: cmd, wire: w, ch: ch, grace: grace, role: as, sudo: b.sudo,
		outFrame: &frame{marker: []byte(w.marker + " ")}, errsFrame: &frame{marker: []byte(w.marker + " ")},
		began: make(chan struct{}), asked: make(chan struct{}), refused: make(chan struct{}),
		exited: make(chan struct{}), closed: make(chan struct{}),
	}
	s.out = capture.NewStream(cmd.Stdout, sandboxer.MaxCapture, s.framed(s.outFrame))
	s.errs = capture.NewStream(cmd.Stderr, sandboxer.MaxCapture, s.framed(s.errsFrame))
	l.h.execs.Add(1)
	l.h.jobs.Go(func() { s.serve(requests) })
	l.h.jobs.Go(func() { s.out.Copy(ch) })
	l.h.jobs.Go(func() { s.errs.Copy(ch.Stderr()) })
	l.h.jobs.Go(s.send)
	return s, nil
}

// framed returns a filter that also notices the command's beginning.
func (s *session) framed(f *frame) func([]byte) []byte {
	return func(p []byte) []byte {
		if p = f.filter(p); f.found {
			s.beganOnce.Do(func() { close(s.began) })
		}
		return p
	}
}

// send asks for the command, and sends its script where that goes by standard
// input. The caller's input follows when the script has begun: until then a
// login shell could swallow it.
func (s *session) send() {
	ok, err := s.ch.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{s.wire.line}))
	if err == nil && !ok {
		close(s.refused)
	}
	close(s.asked)
	if err != nil || !ok {
		return // with an error the channel is gone: others notice
	}
	if len(s.wire.input) > 0 {
		if _, err := s.ch.Write(s.wire.input); err != nil {
			return
		}
	}
	if s.cmd.Stdin == nil {
		_ = s.ch.CloseWrite()
		return
	}
	select {
	case <-s.began:
	case <-s.closed:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.in = capture.Feed(input{s.ch}, s.cmd.Stdin)
	}
}

// input closes only the sending half of a channel.
type input struct{ ssh.Channel }

func (i input) Close() error { return i.CloseWrite() }

// serve reads the server's requests. It must, until the channel is closed:
// the connection stands still otherwise.
func (s *session) serve(requests <-chan *ssh.Request) {
	defer s.link.sessions.Add(-1)
	defer close(s.closed)
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &m) == nil {
				s.end(status{code: int(m.Status)})
			}
		case "exit-signal":
			var m struct {
				Signal     string
				CoreDumped bool
				Error      string
				Lang       string
			}
			if ssh.Unmarshal(r.Payload, &m) == nil {
				s.end(status{code: -1, signal: m.Signal})
			}
		case "eow@openssh.com": // the command has closed its input
			s.stopInput()
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (s *session) end(st status) {
	select {
	case <-s.exited: // a server that says it twice
	default:
		s.status = st
		close(s.exited)
	}
}

func (s *session) stopInput() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.in != nil {
		s.in.Stop()
	}
}

// wait waits for the end of the command and of its output.
func (s *session) wait(ctx context.Context) (sandboxer.Result, error) {
	select {
	case <-s.exited:
	case <-s.closed:
	case <-s.refused:
		return s.finish()
	case <-ctx.Done():
		return s.cancel(ctx)
	}
	complete := capture.Settle(ctx, hostcmd.OutputQuiet, hostcmd.OutputTotal, s.out, s.errs)
	if !complete && ctx.Err() != nil {
		return s.cancel(ctx)
	}
	// What the connection's end has cut short looks complete.
	complete = complete && !s.link.conn.broken.Load()
	res, err := s.finish()
	res.OutputIncomplete = !complete && err == nil
	return res, err
}

// finish closes the session and says what is known.
func (s *session) finish() (sandboxer.Result, error) {
	_ = s.ch.Close()
	s.stopInput()
	var inErr error
	if s.in != nil {
		inErr = s.in.Linger(hostcmd.StdinLinger)
	}
	res := sandboxer.Result{ExitCode: -1}
	var lost [2]bool
	var outErr, errErr error
	res.Stdout, lost[0], outErr = s.out.Stop()
	res.Stderr, lost[1], errErr = s.errs.Stop()
	res.Truncated = lost[0] || lost[1]
	if err := s.verdict(); err != nil {
		return res, err
	}
	if s.pid() == 0 {
		res.Stderr, errErr = s.handOn(errErr)
	}
	res.ExitCode, res.Signal = s.status.code, s.status.signal
	for _, failed := range []struct {
		op  string
		err error
	}{{"stdin", inErr}, {"stdout", outErr}, {"stderr", errErr}} {
		if failed.err != nil {
			return res, &sandboxer.HostError{Host: s.link.h.alias, Op: failed.op, Started: true, Err: failed.err}
		}
	}
	return res, nil
}

// verdict returns nil if the command ran to its end, else what is known of it.
func (s *session) verdict() error {
	h := s.link.h
	if isClosed(s.closed) {
		<-s.asked
	}
	ended := isClosed(s.exited)
	switch {
	case isClosed(s.refused):
		return h.fail("start", fmt.Errorf("%w: the server refuses", ErrShell), "")
	case ended && (s.pid() != 0 || s.tooLong()):
		return nil
	case ended && !s.link.conn.broken.Load():
		return s.errShell()
	}
	// The channel is closed, and nobody has said how the command ended.
	why := errors.New("the server closed the session and did not say how the command ended")
	if r := s.link.reason(); r != nil {
		why = r
	}
	return &sandboxer.HostError{Host: h.alias, Op: "run", Started: true, Err: why}
}

// pid returns the id of the command's process group, or 0 while it is not
// known.
func (s *session) pid() int {
	for _, f := range []*frame{s.outFrame, s.errsFrame} {
		if pid, _ := f.state(); pid != 0 {
			return pid
		}
	}
	return 0
}

// reason returns why the connection is over, or nil. The end of a channel is
// seen a moment before that of its connection.
func (l *link) reason() error {
	if l.conn.broken.Load() {
		<-l.down
	}
	if isClosed(l.down) {
		return l.why
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

var _ io.WriteCloser = input{}
