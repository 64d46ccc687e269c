package canary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer"
)

const (
	memoryLimit = 64 << 20 // mem_limit in compose.yaml
	// eatBytes is past the limit also where the engine allows as much swap
	// again as it allows memory, which is docker's default.
	eatBytes   = 3 * memoryLimit
	eatTimeout = 20 * time.Second
)

// checkMemory proves the memory limit in a child that the kernel kills.
//
// Only a limit that is the sandbox's own is tried: past one that the host has
// set for more than the sandbox, something else might die.
func checkMemory(ctx context.Context, env environment) sandboxer.CanaryCheck {
	c := sandboxer.CanaryCheck{Name: sandboxer.CheckMemoryLimit, Status: sandboxer.Skip}
	if env.process {
		c.Message = "limits_unsupported: the process engine sets no memory limit"
		return c
	}
	limit, ok := ownMemoryLimit()
	switch {
	case !ok:
		c.Message = "limits_unsupported: no memory limit can be seen in the control groups"
		return c
	case limit > memoryLimit:
		c.Message = fmt.Sprintf("limits_unsupported: the control group allows %d bytes, the sandbox is to have %d", limit, int64(memoryLimit))
		return c
	}
	c.Value, c.Threshold, c.Unit = new(float64(limit)), new(float64(memoryLimit)), new("bytes")

	ctx, cancel := context.WithTimeout(ctx, eatTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/proc/self/exe", mainArg, "eat", strconv.Itoa(eatBytes)).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		c.Status, c.Message = sandboxer.Errored, fmt.Sprintf("a child that wanted %d bytes was neither killed nor done in %v", eatBytes, eatTimeout)
	case err == nil:
		c.Status, c.Message = sandboxer.Fail, fmt.Sprintf("a child used %d bytes under a limit of %d", eatBytes, limit)
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		c.Status, c.Message = sandboxer.Pass, fmt.Sprintf("a child was killed for going past %d bytes (the host counts one more OOM kill)", limit)
	default:
		c.Status, c.Message = sandboxer.Errored, fmt.Sprintf("a child that was to use memory: %v: %s", err, out)
	}
	return c
}

// ownMemoryLimit is the limit this process is under.
func ownMemoryLimit() (int64, bool) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return 0, false
	}
	group, ok := findMemoryGroup(string(cgroup), string(mountinfo))
	if !ok {
		return 0, false
	}
	return group.limit()
}

// eat uses size bytes of memory, as the first that the kernel is to kill if
// it has to. It returns an exit status.
func eat(size string, stderr io.Writer) int {
	n, err := strconv.Atoi(size)
	if err != nil || n <= 0 || n > eatBytes {
		fmt.Fprintf(stderr, "%q is no size up to %d\n", size, eatBytes)
		return 2
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	memory, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	for i := 0; i < n; i += os.Getpagesize() {
		memory[i] = 1
	}
	return 0
}
