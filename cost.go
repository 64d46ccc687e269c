package sandboxer

// SandboxCost is what a sandbox itself used, as the kernel has accounted it to
// its containers' own control groups: their sum. Where one of them is unknown,
// so is the sum. A container that has ended has no control group any more, and
// a sandbox of the process engine never has one.
type SandboxCost struct {
	Usage
	Source     string          `json:"source"`     // cgroup_v1, cgroup_v2; none: no control group was read
	Containers []ContainerCost `json:"containers"` // each by itself, in the order of their names
	Missing    []Missing       `json:"missing"`    // each null, with its reason, by JSON path from the delta; what holds nothing but nulls is listed once
}

// A ContainerCost is what one container of a sandbox used.
type ContainerCost struct {
	Ref     string  `json:"ref"`     // full id
	Name    string  `json:"name"`    // as the engine shows it
	Service *string `json:"service"` // compose service, as its label says
	Usage
}

// Usage is what control groups used since their containers were last started.
// What version 1 of control groups and older kernels do not tell is null.
type Usage struct {
	CPUSeconds          *float64 `json:"cpu_seconds"`           // CPU time
	CPUUserSeconds      *float64 `json:"cpu_user_seconds"`      // of it, in programs
	CPUSystemSeconds    *float64 `json:"cpu_system_seconds"`    // of it, in the kernel
	CPUPeriods          *int64   `json:"cpu_periods"`           // periods in which a CPU limit was enforced; 0 without a limit
	CPUPeriodsThrottled *int64   `json:"cpu_periods_throttled"` // of them, those in which it was reached
	CPUThrottledSeconds *float64 `json:"cpu_throttled_seconds"` // time in which a CPU limit kept tasks from running
	MemoryCurrentBytes  *int64   `json:"memory_current_bytes"`  // what it holds now, with the page cache of files it read or wrote
	MemoryAnonBytes     *int64   `json:"memory_anon_bytes"`     // of it, memory of processes that no file backs
	MemoryPeakBytes     *int64   `json:"memory_peak_bytes"`     // most it held at once; of a sum, each container's own most
	PidsCurrent         *int64   `json:"pids_current"`          // tasks, threads included
	PidsPeak            *int64   `json:"pids_peak"`             // most tasks it had at once; of a sum, each container's own most
	IOReadBytes         *int64   `json:"io_read_bytes"`         // from block devices; one that lies on another counts beside it
	IOWriteBytes        *int64   `json:"io_write_bytes"`        // likewise; null on version 1
	IOReadOps           *int64   `json:"io_read_ops"`           // reads from block devices
	IOWriteOps          *int64   `json:"io_write_ops"`          // writes to block devices; null on version 1
	OOMKills            *int64   `json:"oom_kills"`             // of its processes, for want of memory
}
