package localhost

import (
	"context"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/capture"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// A process is a command under way.
type process struct {
	grace      time.Duration
	stdin      *os.File // our ends of the pipes; stdin is nil where there is no input
	stdout     *os.File
	stderr     *os.File
	out, errs  *capture.Stream
	in         *capture.Input
	pgid       int
	exited     chan struct{} // closed once state is set
	state      *os.ProcessState
	waitFailed error
}

// newProcess makes the pipes. The files it returns are the command's ends,
// and the caller's to close, also beside an error.
func newProcess(cmd sandboxer.Cmd) (p *process, files []*os.File, err error) {
	p = &process{
		grace:  hostcmd.Grace(cmd),
		out:    capture.NewStream(cmd.Stdout, sandboxer.MaxCapture, nil),
		errs:   capture.NewStream(cmd.Stderr, sandboxer.MaxCapture, nil),
		exited: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			p.closeOwn()
		}
	}()
	var theirs *os.File
	if cmd.Stdin == nil {
		theirs, err = os.Open(os.DevNull)
	} else {
		theirs, p.stdin, err = os.Pipe()
	}
	if err != nil {
		return p, files, err
	}
	files = append(files, theirs)
	for _, own := range []**os.File{&p.stdout, &p.stderr} {
		if *own, theirs, err = os.Pipe(); err != nil {
			return p, files, err
		}
		files = append(files, theirs)
	}
	return p, files, nil
}

// closeOwn closes our ends: a Read or Write under way on them returns.
func (p *process) closeOwn() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

// begin takes over a process that has just been started.
func (p *process) begin(proc *os.Process, stdin io.Reader) {
	p.pgid = proc.Pid
	go func() {
		p.state, p.waitFailed = proc.Wait()
		close(p.exited)
	}()
	go p.out.Copy(p.stdout)
	go p.errs.Copy(p.stderr)
	if stdin != nil {
		p.in = capture.Feed(p.stdin, stdin)
	}
}

// wait waits for the end of the command and of its output.
func (p *process) wait(ctx context.Context) (sandboxer.Result, error) {
	select {
	case <-p.exited:
	case <-ctx.Done():
		return p.cancel(ctx)
	}
	complete := capture.Settle(ctx, hostcmd.OutputQuiet, hostcmd.OutputTotal, p.out, p.errs)
	if !complete && ctx.Err() != nil {
		return p.cancel(ctx)
	}
	res, err := p.finish()
	res.OutputIncomplete = !complete
	return res, err
}

// cancel ends the whole process group, because ctx has ended.
func (p *process) cancel(ctx context.Context) (sandboxer.Result, error) {
	gone := p.endGroup()
	// What a process of the group had written is in the pipes by now; what
	// still holds them has left the group, and is not waited for.
	settling, end := context.WithTimeout(context.WithoutCancel(ctx), lastWrite) // a Write may block for good
	defer end()
	capture.Settle(settling, lastWords, lastWords, p.out, p.errs)
	res, _ := p.finish()
	return res, &sandboxer.HostError{Host: Name, Op: "run", Started: true, Killed: gone, Err: hostcmd.Ended(ctx)}
}

// How long the output of a killed group is waited for, and the caller's
// Writers to take it.
const (
	lastWords = 100 * time.Millisecond
	lastWrite = 2 * time.Second
)

// finish closes the pipes and says what is known.
func (p *process) finish() (sandboxer.Result, error) {
	var inErr error
	if p.in != nil {
		p.in.Stop()
		p.stdin.Close()
		inErr = p.in.Linger(hostcmd.StdinLinger)
	}
	p.closeOwn()

	var res sandboxer.Result
	var lost [2]bool
	var outErr, errErr error
	res.Stdout, lost[0], outErr = p.out.Stop()
	res.Stderr, lost[1], errErr = p.errs.Stop()
	res.Truncated = lost[0] || lost[1]
	res.ExitCode = -1
	select {
	case <-p.exited:
		if p.state != nil {
			res.ExitCode, res.Signal = status(p.state)
		}
	default:
	}
	for _, failed := range []struct {
		op  string
		err error
	}{{"wait", p.waitFailed}, {"stdin", inErr}, {"stdout", outErr}, {"stderr", errErr}} {
		if failed.err != nil {
			return res, &sandboxer.HostError{Host: Name, Op: failed.op, Started: true, Err: failed.err}
		}
	}
	return res, nil
}

func status(state *os.ProcessState) (code int, signal string) {
	ws, ok := state.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		return -1, signalName(ws.Signal())
	}
	return state.ExitCode(), ""
}

// signalName returns a signal's POSIX name without "SIG"; for one that POSIX
// does not number, its number.
func signalName(s syscall.Signal) string {
	names := map[syscall.Signal]string{
		syscall.SIGABRT: "ABRT", syscall.SIGALRM: "ALRM", syscall.SIGBUS: "BUS", syscall.SIGFPE: "FPE",
		syscall.SIGHUP: "HUP", syscall.SIGILL: "ILL", syscall.SIGINT: "INT", syscall.SIGKILL: "KILL",
		syscall.SIGPIPE: "PIPE", syscall.SIGPROF: "PROF", syscall.SIGQUIT: "QUIT", syscall.SIGSEGV: "SEGV",
		syscall.SIGSYS: "SYS", syscall.SIGTERM: "TERM", syscall.SIGTRAP: "TRAP", syscall.SIGUSR1: "USR1",
		syscall.SIGUSR2: "USR2", syscall.SIGVTALRM: "VTALRM", syscall.SIGXCPU: "XCPU", syscall.SIGXFSZ: "XFSZ",
	}
	if name, ok := names[s]; ok {
		return name
	}
	return strconv.Itoa(int(s))
}
