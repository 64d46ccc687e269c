//go:build amd64 || arm64

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/tegwick/sand-boxer/test/faults/steps"
)

// A callInfo is what the kernel says of a call: ptrace(2),
// PTRACE_GET_SYSCALL_INFO.
type callInfo struct {
	op     byte
	nr     uint64
	args   [6]uint64
	result int64
}

const (
	getSyscallInfo = 0x420e
	callEntry      = 1
	callExit       = 2
)

func syscallInfo(tid int) (callInfo, error) {
	var raw [88]byte
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(tid), uintptr(len(raw)), uintptr(unsafe.Pointer(&raw[0])), 0, 0)
	if errno != 0 {
		return callInfo{}, errno
	}
	// op, 3 bytes, arch, instruction pointer, stack pointer, then a union
	info := callInfo{op: raw[0]}
	switch info.op {
	case callEntry:
		info.nr = binary.NativeEndian.Uint64(raw[24:])
		for i := range info.args {
			info.args[i] = binary.NativeEndian.Uint64(raw[32+8*i:])
		}
	case callExit:
		info.result = int64(binary.NativeEndian.Uint64(raw[24:]))
	}
	return info, nil
}

// A form says where the arguments of a call that changes a file are. A path
// stands after the descriptor that it counts from; the first is at at.
type form struct {
	name  string
	dirfd int // index of the descriptor, or -1: from where the process is
	path  int // index of the path; -1: the descriptor itself is changed
	flags int // of an open; 0: it is none
}

// forms of calls that every processor has. Those of the latter numbers are
// renameat2, openat2 and fchmodat2, which package syscall does not know.
var forms = map[uint64]form{
	syscall.SYS_OPENAT:    {"open", 0, 1, 2},
	syscall.SYS_RENAMEAT:  {"rename", 2, 3, 0},
	syscall.SYS_LINKAT:    {"link", 2, 3, 0},
	syscall.SYS_SYMLINKAT: {"symlink", 1, 2, 0},
	syscall.SYS_UNLINKAT:  {"unlink", 0, 1, 0},
	syscall.SYS_MKDIRAT:   {"mkdir", 0, 1, 0},
	syscall.SYS_MKNODAT:   {"mknod", 0, 1, 0},
	syscall.SYS_FCHMODAT:  {"chmod", 0, 1, 0},
	syscall.SYS_FCHOWNAT:  {"chown", 0, 1, 0},
	syscall.SYS_UTIMENSAT: {"utime", 0, 1, 0},
	syscall.SYS_TRUNCATE:  {"truncate", -1, 0, 0},
	syscall.SYS_SETXATTR:  {"setxattr", -1, 0, 0},
	syscall.SYS_LSETXATTR: {"setxattr", -1, 0, 0},
	syscall.SYS_FTRUNCATE: {"truncate", 0, -1, 0},
	syscall.SYS_FCHMOD:    {"chmod", 0, -1, 0},
	syscall.SYS_FCHOWN:    {"chown", 0, -1, 0},
	syscall.SYS_FSETXATTR: {"setxattr", 0, -1, 0},
	syscall.SYS_FALLOCATE: {"allocate", 0, -1, 0},
	syscall.SYS_WRITE:     {"write", 0, -1, 0},
	syscall.SYS_WRITEV:    {"write", 0, -1, 0},
	syscall.SYS_PWRITE64:  {"write", 0, -1, 0},
	syscall.SYS_PWRITEV:   {"write", 0, -1, 0},
	syscall.SYS_SENDFILE:  {"write", 0, -1, 0},
	syscall.SYS_SPLICE:    {"write", 2, -1, 0},
	sysRenameat2:          {"rename", 2, 3, 0},
	sysCopyFileRange:      {"write", 2, -1, 0},
	sysFchmodat2:          {"chmod", 0, 1, 0},
}

const sysFchmodat2 = 452

func isWait(nr uint64) bool { return nr == syscall.SYS_WAIT4 || nr == syscall.SYS_WAITID }

// classify says what a call that is about to be made is: nothing of interest,
// or a kind of line and the words for it.
func (t *tracer) classify(tid int, info callInfo) (kind, what string) {
	switch info.nr {
	case syscall.SYS_EXECVE:
		return t.program(tid, info)
	case syscall.SYS_KILL:
		if sig := info.args[1]; sig != 0 {
			return steps.Done, fmt.Sprintf("kill -%d", sig)
		}
		return "", ""
	}
	f, ok := forms[info.nr]
	if !ok {
		f, ok = oldForms[info.nr]
	}
	if !ok || f.flags > 0 && info.args[f.flags]&(syscall.O_CREAT|syscall.O_TRUNC|syscall.O_WRONLY|syscall.O_RDWR) == 0 {
		return "", ""
	}
	path := t.pathOf(tid, f, info)
	rest, inside := t.inWorld(path)
	switch {
	case inside:
		return steps.Done, f.name + " " + rest
	case f.path < 0 && (path == t.output[0] || path == t.output[1]):
		return steps.Answered, "answer"
	case !strings.HasPrefix(path, "/"), strings.HasPrefix(path, "/dev/"), strings.HasPrefix(path, "/proc/"), t.isForeign(path):
		return "", ""
	}
	return steps.Strayed, f.name + " " + path
}

// program deals with a thread that becomes another program. An engine's client
// is a step, and runs unseen: some are allowed more than their caller, and
// would not be under its eyes. So does the sandbox's own program.
func (t *tracer) program(tid int, info callInfo) (kind, what string) {
	path := readString(tid, info.args[0])
	switch {
	case t.isEngine(path):
		t.leaving[tid] = path
		return steps.Done, "run " + filepath.Base(path) + " " + t.verb(tid, info.args[1])
	case strings.HasPrefix(path, "./"):
		t.leaving[tid] = path
	}
	return "", ""
}

// verb returns the first words of an argument vector.
func (t *tracer) verb(tid int, argv uint64) string {
	var words []string
	for i := uint64(1); i <= 40 && len(words) < 3; i++ {
		var raw [8]byte
		if n, err := syscall.PtracePeekData(tid, uintptr(argv+8*i), raw[:]); err != nil || n != len(raw) {
			break
		}
		at := binary.NativeEndian.Uint64(raw[:])
		if at == 0 {
			break
		}
		if word := readString(tid, at); !strings.HasPrefix(word, "-") && !strings.ContainsAny(word, "/{ ") {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// pathOf returns the absolute path of what a call changes, or for a descriptor
// what /proc says it is.
func (t *tracer) pathOf(tid int, f form, info callInfo) string {
	if f.path < 0 {
		return descriptor(tid, int32(info.args[f.dirfd]))
	}
	path := readString(tid, info.args[f.path])
	if !filepath.IsAbs(path) {
		from := int32(atCWD)
		if f.dirfd >= 0 {
			from = int32(info.args[f.dirfd])
		}
		path = filepath.Join(descriptor(tid, from), path)
	}
	return filepath.Clean(path)
}

const atCWD = -100

func descriptor(tid int, fd int32) string {
	name := "/proc/" + strconv.Itoa(tid) + "/cwd"
	if fd != atCWD {
		name = "/proc/" + strconv.Itoa(tid) + "/fd/" + strconv.Itoa(int(fd))
	}
	link, _ := os.Readlink(name)
	return link
}

// readString reads what at points to in a thread.
func readString(tid int, at uint64) string {
	var text []byte
	for len(text) < 4096 {
		var raw [64]byte
		n, err := syscall.PtracePeekData(tid, uintptr(at)+uintptr(len(text)), raw[:])
		if end := bytes.IndexByte(raw[:n], 0); end >= 0 {
			return string(append(text, raw[:end]...))
		}
		if err != nil || n == 0 {
			break
		}
		text = append(text, raw[:n]...)
	}
	return string(text)
}

// threadGroup returns the process of a thread.
func threadGroup(tid int) int {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return tid
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil {
				return pid
			}
		}
	}
	return tid
}
