package localhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/internal/capture"
	"github.com/tegwick/sand-boxer/internal/hostcmd"
)

// A refusal is a program the kernel would not start, in the words and with
// the exit code a shell has for it.
type refusal struct {
	code int
	text string
}

func (r *refusal) result(cmd sandboxer.Cmd) (sandboxer.Result, error) {
	s := capture.NewStream(cmd.Stderr, sandboxer.MaxCapture, nil)
	s.Copy(strings.NewReader(r.text))
	kept, _, err := s.Stop()
	res := sandboxer.Result{ExitCode: r.code, Stderr: kept}
	if err != nil {
		return res, &sandboxer.HostError{Host: Name, Op: "stderr", Started: true, Err: err}
	}
	return res, nil
}

// start starts cmd as the leader of a process group of its own. It returns a
// process; or the reason for which a shell would have exited with 126 or 127;
// or only an error, where this machine could not even try.
func start(cmd sandboxer.Cmd, dir string, env []string) (*process, *refusal, error) {
	path, refused := find(cmd.Args[0], lookup(env, "PATH"), dir)
	if refused != nil {
		return nil, refused, nil
	}
	p, files, err := newProcess(cmd)
	defer closeAll(files)
	if err != nil {
		return nil, nil, err
	}
	attr := &os.ProcAttr{Dir: dir, Env: env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true}}
	proc, err := os.StartProcess(path, cmd.Args, attr)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without #! is the shell's, says POSIX.
		proc, err = os.StartProcess("/bin/sh", append([]string{"sh", path}, cmd.Args[1:]...), attr)
	}
	if err != nil {
		p.closeOwn()
		if _, dirErr := os.Stat(dir); dirErr != nil { // the kernel has one errno for both
			return nil, nil, dirErr
		}
		return nil, refusalFor(cmd.Args[0], err), err
	}
	p.begin(proc, cmd.Stdin)
	return p, nil, nil
}

// refusalFor tells errors of a program from those of the machine, of which
// the latter, such as a full process table, give nil.
func refusalFor(name string, err error) *refusal {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return nil
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		return notFound(name)
	case syscall.EACCES, syscall.EPERM, syscall.E2BIG, syscall.ETXTBSY, syscall.EISDIR,
		syscall.ENOEXEC, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL:
		return &refusal{hostcmd.ExitNotExecutable, fmt.Sprintf("sandboxer: %s: %v\n", name, errno)}
	}
	return nil
}

func notFound(name string) *refusal {
	return &refusal{hostcmd.ExitNotFound, fmt.Sprintf("sandboxer: %s: not found\n", name)}
}

// find looks name up in path the way a shell does: relative elements count
// from the directory the command starts in, and the first executable file is
// taken.
func find(name, path, dir string) (string, *refusal) {
	if strings.ContainsRune(name, '/') {
		return name, nil
	}
	refused := notFound(name)
	for _, elem := range strings.Split(path, ":") {
		if elem == "" {
			elem = "."
		}
		file := filepath.Join(elem, name)
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		st, err := os.Stat(file)
		switch {
		case err != nil || st.IsDir():
		case st.Mode()&0o111 == 0:
			refused = refusalFor(name, syscall.EACCES)
		default:
			return file, nil
		}
	}
	return "", refused
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
