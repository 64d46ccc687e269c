package sshhost

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/capture"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// How long a step of ending a command may take, besides its grace.
const (
	killReply    = time.Second            // from SIGKILL to the server's word of it
	killPatience = 5 * time.Second        // for the second session that sees to the group
	makeRoom     = time.Second            // before the command's own session is closed to make room for it
	lastOutput   = 100 * time.Millisecond // for what the group wrote before it ended
	lastWrite    = 2 * time.Second        // for the caller's Writers to take it
)

// cancel ends the command's process group, because ctx has ended.
func (s *session) cancel(ctx context.Context) (sandboxer.Result, error) {
	after := context.WithoutCancel(ctx)
	killed := s.role == caller && s.endGroup(after)
	settling, end := context.WithTimeout(after, lastWrite) // a Write may block for good
	defer end()
	capture.Settle(settling, lastOutput, lastOutput, s.out, s.errs)
	res, _ := s.finish()
	err := &sandboxer.HostError{Host: s.link.h.alias, Op: "run", Started: true, Killed: killed, Err: hostcmd.Ended(ctx)}
	if isClosed(s.exited) {
		res.ExitCode, res.Signal = s.status.code, s.status.signal
		if s.pid() == 0 && !s.link.conn.broken.Load() {
			err.Op, err.Started = "start", false
			err.Err = fmt.Errorf("%w, and the login shell had not come to the command", err.Err)
		}
	}
	return res, err
}

// endGroup sends SIGTERM, SIGKILL after the grace, and reports whether the
// process group was seen to be gone. The server passes signals on at once,
// without another login; what they have done is looked at from a second
// session, which also does the killing where the server does not pass signals
// on (a forced command, an old sshd).
//
// A command of root's is not the account's to signal, or sudo passes on to it
// what both of them got. There the second session sends the first signal too.
func (s *session) endGroup(ctx context.Context) bool {
	deadline := time.Now().Add(s.grace)
	k := killing{pgid: s.pid(), sudo: s.sudo}
	if s.sudo && k.pgid != 0 {
		k.first = "TERM"
		gone, err := s.link.reap(ctx, k.by(deadline), killPatience, hasty)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) {
			return gone && err == nil
		}
		k.first = ""
	}
	switch s.terminate(deadline) {
	case ended:
	case denied:
		k.first = "TERM"
	case deaf:
		_, _ = s.ch.SendRequest("signal", false, ssh.Marshal(struct{ Name string }{"KILL"}))
		s.endsWithin(killReply)
	}
	if k.pgid = s.pid(); k.pgid == 0 {
		return false
	}
	gone, err := s.link.reap(ctx, k.by(deadline), makeRoom, helper)
	if err == nil {
		return gone
	}
	// Where the server allows one session only, ours is in the way.
	_ = s.ch.Close()
	gone, err = s.link.reap(ctx, k.by(deadline), killPatience, helper)
	if err != nil {
		s.link.h.log.WarnContext(ctx, "process group not seen to be gone", "host", s.link.h.alias, "pgid", k.pgid, "err", err)
	}
	return gone && err == nil
}

// What came of SIGTERM.
type answer int

const (
	ended  answer = iota // the command has ended
	denied               // the server does not pass signals on
	deaf                 // the command has not ended
)

// terminate has the server send SIGTERM and waits for the command's end.
func (s *session) terminate(deadline time.Time) answer {
	taken := make(chan bool, 1)
	s.link.h.jobs.Go(func() {
		// RFC 4254 has no answer to a signal; OpenSSH gives one.
		ok, err := s.ch.SendRequest("signal", true, ssh.Marshal(struct{ Name string }{"TERM"}))
		if err == nil {
			taken <- ok
		}
	})
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	for {
		select {
		case <-s.exited:
			return ended
		case <-s.closed:
			return ended
		case ok := <-taken:
			if !ok && s.pid() != 0 {
				return denied
			}
			taken = nil
		case <-t.C:
			return deaf
		}
	}
}

func (s *session) endsWithin(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.exited:
	case <-s.closed:
	case <-t.C:
	}
}

// reapScript ends process group $1 and says whether it is gone: it sends the
// signal $2, if any, gives it $3 tenths of a second, and then sends SIGKILL.
// Where $4 is set the first signal goes to each process, but not to a sudo that
// leads them: it would pass it on.
//
// kill -0 also finds processes that have ended and that nobody has reaped,
// which in some containers stay for ever; and it fails for those of another
// user, as under sudo. "kill -s NAME -- -PGID" is what POSIX wants, and what
// dash and busybox do not take.
const reapScript = `
up() {
	said=$(kill -0 "-$g" 2>&1) || case $said in *ermitted*) return 0 ;; *) return 1 ;; esac
	all=$(ps -A -o pgid= -o stat= 2>/dev/null) || all=$(ps -o pgid,stat 2>/dev/null) || return 0
	printf '%s\n' "$all" | while read -r group state; do
		[ "$group" = "$g" ] || continue
		case $state in Z*) ;; *) exit 9 ;; esac
	done
	[ $? -eq 9 ]
}
wait_for() {
	n=$1
	while up; do
		[ "$n" -gt 0 ] || return 1
		n=$((n - 1))
		sleep 0.1 2>/dev/null || sleep 1
	done
}
each() {
	all=$(ps -A -o pid= -o pgid= -o comm= 2>/dev/null) || all=$(ps -o pid,pgid,comm 2>/dev/null) || return
	printf '%s\n' "$all" | while read -r pid group name; do
		[ "$group" = "$g" ] || continue
		[ "$pid/$name" = "$g/sudo" ] || kill "-$1" "$pid" 2>/dev/null
	done
}
g=$1
if [ "$2" ]; then
	{ [ "$4" ] && each "$2"; } || kill "-$2" "-$g" 2>/dev/null
fi
wait_for "$3" || kill -KILL "-$g" 2>/dev/null
if wait_for 20; then echo gone; else echo alive; fi
`

// A killing is what reapScript is to do.
type killing struct {
	pgid  int
	first string        // the signal to begin with; empty: none
	sudo  bool          // to each process of the group but sudo
	grace time.Duration // before SIGKILL
}

func (k killing) by(deadline time.Time) killing {
	k.grace = max(time.Until(deadline), 0)
	return k
}

// reap runs reapScript in a session of its own, all within room and the grace.
// The process id is still the group's: it was its leader's a moment ago, and
// ids are not used again until all others have been.
func (l *link) reap(ctx context.Context, k killing, room time.Duration, as role) (gone bool, err error) {
	each := ""
	if k.sudo {
		each = "each"
	}
	ctx, cancel := context.WithTimeout(ctx, room+k.grace)
	defer cancel()
	tenths := strconv.Itoa(int(k.grace / (100 * time.Millisecond)))
	args := []string{"sh", "-c", reapScript, "sh", strconv.Itoa(k.pgid), k.first, tenths, each}
	s, err := l.start(ctx, sandboxer.Cmd{Args: args}, as)
	if err != nil {
		return false, err
	}
	res, err := s.wait(ctx)
	if err != nil {
		return false, err
	}
	if err := res.Err("end process group"); err != nil {
		return false, err
	}
	return strings.TrimSpace(string(res.Stdout)) == "gone", nil
}
