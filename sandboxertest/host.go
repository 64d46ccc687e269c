package sandboxertest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// A Host is a fake host, made from a Scenario, for the tests of programs that
// use sandboxer. It keeps the promises of sandboxer.Host; TestHost says so.
//
// Commands are run for real, by the sh of this machine, but in a home
// directory and with a PATH of the host's own: what sandboxer does on a host
// it does here, to the directory that Root names. In that PATH are the usual
// tools, and a date, a stat and a docker that tell the scenario's story. Any
// other command is not found; and a question to docker for which the fake has
// no answer fails, and names itself. Its methods may be called concurrently.
type Host struct {
	dir  string
	user string
	uid  int64

	machineID, bootID string

	mu     sync.Mutex
	docker *docker
}

var _ sandboxer.Host = (*Host)(nil)

// NewHost returns a fake host that is closed when the test ends.
func NewHost(t testing.TB, s Scenario) *Host {
	t.Helper()
	h, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Open returns a fake host for use outside a test. The caller closes it.
func Open(s Scenario) (*Host, error) {
	dir, err := os.MkdirTemp("", "sandboxertest")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	h := &Host{dir: dir}
	if err := h.set(s); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Host) set(s Scenario) error {
	for _, dir := range []string{h.home(), h.bin(), h.home() + "/.docker/cli-plugins"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := h.install(); err != nil {
		return err
	}
	if err := h.plugin(); err != nil {
		return err
	}
	h.docker = newDocker(h.dir)
	if err := h.docker.serve(); err != nil {
		return err
	}
	// Records say whose and which machine's they are.
	obs, err := probe.Collector{}.Collect(context.Background(), h, sandboxer.CollectOptions{Root: h.Root()})
	if err != nil {
		return fmt.Errorf("look at the fake host: %w", err)
	}
	id := obs.Snapshot.Identity
	if id.UID == nil {
		return errors.New("look at the fake host: no uid")
	}
	h.uid, h.user = *id.UID, orEmpty(id.User)
	h.machineID, h.bootID = orEmpty(id.MachineID), orEmpty(id.BootID)

	if err := errors.Join(h.SetNow(s.Now), h.SetFreeDisk(s.FreeDiskBytes), h.SetDocker(s.Docker)); err != nil {
		return err
	}
	for _, box := range s.Sandboxes {
		if err := h.AddSandbox(box); err != nil {
			return err
		}
	}
	for _, d := range s.Unclaimed {
		if err := h.AddUnclaimed(d); err != nil {
			return err
		}
	}
	return nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Close removes the host.
func (h *Host) Close() error {
	if h.docker != nil {
		h.docker.stop()
	}
	return os.RemoveAll(h.dir)
}

// Name returns "fake".
func (h *Host) Name() string { return "fake" }

// Root returns the directory that holds the host's sandboxes, for
// Sandboxer.Root. It may not exist yet.
func (h *Host) Root() string { return h.dir + "/sandboxer" }

// Home returns the home directory of the user on the host.
func (h *Host) Home() string { return h.home() }

func (h *Host) home() string { return h.dir + "/home" }
func (h *Host) bin() string  { return h.dir + "/bin" }

// enter is the host's environment: nothing of the surrounding one that could
// lead out of it.
const enter = `PATH=$1 HOME=$2 DOCKER_HOST=$3 DOCKER_CONFIG=$2/.docker LOGNAME=${LOGNAME-} USER=${USER-}
export PATH HOME DOCKER_HOST DOCKER_CONFIG
unset DOCKER_CONTEXT XDG_DATA_HOME XDG_RUNTIME_DIR COMPOSE_FILE COMPOSE_PROJECT_NAME
shift 3
exec "$@"`

// Run runs a command on the host; see sandboxer.Host.
func (h *Host) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if len(cmd.Args) > 0 && cmd.Args[0] != "" && !strings.HasPrefix(cmd.Args[0], "-") { // else it is refused as it is
		path := h.bin()
		for _, e := range cmd.Env {
			if given, ok := strings.CutPrefix(e, "PATH="); ok {
				path = given
			}
		}
		cmd.Args = append([]string{"/bin/sh", "-c", enter, "sh", path, h.home(), "unix://" + h.socket()}, cmd.Args...)
	}
	res, err := localhost.Host{Dir: h.home()}.Run(ctx, cmd)
	var he *sandboxer.HostError
	if errors.As(err, &he) {
		he.Host = h.Name()
	}
	return res, err
}

func (h *Host) socket() string { return h.dir + "/docker.sock" }

// Now returns the host's clock, for Sandboxer.Now.
func (h *Host) Now() time.Time {
	data, err := os.ReadFile(h.dir + "/now")
	var sec, nsec int64
	if _, scanErr := fmt.Sscanf(string(data), "%d.%d", &sec, &nsec); err != nil || scanErr != nil {
		return time.Now()
	}
	return time.Unix(sec, nsec).UTC()
}

// SetNow stops the host's clock at now; zero gives it this machine's again.
func (h *Host) SetNow(now time.Time) error {
	text := ""
	if !now.IsZero() {
		text = fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond())
	}
	return h.write("now", text)
}

// SetFreeDisk sets what ordinary users may still write to each file system;
// zero gives the host this machine's disks again.
func (h *Host) SetFreeDisk(bytes int64) error {
	text := ""
	if bytes != 0 {
		text = fmt.Sprint(bytes / blockSize)
	}
	return h.write("free", text)
}

// write replaces a file that the tools of the host read.
func (h *Host) write(name, text string) error {
	temp := h.dir + "/" + name + ".new"
	if err := os.WriteFile(temp, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, h.dir+"/"+name)
}

// SetDocker changes the state of docker; see Scenario.Docker. What it holds
// stays.
func (h *Host) SetDocker(state sandboxer.EngineState) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range []string{h.socket(), h.bin() + "/docker", h.bin() + "/dockerd"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	switch state {
	case "", sandboxer.EngineAbsent:
		return nil
	case sandboxer.EngineDown:
		return errors.Join(h.script("dockerd", "exit 1\n"), h.script("docker", dockerClient(h.dir)))
	case sandboxer.EngineOK, sandboxer.EngineUnresponsive:
		h.docker.silence(state == sandboxer.EngineUnresponsive)
		return errors.Join(makeSocket(h.socket()), h.script("docker", dockerClient(h.dir)))
	}
	return fmt.Errorf("a fake docker cannot be %q", state)
}

// plugin makes docker's compose be there whatever this machine has. The fake
// docker does not know it.
func (h *Host) plugin() error {
	return os.WriteFile(h.home()+"/.docker/cli-plugins/docker-compose", []byte("#!/bin/sh\nexit 1\n"), 0o700)
}

// makeSocket leaves a socket that nobody listens at: its client is asked.
func makeSocket(path string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
}

// AddUnclaimed makes a directory under the root that is nobody's.
func (h *Host) AddUnclaimed(d Directory) error {
	if d.Name == "" || d.Name != filepath.Base(d.Name) {
		return fmt.Errorf("%q is not the name of a directory", d.Name)
	}
	path := filepath.Join(h.Root(), d.Name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	at := h.Now().Add(-d.Age)
	return os.Chtimes(path, at, at)
}

// AddSandbox makes a sandbox: directory, records, and what the engine holds.
func (h *Host) AddSandbox(s Sandbox) error {
	if _, err := sandboxer.ParseID(string(s.ID)); err != nil {
		return err
	}
	dir := filepath.Join(h.Root(), string(s.ID))
	rec := s.record(h)
	if !s.NoResources && rec.Engine == sandboxer.EngineDocker {
		h.docker.add(&rec, s.Stopped)
	}
	if !s.NoDirectory {
		if err := os.MkdirAll(dir+"/.sandboxer", 0o700); err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Stat(dir, &st); err != nil {
			return err
		}
		rec.Device, rec.Inode = int64(st.Dev), int64(st.Ino)
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if !s.NoRegistry {
		if err := put(h.registry(s.ID), data); err != nil {
			return err
		}
	}
	if s.NoDirectory {
		return nil
	}
	if s.Corrupt {
		data = data[:len(data)/2]
	}
	return put(dir+"/.sandboxer/meta.json", data)
}

func (h *Host) registry(id sandboxer.ID) string {
	return h.home() + "/.local/state/sandboxer/registry/" + string(id) + ".json"
}

func put(path string, data []byte) error {
	return cmp.Or(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600))
}

// Remove takes away everything of a sandbox, or a directory under the root, as
// if it had never been.
func (h *Host) Remove(name string) error {
	if name == "" || name != filepath.Base(name) {
		return fmt.Errorf("%q is not the name of a directory", name)
	}
	h.docker.forget(sandboxer.ID(name))
	if err := os.Remove(h.registry(sandboxer.ID(name))); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.RemoveAll(filepath.Join(h.Root(), name))
}
