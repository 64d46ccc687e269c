package main

import "syscall"

const (
	sysRenameat2     = 316
	sysCopyFileRange = 326
)

// oldForms are of calls that newer processors do not have.
var oldForms = map[uint64]form{
	syscall.SYS_OPEN:      {"open", -1, 0, 1},
	syscall.SYS_RENAME:    {"rename", -1, 1, 0},
	syscall.SYS_LINK:      {"link", -1, 1, 0},
	syscall.SYS_SYMLINK:   {"symlink", -1, 1, 0},
	syscall.SYS_UNLINK:    {"unlink", -1, 0, 0},
	syscall.SYS_RMDIR:     {"rmdir", -1, 0, 0},
	syscall.SYS_MKDIR:     {"mkdir", -1, 0, 0},
	syscall.SYS_MKNOD:     {"mknod", -1, 0, 0},
	syscall.SYS_CHMOD:     {"chmod", -1, 0, 0},
	syscall.SYS_CHOWN:     {"chown", -1, 0, 0},
	syscall.SYS_LCHOWN:    {"chown", -1, 0, 0},
	syscall.SYS_UTIME:     {"utime", -1, 0, 0},
	syscall.SYS_UTIMES:    {"utime", -1, 0, 0},
	syscall.SYS_FUTIMESAT: {"utime", 0, 1, 0},
}
