package sshhost

import (
	"context"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A Trace is told what a Host does, as it happens: for metrics, and for those
// who ask why something took so long. Every field may be nil. The functions
// are called from several goroutines at once, and what they take is taken from
// the command: they should be quick. Of the Host they may call Name and Stats;
// Run or Close would wait for what waits for them.
//
// No event carries an argument, a variable, input or output of a command, nor
// a command line of ssh_config: those may hold secrets.
type Trace struct {
	Dial  func(DialEvent)  // after each attempt at a connection
	Exec  func(ExecEvent)  // after each command
	Retry func(RetryEvent) // before something is done once more
	Lost  func(error)      // when a connection that stood is gone; the error wraps ErrConnLost or ErrClosed
}

// A DialEvent is one attempt at a connection, with its handshake and login.
type DialEvent struct {
	Address string // host:port, or the path of a ControlMaster's socket
	Proxied bool   // through ProxyJump or ProxyCommand
	Control bool   // over a ControlMaster
	Took    time.Duration
	Err     error // nil: it stands
}

// An ExecEvent is one call of Run.
type ExecEvent struct {
	Program  string        // Cmd.Args[0]
	Waited   time.Duration // for its turn and for a connection
	Took     time.Duration // after that
	Started  bool          // it was sent off
	ExitCode int           // as in the Result
	Err      error         // as Run returned it
}

// A RetryEvent is a failure that is made good by doing it once more: nothing
// of a command had been executed.
type RetryEvent struct {
	Op  string // "dial", "auth", "connection", "session"
	Err error
}

func (h *Host) traceDial(ctx context.Context, e DialEvent) {
	if e.Err == nil {
		h.log.DebugContext(ctx, "connected", "host", h.alias, "to", e.Address, "proxied", e.Proxied, "control", e.Control, "took", e.Took)
	} else {
		h.log.DebugContext(ctx, "not connected", "host", h.alias, "to", e.Address, "took", e.Took, "err", e.Err)
	}
	if f := h.cfg.Trace.Dial; f != nil {
		f(e)
	}
}

func (h *Host) traceExec(ctx context.Context, e ExecEvent) {
	h.log.DebugContext(ctx, "command ended", "host", h.alias, "program", e.Program, "exit", e.ExitCode, "waited", e.Waited, "took", e.Took, "err", e.Err)
	if f := h.cfg.Trace.Exec; f != nil {
		f(e)
	}
}

func (h *Host) traceRetry(ctx context.Context, op string, err error) {
	h.log.DebugContext(ctx, "once more", "host", h.alias, "op", op, "err", err)
	if f := h.cfg.Trace.Retry; f != nil {
		f(RetryEvent{Op: op, Err: err})
	}
}

func (h *Host) traceLost(err error) {
	h.log.Debug("connection over", "host", h.alias, "err", err)
	if f := h.cfg.Trace.Lost; f != nil {
		f(err)
	}
}

// program names a command without its arguments.
func program(cmd sandboxer.Cmd) string {
	if len(cmd.Args) == 0 {
		return ""
	}
	return cmd.Args[0]
}
