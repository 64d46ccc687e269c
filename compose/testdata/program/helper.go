package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// help is a helper as sandboxer.Helper describes it, which first makes sure
// that it can do nothing else.
func help(device, inode string) {
	var stat syscall.Stat_t
	check(syscall.Stat("/trash", &stat))
	refuse(fmt.Sprint(stat.Dev) != device || fmt.Sprint(stat.Ino) != inode, "it is %d %d, want %s %s", stat.Dev, stat.Ino, device, inode)
	refuse(os.Geteuid() != 0, "uid %d, want 0", os.Geteuid())
	status := string(must(os.ReadFile("/proc/self/status")))
	for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
		// CAP_DAC_OVERRIDE is 1, CAP_FOWNER is 3: capability.h.
		refuse(!strings.Contains(status, set+":\t000000000000000a\n"), "not just two capabilities: %s", status)
	}
	refuse(!strings.Contains(status, "NoNewPrivs:\t1\n"), "it may get privileges: %s", status)
	refuse(os.WriteFile("/file", nil, 0o600) == nil, "the root can be written to")
	refuse(len(must(net.Interfaces())) != 1, "there is a network")
	for _, entry := range must(os.ReadDir("/trash")) {
		check(os.RemoveAll("/trash/" + entry.Name()))
	}
}

func refuse(bad bool, format string, args ...any) {
	if bad {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
}
