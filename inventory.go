package sandboxer

import (
	"fmt"
	"time"
)

// An Inventory is everything on a host that is, or may have been, a sandbox
// of this user: directories under the root, records, and what the engines
// hold.
type Inventory struct {
	Root            string           `json:"root"`             // the directory that holds the sandboxes, as the host resolved it
	RootState       RootState        `json:"root_state"`       // whether that directory can be trusted
	Complete        bool             `json:"complete"`         // every source answered in full
	Sources         []Source         `json:"sources"`          // what was asked, and what answered
	Sandboxes       []Sandbox        `json:"sandboxes"`        // by sandbox_id; whatever has a record or our labels
	Directories     []Directory      `json:"directories"`      // entries of the root that are no sandbox's, by name
	ComposeProjects []ComposeProject `json:"compose_projects"` // by engine and name; foreign ones too
	Leftovers       []Resource       `json:"leftovers"`        // engine resources with our labels and no record of a sandbox
	Trash           []TrashEntry     `json:"trash"`            // what reaps have removed and keep for a while, by path
}

// RootState says what the root directory is. The set is open.
type RootState string

// States of the root directory.
const (
	RootOK         RootState = "ok"
	RootAbsent     RootState = "absent"  // nothing there yet
	RootSymlink    RootState = "symlink" // it, or a part of its path, is a symbolic link
	RootNotDir     RootState = "not_a_directory"
	RootForeign    RootState = "foreign"            // another user's
	RootWritable   RootState = "writable_by_others" // the caller's own, but group or others may write to it
	RootUnreadable RootState = "unreadable"
	RootHome       RootState = "home" // the user's home, or what that is in: all there is would be nobody's
)

// A Source is one place an inventory is made from.
type Source struct {
	Name   string  `json:"name"`   // directories, registry, docker, podman, processes
	Status string  `json:"status"` // complete, absent, or why it is not complete: timeout, forbidden, down, truncated, parse_error, mount_present
	Detail *string `json:"detail"` // what it said, where status is not complete
}

// Source statuses that mean the source has told all there is.
const (
	SourceComplete = "complete"
	SourceAbsent   = "absent"
)

// Complete reports whether the source has told all there is.
func (s Source) Complete() bool {
	return s.Status == SourceComplete || s.Status == SourceAbsent
}

// Source returns the source named; one that was never asked is not complete.
func (inv *Inventory) Source(name string) Source {
	for _, s := range inv.Sources {
		if s.Name == name {
			return s
		}
	}
	return Source{Name: name, Status: "not_asked"}
}

// recordsComplete returns an ErrIncomplete unless all records were read, so
// that what has none is no sandbox.
func (inv *Inventory) recordsComplete() error {
	for _, name := range []string{"directories", "registry"} {
		if source := inv.Source(name); !source.Complete() {
			return fmt.Errorf("%s: %s: %w", name, source.Status, ErrIncomplete)
		}
	}
	return nil
}

// Find returns the sandbox whose id, or else whose exact name, is ref. It is
// nil where there is none; an id is never shadowed by a name, and a name that
// several sandboxes bear finds none.
func (inv *Inventory) Find(ref ID) *Sandbox {
	var named *Sandbox
	count := 0
	for i := range inv.Sandboxes {
		s := &inv.Sandboxes[i]
		if s.SandboxID == ref {
			return s
		}
		if s.Name != nil && *s.Name == string(ref) {
			named, count = s, count+1
		}
	}
	if count == 1 {
		return named
	}
	return nil
}

// withID returns the sandbox of that id, or nil.
func (inv *Inventory) withID(id ID) *Sandbox {
	if s := inv.Find(id); s != nil && s.SandboxID == id {
		return s
	}
	return nil
}

// named returns the ids of the sandboxes whose exact name is ref.
func (inv *Inventory) named(ref ID) []string {
	var ids []string
	for _, s := range inv.Sandboxes {
		if s.Name != nil && *s.Name == string(ref) {
			ids = append(ids, string(s.SandboxID))
		}
	}
	return ids
}

// A Sandbox is one sandbox as the host shows it now.
type Sandbox struct {
	SandboxID    ID          `json:"sandbox_id"`
	Name         *string     `json:"name"`    // second name, if it was given one
	Profile      *string     `json:"profile"` // what it was made from
	State        State       `json:"state"`   // as stored; unknown where no record could be read
	Reason       *string     `json:"reason"`  // the phase a failed one failed in, or what is odd about the records
	Engine       *Engine     `json:"engine"`
	Owner        *Owner      `json:"owner"`
	CreatedAt    *time.Time  `json:"created_at"`     // host clock
	ExpiresAt    *time.Time  `json:"expires_at"`     // null: no TTL
	LastActiveAt *time.Time  `json:"last_active_at"` // latest of creation, last operation or touch, newest container start or finish
	Operation    *Operation  `json:"operation"`      // under way, or interrupted
	Hold         *Hold       `json:"hold"`           // keeps it from being removed, if its time is not over; null: nothing does
	Locked       *bool       `json:"locked"`         // an operation holds it now
	Dir          string      `json:"dir"`            // absolute path of its directory
	DirPresent   *bool       `json:"dir_present"`    // that directory is there
	Metadata     RecordState `json:"metadata"`       // the record in the sandbox's directory
	Registry     RecordState `json:"registry"`       // the record outside it
	Resources    []Resource  `json:"resources"`      // what the engine holds of it now
	Ports        []Port      `json:"ports"`          // what the host publishes of it
	SizeBytes    *int64      `json:"size_bytes"`     // what its directory holds, as far as the user may read it; null: not measured

	// Evidence is what a destroy proves ownership with. It is not published.
	Evidence Evidence `json:"-"`
}

// RecordState says how one of a sandbox's two records was found. The set is
// open.
type RecordState string

// States of a record.
const (
	RecordOK       RecordState = "ok"
	RecordMissing  RecordState = "missing"
	RecordCorrupt  RecordState = "corrupt"  // unreadable, too large, not a regular file, or not about this sandbox
	RecordForeign  RecordState = "foreign"  // another machine's, user's, or root's
	RecordMismatch RecordState = "mismatch" // the two records disagree
	RecordUnknown  RecordState = "unknown"  // it may be there: it was not looked at, or the answer was cut off before it
)

// Evidence holds what was read of a sandbox, as it was read.
type Evidence struct {
	Metadata []byte  // bytes of meta.json, nil where unreadable
	Registry []byte  // bytes of the registry record, nil where unreadable
	Record   *Record // the record to act on: the metadata, or else the registry's
	Dir      DirFacts
}

// DirFacts are what stat(2) said of a sandbox's directory.
type DirFacts struct {
	Present bool
	IsDir   bool // a directory, not a link to one
	UID     int64
	Mode    int64 // permission bits
	Device  int64
	Inode   int64
	Birth   int64 // when it was made, in nanoseconds of the epoch; 0: not known
}

// A Directory is an entry of the root that no sandbox accounts for.
type Directory struct {
	Name       string     `json:"name"`        // bytes that are not UTF-8 are escaped as \xNN
	Path       string     `json:"path"`        // absolute
	Kind       string     `json:"kind"`        // directory, symlink, other
	OwnerUID   *int64     `json:"owner_uid"`   // uid of its owner
	Own        bool       `json:"own"`         // belongs to the connecting user
	ValidID    bool       `json:"valid_id"`    // the name has the form of an id or name; others are never removed
	LastChange *time.Time `json:"last_change"` // newest ctime in it; null where it could not be walked
	SizeBytes  *int64     `json:"size_bytes"`  // what it holds, as far as the user may read it; null: not measured

	Device, Inode, Birth int64 `json:"-"` // which one it is, as in DirFacts; Inode 0: not known
}

// A TrashEntry is a directory that a reap has taken out of the way.
type TrashEntry struct {
	Ref       string     `json:"ref"`        // id of the sandbox, or name of the directory, that it was
	SandboxID *ID        `json:"sandbox_id"` // null where it was no sandbox's
	Path      string     `json:"path"`       // absolute
	TrashedAt *time.Time `json:"trashed_at"` // its newest ctime, host clock
	KeptUntil *time.Time `json:"kept_until"` // from then on a reap deletes it; null: from now on
	SizeBytes *int64     `json:"size_bytes"` // what it holds, as far as the user may read it; null: not measured

	Entry                string `json:"-"` // path below the root
	Device, Inode, Birth int64  `json:"-"` // which one it is, as in DirFacts
	IsDir, Own           bool   `json:"-"` // a directory; the connecting user's
}

// A ComposeProject is a set of engine resources that share a compose project
// label, sandboxer's or not.
type ComposeProject struct {
	Engine            Engine   `json:"engine"`
	Name              string   `json:"name"`               // value of the label
	WorkingDir        *string  `json:"working_dir"`        // where compose was run, as its label says
	Services          []string `json:"services"`           // sorted
	ContainersTotal   int64    `json:"containers_total"`   // stopped ones too
	ContainersRunning int64    `json:"containers_running"` // of containers_total
	NetworksTotal     int64    `json:"networks_total"`     // with its label
	VolumesTotal      int64    `json:"volumes_total"`      // with its label
	SandboxID         *ID      `json:"sandbox_id"`         // where it belongs to a sandbox in this inventory
}

// A ResourceKind is a kind of engine resource. The set is open.
type ResourceKind string

// Kinds of engine resources.
const (
	KindContainer ResourceKind = "container"
	KindNetwork   ResourceKind = "network"
	KindVolume    ResourceKind = "volume"
	KindImage     ResourceKind = "image"
	KindPod       ResourceKind = "pod"
	KindProcess   ResourceKind = "process"
)

// A Resource is one thing an engine holds.
type Resource struct {
	Engine    Engine       `json:"engine"`
	Kind      ResourceKind `json:"kind"`
	Ref       string       `json:"ref"`        // what identifies it to the engine: full id; a volume's name; "pid:starttime" of a process
	Name      string       `json:"name"`       // as the engine shows it
	Service   *string      `json:"service"`    // compose service, as its label says
	State     *string      `json:"state"`      // running, exited, … in the engine's words
	SandboxID *ID          `json:"sandbox_id"` // what its label claims
	StartedAt *time.Time   `json:"started_at"` // last start
	EndedAt   *time.Time   `json:"ended_at"`   // last end; null while it runs

	Nonce   string `json:"-"` // what its label claims
	Project string `json:"-"` // compose project, label
}

// A Port is a port of a sandbox that the host publishes.
type Port struct {
	Service       string `json:"service"`        // compose service it belongs to
	Protocol      string `json:"protocol"`       // tcp, udp
	HostIP        string `json:"host_ip"`        // address it listens on
	HostPort      int64  `json:"host_port"`      // port on the host
	ContainerPort int64  `json:"container_port"` // port within the sandbox
}

// An Observation is what one look at a host gave: numbers and things from
// the same moment.
type Observation struct {
	Snapshot  HostSnapshot
	Inventory Inventory

	Facts Facts

	// Report is the report stored with the sandbox that
	// CollectOptions.Sandbox named, and Destroyed its record where it was
	// destroyed before; nil where there is none.
	Report    []byte
	Destroyed *Record

	// Cost is what that sandbox has used; nil where the host knows no such
	// sandbox.
	Cost *SandboxCost

	// Canary is for a caller to set who has just run one, for AlertPolicy.
	Canary *CanaryResult
}

// Facts are what operations and Doctor need to know of a host beyond its
// numbers. They are not published. Of what is nil nobody could tell, or it does
// not apply there.
type Facts struct {
	Home       string          // home directory of the user on the host
	Tools      map[string]bool // whether a tool is in PATH: flock, tar, gzip, timeout, curl, setsid, unshare, …
	RootNoexec *bool           // programs under the root cannot be executed (mount option noexec)
	RootAge    *string         // systemd-tmpfiles removes what is older under the root: "10d"; empty if it removes nothing there

	Systemd    bool  // systemd runs the host
	Linger     *bool // the user's services outlive the last session; nil without systemd
	RuntimeDir *bool // the user has a directory for what runs (XDG_RUNTIME_DIR)
	SubIDs     *bool // the user has ranges of uids and gids for containers
	NextSubID  int64 // the first id beyond all users' ranges
	UserNS     *bool // an ordinary user may make user namespaces

	// RootlessControllers are the cgroup controllers that a user's engine may
	// limit with, on version 2 of cgroups under systemd.
	RootlessControllers []string

	DockerHost        string // where docker's client is told to look, if that is another machine
	AddressPoolsFree  *int64 // networks that docker can still make
	SELinuxEnforcing  *bool  // nil without SELinux
	ClockSynchronized *bool  // systemd-timesyncd has set the clock since boot; nil if something else does
	MaxSessions       *int64 // sessions that sshd allows in one connection, as far as its configuration can be read
	MaxProcesses      *int64 // processes that the user may have; nil without a limit
}
