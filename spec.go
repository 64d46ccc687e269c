package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A Spec is what a sandbox is to be. It is data, and may be used again.
type Spec struct {
	Profile string            // name for people, such as "profile.sandbox-canary"; required
	Name    string            // optional second name, unique among the host's sandboxes: at most 40 of a-z, 0-9, "-"
	Labels  map[string]string // optional, kept in the record; see the record's size limit
	TTL     time.Duration     // after which the sandbox is expired; zero is never

	// Files returns what is uploaded, for the platform of the host. It is
	// called once per create, before anything is written on the host.
	// It holds regular files and directories; their permission bits are kept.
	// Names beginning with ".sandboxer" are reserved.
	Files func(ctx context.Context, p Platform) (fs.FS, error)

	Compose *Compose // how a compose engine runs it; nil if none can
	Process []string // argv, relative to the sandbox's directory, for an engine without images; nil if it needs one

	ReadyFile string   // the sandbox is ready once this file of its directory exists; its content is Started.Result. Empty: once its services run.
	HostCheck []string // argv run on the host when ready, in the sandbox's directory, with SANDBOXER_PORT="host:port" of the first published port; a program of the upload
	Canary    bool     // Result is a CanaryResult, and the create is judged by it

	WaitTimeout time.Duration // for readiness; zero is DefaultWaitTimeout
	Settle      time.Duration // once it is ready, wait this long at most for the host to come to rest before the second look at it; zero: not at all
	KeepFailed  bool          // leave a failed create as it is, for a look at it
	Force       bool          // create it on a host that Admit refuses, too; its record says so
	Remove      bool          // destroy it again as soon as it is ready: one status, both deltas
}

// DefaultWaitTimeout bounds the wait for readiness.
const DefaultWaitTimeout = 2 * time.Minute

// A Platform is what a program must be built for, as in GOOS and GOARCH. Arch
// is "unknown" where the host did not say.
type Platform struct{ OS, Arch string }

// Compose is the compose side of a Spec. It names what the files define, so
// that labels can be stamped on each of it.
type Compose struct {
	File     string   // compose file within Files
	Services []string // at least one
	Networks []string // names as in the file; "default" too, if it is used
	Volumes  []string // names as in the file
	Builds   []string // services whose image is built from Files; each is named localhost/sandboxer/<id>:<service>, whatever File calls it
	Images   []string // every other image of the services: looked for on the host before anything starts, as none is ever pulled
	Rootfs   string   // directory of Files that becomes the image ${SANDBOXER_IMAGE} as it is, without a builder; not beside Builds

	Ready []ReadyCheck // what a service must answer to be ready, beside what its engine says of it
}

// A ReadyCheck is a condition for readiness that the services themselves do
// not report. It is tried on the host until it holds.
type ReadyCheck struct {
	Service string // one of Compose.Services
	Port    int64  // within the service
	HTTP    string // path, such as "/healthz": a GET of it has status 200 to 399, on the port as published on the host. Empty: something listens on Port.
}

// check returns an error unless s can be created at all.
func (s *Spec) check() error {
	switch {
	case s.Profile == "":
		return errors.New("Spec.Profile is empty")
	case s.Files == nil:
		return errors.New("Spec.Files is nil")
	case s.Compose == nil && len(s.Process) == 0:
		return errors.New("Spec has neither Compose nor Process")
	case s.Compose != nil && (s.Compose.File == "" || len(s.Compose.Services) == 0):
		return errors.New("Spec.Compose names no file or no services")
	case s.TTL < 0:
		return fmt.Errorf("TTL %v: want none or a positive one", s.TTL)
	case s.WaitTimeout < 0:
		return fmt.Errorf("wait timeout %v: want a positive one", s.WaitTimeout)
	case s.Settle < 0:
		return fmt.Errorf("settle time %v: want none or a positive one", s.Settle)
	}
	if s.Name != "" {
		if _, err := ParseRef(s.Name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spec) waitTimeout() time.Duration {
	if s.WaitTimeout == 0 {
		return DefaultWaitTimeout
	}
	return s.WaitTimeout
}

// fits reports whether the engine can run s at all.
func (s *Spec) fits(engine Engine) bool {
	if engine == EngineProcess {
		return len(s.Process) > 0
	}
	return s.Compose != nil
}
