package localhost

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// onlyZombies reports whether every process of a group has ended.
//
// proc_pid_stat(5): "pid (comm) state ppid pgrp …", where comm may hold
// anything, also ")": 4711 (a) b) Z 1 4711 4711 0 -1 …
func onlyZombies(pgid int) bool {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		return false
	}
	want := strconv.Itoa(pgid)
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || string(fields[2]) != want {
			continue
		}
		if state := string(fields[0]); state != "Z" && state != "X" {
			return false
		}
	}
	return true
}
