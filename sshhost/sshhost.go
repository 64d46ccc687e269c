// Package sshhost runs commands on a host reached by ssh.
//
// The name of a host is whatever the OpenSSH client takes: ssh itself is asked
// what its configuration says (ssh -G), so that Include, Match, ProxyJump and
// the rest mean here what they mean at the prompt. The connection is then made
// in this process: one, at the first command, for all commands; at a quarter
// of the time a run of ssh takes. Host keys are always checked. Keys come
// from the agent and from files; nothing is ever asked of a terminal.
//
// Commands reach their program byte for byte through any login shell (sh,
// bash, zsh, fish, tcsh, …), and what a shell's start-up files print is kept
// out of their output.
package sshhost

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
	"github.com/tegwick/sand-boxer/internal/shellquote"
)

// Config is how a host is reached. The zero value is what ssh does by itself.
type Config struct {
	// ConfigFile is read instead of ~/.ssh/config and the system's file, as
	// with ssh -F. Empty: those.
	ConfigFile string

	// SSH is the OpenSSH client that reads the configuration and makes
	// jumps. Empty: "ssh", from PATH.
	SSH string

	// Timeout bounds the way to the host: configuration, connection,
	// handshake and login together. Zero: ConnectTimeout of ssh_config, else
	// 20 seconds.
	Timeout time.Duration

	// LostAfter is how long a connection may stay silent, although it is
	// probed, while a command waits: then it is lost. Zero: 30 seconds.
	LostAfter time.Duration

	// Passphrase returns the passphrase of an encrypted key file that no
	// agent holds. It is called when the server has accepted the key, once
	// per connection. The time it takes does not count for Timeout; ctx ends
	// with those of the commands that wait. Nil: such keys are skipped, and
	// named if nothing else opens the host.
	Passphrase func(ctx context.Context, keyFile string) ([]byte, error)

	// Sudo has the host run every command as root, by "sudo -n": the account
	// has to be allowed to, without a password. Standard input is the
	// command's own all the same. Where sudo refuses, Run returns
	// ErrPrivilege, and nothing was executed. Hosts log what sudo runs, with
	// Cmd.Args and Cmd.Env.
	Sudo bool

	// Logger is told of connections and commands, and warned of what is
	// ignored. Nil discards. It learns no more of a command than a Trace does.
	Logger *slog.Logger

	// Trace is told the same, for programs.
	Trace Trace
}

// inFlight is how many sessions are open at a time. sshd allows ten on a
// connection by default, and frees them later than it says that a command has
// ended: ten would be refused now and then, four never were.
const inFlight = 4

// A Host is a machine reached by ssh. It is made by New, safe for concurrent
// use, and holds at most one connection. A connection that is lost is made
// anew by the next command.
type Host struct {
	alias string
	cfg   Config
	log   *slog.Logger
	slots chan struct{}
	dials atomic.Int64
	execs atomic.Int64

	deafControl atomic.Bool // the user's ControlMaster leads nowhere

	runs sync.WaitGroup // of Run
	jobs sync.WaitGroup // goroutines of links

	mu     sync.Mutex
	closed bool
	link   *link    // the last one; it may be down
	dialed *attempt // under way
}

var _ sandboxer.Host = (*Host)(nil)

// New returns the host of that name: an alias of ssh_config, a host name, or
// user@host. It does not connect, and does not fail; Run does both.
func New(alias string, cfg Config) *Host {
	h := &Host{alias: alias, cfg: cfg, log: cfg.Logger, slots: make(chan struct{}, inFlight)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// Name returns the alias given to New.
func (h *Host) Name() string { return h.alias }

// Stats counts what a Host has cost so far.
type Stats struct {
	Dials int // connections begun, those that failed as well
	Execs int // commands sent off, and with them login shells started; including those that end cancelled commands
}

// Stats returns the counts so far.
func (h *Host) Stats() Stats {
	return Stats{Dials: int(h.dials.Load()), Execs: int(h.execs.Load())}
}

// Run runs one command; see sandboxer.Host. At most four run at a time, the
// others wait.
//
// The command starts in the user's home directory, with the environment of a
// login, PATH completed by the system's directories, and LC_ALL=C; see
// Cmd.Env. A Read of cmd.Stdin that still blocks when the command has ended is
// abandoned, and what it returns later is lost. A Write to cmd.Stdout or
// cmd.Stderr that blocks delays Run until ctx ends.
//
// Where ctx has a deadline the host gets it too, as a limit a few seconds
// after it: a client that vanishes leaves nothing of the command's process
// group running for longer, whatever became of the connection. What sees to
// that is a shell in the same group, which ends at most 8 seconds after it.
//
// Errors of reaching the host wrap the Err values of this package.
func (h *Host) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	res, event, begun := sandboxer.Result{ExitCode: -1}, ExecEvent{Program: program(cmd)}, time.Now()
	s, end, err := h.begin(ctx, cmd)
	event.Waited = time.Since(begun)
	if err == nil {
		event.Started = true
		res, err = s.wait(ctx)
		end()
	}
	event.Took, event.ExitCode, event.Err = time.Since(begun)-event.Waited, res.ExitCode, err
	h.traceExec(ctx, event)
	return res, err
}

// begin starts a command when its turn has come. The caller calls end after
// the session.
func (h *Host) begin(ctx context.Context, cmd sandboxer.Cmd) (s *session, end func(), err error) {
	if err := hostcmd.Check(cmd); err != nil {
		return nil, nil, h.fail("start", err, "")
	}
	if err := hostcmd.Ended(ctx); err != nil {
		return nil, nil, h.fail("start", err, "")
	}
	if !h.enter() {
		return nil, nil, h.fail("start", ErrClosed, "")
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		h.runs.Done()
		return nil, nil, h.fail("start", hostcmd.Ended(ctx), "")
	}
	end = func() {
		<-h.slots
		h.runs.Done()
	}
	if s, err = h.open(ctx, cmd); err != nil {
		end()
	}
	return s, end, err
}

// enter registers a Run, unless the host is closed.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.runs.Add(1)
	}
	return !h.closed
}

// open starts a command over the host's connection. A connection that turns
// out to be lost before the command was sent is made anew, once: nothing has
// been executed.
func (h *Host) open(ctx context.Context, cmd sandboxer.Cmd) (*session, error) {
	for try := 0; ; try++ {
		l, err := h.connected(ctx)
		if err != nil {
			return nil, err
		}
		s, err := l.start(ctx, cmd, caller)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, h.fail("start", hostcmd.Ended(ctx), "")
		case errors.Is(err, errNoLink) && try == 0 && !errors.Is(l.reason(), ErrClosed):
			h.traceRetry(ctx, "connection", err)
		case errors.Is(err, errNoLink):
			return nil, h.fail("start", l.reason(), "")
		default:
			return nil, h.fail("start", err, "")
		}
	}
}

// Close ends the connection and waits until everything that served it is
// gone. A command that is running meanwhile is not killed: Run returns an
// error that says its outcome is unknown, wrapping ErrClosed. Close may be
// called more than once; it returns nil.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	l, a := h.link, h.dialed
	h.mu.Unlock()
	if a != nil {
		a.cancel(ErrClosed)
	}
	if l != nil {
		l.giveUp(ErrClosed)
	}
	h.runs.Wait()
	h.jobs.Wait()
	h.mu.Lock()
	h.link = nil // its buffers are large, and a closed Host may be kept
	h.mu.Unlock()
	return nil
}

func (h *Host) lostAfter() time.Duration {
	if h.cfg.LostAfter > 0 {
		return h.cfg.LostAfter
	}
	return 30 * time.Second
}

// configName names the configuration in messages.
func (h *Host) configName() string {
	if h.cfg.ConfigFile != "" {
		return h.cfg.ConfigFile
	}
	return "~/.ssh/config"
}

// aliasArgs returns the arguments with which ssh reaches the host, for
// messages.
func (h *Host) aliasArgs() string {
	return shellquote.Join(append(h.configArgs(), h.alias))
}
