package sandboxer

import "time"

// A HostSnapshot is what one host looked like at one moment.
//
// A value that could not be read is nil (null in JSON), never zero, and
// Collection.Missing says why. Byte counts are bytes, times UTC, names ending
// in _total count up from boot (inodes_total is a size).
type HostSnapshot struct {
	ObservedAt         *time.Time `json:"observed_at"`           // the host's clock when the reading began
	ClockOffsetMS      *int64     `json:"clock_offset_ms"`       // host clock minus controller clock
	ClockUncertaintyMS *int64     `json:"clock_uncertainty_ms"`  // the offset is known to plus or minus this much
	DiskRootAvailGB    *float64   `json:"disk_root_avail_gb"`    // disk_root_avail_bytes / 1e9, rounded to three decimals
	DiskRootAvailBytes *int64     `json:"disk_root_avail_bytes"` // bytes of the root file system available to ordinary users
	DiskRootAvailRatio *float64   `json:"disk_root_avail_ratio"` // the same as a share of that file system, 0 to 1

	Collection  Collection   `json:"collection"`
	Identity    Identity     `json:"identity"`
	CPU         CPU          `json:"cpu"`
	Load        Load         `json:"load"`
	Pressure    Pressures    `json:"pressure"`
	Memory      Memory       `json:"memory"`
	Filesystems []Filesystem `json:"filesystems"` // one per distinct file system, in the order of their first role
	Limits      Limits       `json:"limits"`
	Network     Network      `json:"network"`
	Engines     []EngineInfo `json:"engines"` // every engine known, whether there or not

	// Objects are the identities behind Delta.Objects. They are compared,
	// not published.
	Objects ObjectSets `json:"-"`
}

// Collection says how a snapshot was taken, what that cost the host, and what
// is missing from it.
type Collection struct {
	DurationMS    *int64    `json:"duration_ms"`    // from asking to having the whole answer, on the controller's clock
	ScriptVersion *string   `json:"script_version"` // digest of the probe that ran
	Bytes         *int64    `json:"bytes"`          // size of the answer
	Partial       bool      `json:"partial"`        // something listed in missing should have been there
	Missing       []Missing `json:"missing"`        // each null of the document, with its reason
	Warnings      []string  `json:"warnings"`       // odd things seen that change no value
}

// A Missing names a value that could not be read.
type Missing struct {
	Field  string `json:"field"`  // JSON path, such as "pressure.cpu"
	Reason string `json:"reason"` // unsupported, disabled, permission, absent, timeout, parse_error, truncated
}

// Identity says which machine and which boot this is.
type Identity struct {
	Hostname       *string    `json:"hostname"`        // /proc/sys/kernel/hostname
	MachineID      *string    `json:"machine_id"`      // hash of /etc/machine-id; the id itself is confidential (machine-id(5))
	BootID         *string    `json:"boot_id"`         // /proc/sys/kernel/random/boot_id
	BootAt         *time.Time `json:"boot_at"`         // btime of /proc/stat
	UptimeSeconds  *float64   `json:"uptime_seconds"`  // /proc/uptime
	KernelRelease  *string    `json:"kernel_release"`  // /proc/sys/kernel/osrelease
	OSID           *string    `json:"os_id"`           // ID of os-release(5)
	OSVersionID    *string    `json:"os_version_id"`   // VERSION_ID of os-release(5)
	OSPrettyName   *string    `json:"os_pretty_name"`  // PRETTY_NAME of os-release(5)
	Arch           *string    `json:"arch"`            // as in GOARCH: amd64, arm64
	CgroupVersion  *int64     `json:"cgroup_version"`  // 1, or 2 where only the unified hierarchy is mounted
	Virtualization *string    `json:"virtualization"`  // vendor and product the firmware names, "lxcfs", or a container manager
	RebootRequired *bool      `json:"reboot_required"` // /run/reboot-required exists
	User           *string    `json:"user"`            // the user sandboxer is on the host
	UID            *int64     `json:"uid"`             // that user's uid
}

// CPU holds counters since boot, from /proc/stat (proc_stat(5)).
type CPU struct {
	LogicalCount         *int64   `json:"logical_count"`          // CPUs online
	BusySecondsTotal     *float64 `json:"busy_seconds_total"`     // all but idle and iowait, guest time counted once
	IdleSecondsTotal     *float64 `json:"idle_seconds_total"`     // with nothing to do
	IowaitSecondsTotal   *float64 `json:"iowait_seconds_total"`   // idle while a disk was waited for
	StealSecondsTotal    *float64 `json:"steal_seconds_total"`    // taken by the hypervisor for others
	ContextSwitchesTotal *int64   `json:"context_switches_total"` // ctxt
	ForksTotal           *int64   `json:"forks_total"`            // processes: every fork and clone
	ProcsRunning         *int64   `json:"procs_running"`          // runnable now
	ProcsBlocked         *int64   `json:"procs_blocked"`          // blocked on I/O now
}

// Load is /proc/loadavg. It is information, not evidence: it lags a minute
// behind (see the pressure totals and cpu counters for that).
type Load struct {
	Load1       *float64 `json:"load1"`         // average over one minute
	Load5       *float64 `json:"load5"`         // average over five minutes
	Load15      *float64 `json:"load15"`        // average over fifteen minutes
	Load1PerCPU *float64 `json:"load1_per_cpu"` // load1 by logical_count of cpu
}

// Pressures is /proc/pressure (Documentation/accounting/psi.rst).
type Pressures struct {
	CPU    *Pressure `json:"cpu"`
	Memory *Pressure `json:"memory"`
	IO     *Pressure `json:"io"`
}

// A Pressure is the share of time in which some, or all, tasks were stalled.
type Pressure struct {
	SomeAvg10Ratio   *float64 `json:"some_avg10_ratio"`    // share of the last 10 s with at least one task stalled, 0 to 1
	SomeAvg60Ratio   *float64 `json:"some_avg60_ratio"`    // share of the last 60 s with at least one task stalled, 0 to 1
	SomeAvg300Ratio  *float64 `json:"some_avg300_ratio"`   // share of the last 300 s with at least one task stalled, 0 to 1
	SomeStallUSTotal *int64   `json:"some_stall_us_total"` // time in which at least one task was stalled
	FullAvg10Ratio   *float64 `json:"full_avg10_ratio"`    // share of the last 10 s with all tasks stalled, 0 to 1
	FullAvg60Ratio   *float64 `json:"full_avg60_ratio"`    // share of the last 60 s with all tasks stalled, 0 to 1
	FullAvg300Ratio  *float64 `json:"full_avg300_ratio"`   // share of the last 300 s with all tasks stalled, 0 to 1
	FullStallUSTotal *int64   `json:"full_stall_us_total"` // time in which all tasks were stalled
}

// Memory is from /proc/meminfo and /proc/vmstat (proc_meminfo(5)).
type Memory struct {
	TotalBytes        *int64 `json:"total_bytes"`          // MemTotal
	AvailableBytes    *int64 `json:"available_bytes"`      // MemAvailable: what can be had without swapping
	FreeBytes         *int64 `json:"free_bytes"`           // MemFree
	AnonBytes         *int64 `json:"anon_bytes"`           // AnonPages: memory of processes that no file backs
	DirtyBytes        *int64 `json:"dirty_bytes"`          // Dirty: waits to be written to disk
	SwapTotalBytes    *int64 `json:"swap_total_bytes"`     // SwapTotal
	SwapFreeBytes     *int64 `json:"swap_free_bytes"`      // SwapFree
	SwapInPagesTotal  *int64 `json:"swap_in_pages_total"`  // pswpin
	SwapOutPagesTotal *int64 `json:"swap_out_pages_total"` // pswpout
	MajorFaultsTotal  *int64 `json:"major_faults_total"`   // pgmajfault: faults that had to read from disk
	OOMKillsTotal     *int64 `json:"oom_kills_total"`      // oom_kill: processes killed for want of memory
}

// A Filesystem is one file system that a sandbox can fill, from statfs(2).
type Filesystem struct {
	Roles           []string `json:"roles"`             // root, sandbox_root, tmp, docker_root, containerd_root, podman_root
	Path            string   `json:"path"`              // the first path it was asked by
	DeviceID        *string  `json:"device_id"`         // what tells file systems apart on this host
	FSType          *string  `json:"fstype"`            // type of file system, as the host names it
	TotalBytes      *int64   `json:"total_bytes"`       // size
	FreeBytes       *int64   `json:"free_bytes"`        // with the reserve for root
	AvailBytes      *int64   `json:"avail_bytes"`       // for ordinary users
	AvailRatio      *float64 `json:"avail_ratio"`       // avail_bytes / total_bytes
	InodesTotal     *int64   `json:"inodes_total"`      // null where the file system has no fixed number
	InodesFree      *int64   `json:"inodes_free"`       // null where inodes_total is
	InodesFreeRatio *float64 `json:"inodes_free_ratio"` // inodes_free / inodes_total
	ReadOnly        *bool    `json:"read_only"`         // mounted read-only
}

// Limits are the kernel's tables and how full they are.
type Limits struct {
	FDsAllocated     *int64 `json:"fds_allocated"`     // open files, all processes
	FDsMax           *int64 `json:"fds_max"`           // null where there is no limit
	PidsUsed         *int64 `json:"pids_used"`         // tasks, threads included
	PidMax           *int64 `json:"pid_max"`           // largest process id
	ThreadsMax       *int64 `json:"threads_max"`       // most tasks there can be
	ConntrackEntries *int64 `json:"conntrack_entries"` // null where connection tracking is not loaded
	ConntrackMax     *int64 `json:"conntrack_max"`     // most connections that can be tracked
	ProcessesCount   *int64 `json:"processes_count"`   // processes, threads not counted
}

// Network is from /proc/net/sockstat.
type Network struct {
	SocketsUsed *int64 `json:"sockets_used"`  // of all kinds
	TCPInUse    *int64 `json:"tcp_inuse"`     // TCP sockets, IPv4
	TCPTimeWait *int64 `json:"tcp_time_wait"` // TCP sockets in TIME_WAIT
}

// An Engine is what runs a sandbox's processes.
type Engine string

// The engines that ship with the module. The set is open.
const (
	EngineDocker  Engine = "docker"
	EnginePodman  Engine = "podman"
	EngineProcess Engine = "process"
)

// An EngineState says whether an engine can be used now. The set is open.
type EngineState string

// States of an engine.
const (
	EngineOK           EngineState = "ok"
	EngineUnused       EngineState = "unused"       // installed, never used by this user, not asked
	EngineAbsent       EngineState = "absent"       // not installed; a docker client alone is no engine
	EngineDown         EngineState = "down"         // installed, nobody answers
	EngineForbidden    EngineState = "forbidden"    // this user may not ask
	EngineUnresponsive EngineState = "unresponsive" // asked, no answer in time
	EngineUnknown      EngineState = "unknown"      // the answer could not be understood
)

// EngineInfo is one engine as a snapshot saw it.
type EngineInfo struct {
	Name              Engine      `json:"name"`
	Status            EngineState `json:"status"`
	Detail            *string     `json:"detail"`             // what the engine or its client said, where status is not ok
	Version           *string     `json:"version"`            // of the engine, not its client
	APIVersion        *string     `json:"api_version"`        // newest the engine's API offers
	ResponseMS        *int64      `json:"response_ms"`        // how long its answer took
	Rootless          *bool       `json:"rootless"`           // runs as an ordinary user
	RootDir           *string     `json:"root_dir"`           // where it keeps images and volumes
	EngineID          *string     `json:"engine_id"`          // what tells it from others that keep their things at the same path; null: it has no such name
	StorageDriver     *string     `json:"storage_driver"`     // such as "overlay2"
	CgroupDriver      *string     `json:"cgroup_driver"`      // cgroupfs, systemd
	ComposeTools      []string    `json:"compose_tools"`      // compose tools found for it: "docker compose", "docker-compose", "podman-compose"
	ContainersRunning *int64      `json:"containers_running"` // everybody's, not sandboxer's only
	ContainersPaused  *int64      `json:"containers_paused"`  // everybody's
	ContainersStopped *int64      `json:"containers_stopped"` // everybody's
	ImagesCount       *int64      `json:"images_count"`       // everybody's
	VolumesCount      *int64      `json:"volumes_count"`      // everybody's
	NetworksCount     *int64      `json:"networks_count"`     // everybody's
}

// Engine returns what the snapshot knows of the engine named, or nil.
func (s *HostSnapshot) Engine(name Engine) *EngineInfo {
	for i := range s.Engines {
		if s.Engines[i].Name == name {
			return &s.Engines[i]
		}
	}
	return nil
}

// ContainersRunning adds up the running containers of all engines that are
// there. It is nil if one of them did not answer.
func (s *HostSnapshot) ContainersRunning() *int64 {
	var sum int64
	for _, e := range s.Engines {
		switch {
		case e.Status == EngineAbsent || e.Status == EngineUnused || e.Name == EngineProcess:
		case e.ContainersRunning == nil:
			return nil
		default:
			sum += *e.ContainersRunning
		}
	}
	return &sum
}

// answers reports whether what the snapshot has of the engine is all there is.
func (s *HostSnapshot) answers(name Engine) bool {
	e := s.Engine(name)
	return e != nil && (e.Status == EngineOK || e.Status == EngineUnused || e.Status == EngineAbsent)
}

// ObjectSets holds, per kind of object, the identities that were there. A
// kind that could not be read has no entry: an unreadable set is not empty.
// What an engine holds is "ENGINE:REF"; one that is stopped, or closed to the
// user, is in no set, as EngineInfo.Status says.
type ObjectSets map[ObjectKind][]string

// An ObjectKind is a kind of thing a sandbox can leave behind.
type ObjectKind string

// Kinds of objects, with what identifies one.
const (
	Containers  ObjectKind = "containers"  // engine and full id: "docker:5f1c…"
	Networks    ObjectKind = "networks"    // engine and full id
	Volumes     ObjectKind = "volumes"     // engine and name
	Images      ObjectKind = "images"      // engine and full id
	Mounts      ObjectKind = "mounts"      // mount point
	Ports       ObjectKind = "ports"       // "tcp 127.0.0.1:8080", listening
	Directories ObjectKind = "directories" // path, of those directly under the root
	Processes   ObjectKind = "processes"   // pid and start time, of sandboxes' own processes
)

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
