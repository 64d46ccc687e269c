package localhost

import (
	"syscall"
	"time"
)

// killWait bounds the wait for a group that was sent SIGKILL. Only a process
// stuck in the kernel, or one of another user, lives that long.
const killWait = 2 * time.Second

// endGroup sends SIGTERM to the process group, SIGKILL after the grace, and
// reports whether it saw the group gone. The leader's own end alone is not
// enough: what it had started may have ignored SIGTERM.
func (p *process) endGroup() bool {
	if groupGone(p.pgid) && p.reaped(0) {
		return true
	}
	// Errors are ignored here: whether it worked is asked below.
	_ = syscall.Kill(-p.pgid, syscall.SIGTERM)
	if p.goneWithin(p.grace) {
		return true
	}
	_ = syscall.Kill(-p.pgid, syscall.SIGKILL)
	return p.goneWithin(killWait)
}

// goneWithin polls, since no event tells of a group's end.
func (p *process) goneWithin(d time.Duration) bool {
	deadline := time.Now().Add(d)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if p.reaped(pause) && groupGone(p.pgid) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		if p.reaped(0) {
			<-time.After(pause)
		}
	}
}

// reaped reports whether the leader has ended, waiting for it up to d.
func (p *process) reaped(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	}
}

// groupGone reports that no process of the group is alive. A process that has
// ended and that nobody has reaped yet is not alive; in a container whose
// first process reaps nothing, it stays for ever.
func groupGone(pgid int) bool {
	switch err := syscall.Kill(-pgid, 0); err {
	case syscall.ESRCH:
		return true
	case nil:
		return onlyZombies(pgid)
	default: // EPERM: alive, and another user's
		return false
	}
}
