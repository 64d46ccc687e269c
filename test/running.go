package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
	"github.com/tegwick/sand-boxer/test/internal/openssh"
	"github.com/tegwick/sand-boxer/test/lab"
)

const (
	defaultDir = "/tmp/sbx-lab"  // short: sockets below it have at most 107 bytes
	stateFile  = "lab.json"      // there while the lab can be used
	markFile   = "sandboxer-lab" // says that the directory is ours to remove
	useFile    = "use.lock"      // held shared by those who use the lab
)

// running is a lab that this process started and will stop.
type running struct {
	state   *lab.Lab
	docker  *daemon.Daemon // nil if it is not ours
	servers []*openssh.Server
	refused int // a socket that is bound and does not listen
}

// startLab starts every part of a lab in dir. What cannot be started is noted
// in the state, and the tests that need it say so; an error means that there is
// no lab, and that nothing of it is left.
func startLab(ctx context.Context, dir, plugin string) (*running, error) {
	if err := makeDir(ctx, dir); err != nil {
		return nil, err
	}
	r := &running{state: &lab.Lab{
		Format: lab.Format, PID: os.Getpid(), Dir: dir, Missing: map[string]string{}, DockerSocket: dockerSocket,
	}}
	if err := r.start(ctx, plugin); err != nil {
		return nil, errors.Join(err, r.stop(ctx))
	}
	return r, nil
}

func (r *running) start(ctx context.Context, plugin string) error {
	for _, name := range []string{useFile, lab.EngineLockFile} {
		if err := makeLock(r.path(name)); err != nil {
			return err
		}
	}
	// Before dockerd, which gives its socket to the group.
	if err := run(ctx, "groupadd", "-f", "-r", "docker"); err != nil {
		return err
	}
	r.part("compose-v2", installPlugin(ctx, plugin, r.state.Dir))
	r.part("dockerd", r.startDocker())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.part("podman", startPodman(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.part("sshd", r.startSSH(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.part("netns", lab.TryNetns())
	r.part("sudo", allowSudo(ctx))
	r.part("rootless", r.startRootless(ctx))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.state.Write(r.path(stateFile))
}

// part says and notes why a part is missing.
func (r *running) part(name string, err error) {
	if err != nil {
		say("%s: %v", name, err)
		r.state.Missing[name] = err.Error()
	}
}

func (r *running) startDocker() error {
	if dockerAnswers() == nil {
		say("dockerd: using the one that is running")
		return nil
	}
	r.state.DockerOurs = true
	var err error
	if r.docker, err = startDocker(r.path("docker")); err != nil {
		return err
	}
	say("dockerd: at %s", dockerSocket)
	return nil
}

// startRootless makes podman work for the accounts that have it.
func (r *running) startRootless(ctx context.Context) error {
	if err := openDevices(r.state.Dir); err != nil {
		return err
	}
	for _, a := range accounts() {
		if !a.podman {
			continue
		}
		user, err := lab.FindUser(a.name())
		if err != nil {
			return err
		}
		if err := startRootless(ctx, user); err != nil {
			return err
		}
	}
	return nil
}

// startSSH makes users and keys, and starts both servers.
func (r *running) startSSH(ctx context.Context) error {
	s := r.state
	client := r.path("client")
	if err := os.Mkdir(client, 0o755); err != nil {
		return err
	}
	var err error
	if s.Logins, err = addUsers(ctx, r.path("home")); err != nil {
		return err
	}
	if err := r.makeKeys(ctx, client); err != nil {
		return err
	}
	for name, endpoint := range map[string]*openssh.Endpoint{"sshd": &s.Server, "hop": &s.Hop} {
		server, err := openssh.StartServer(openssh.ServerOptions{
			Dir: r.path(name), AuthorizedKeys: s.KeysFile, UserCA: s.UserCA,
		})
		if err != nil {
			return err
		}
		r.servers = append(r.servers, server)
		*endpoint = openssh.Endpoint{Addr: server.Addr, HostKeys: server.HostKeys}
		say("%s: at %s", name, server.Addr)
	}
	if s.Refused, err = r.reserve(); err != nil {
		return err
	}
	s.SSHConfig, err = s.Client().Write(client)
	return err
}

// makeKeys makes the clients' keys: one that opens every account, one whose
// certificate does, and one that opens none.
func (r *running) makeKeys(ctx context.Context, dir string) error {
	s := r.state
	s.Key = filepath.Join(dir, "id_ed25519")
	s.CertKey = filepath.Join(dir, "id_cert")
	s.Stranger = filepath.Join(dir, "id_stranger")
	authority := filepath.Join(dir, "user_ca")
	s.UserCA = authority + ".pub"
	for _, key := range []string{s.Key, s.CertKey, s.Stranger, authority} {
		if err := openssh.Keygen(key, "ed25519"); err != nil {
			return err
		}
	}
	var names []string
	for _, login := range s.Logins {
		names = append(names, login.User)
	}
	if err := openssh.SignUser(authority, s.CertKey, names...); err != nil {
		return err
	}
	pub, err := os.ReadFile(s.Key + ".pub")
	if err != nil {
		return err
	}
	s.KeysFile = r.path("authorized_keys")
	if err := os.WriteFile(s.KeysFile, pub, 0o644); err != nil {
		return err
	}
	if user := os.Getenv("SUDO_UID"); user != "" {
		return run(ctx, "chown", "-R", user, dir) // who will run the tests
	}
	return nil
}

// reserve binds a port without listening, so that it refuses connections for as
// long as the lab runs.
func (r *running) reserve() (addr string, err error) {
	r.refused, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	syscall.CloseOnExec(r.refused)
	if err := syscall.Bind(r.refused, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	name, err := syscall.Getsockname(r.refused)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port), nil
}

// stop stops what start started and removes every trace of it.
func (r *running) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	for _, server := range r.servers {
		server.Stop()
	}
	if r.docker != nil {
		r.docker.Stop(30 * time.Second)
		// The next dockerd makes it again.
		_ = run(ctx, "ip", "link", "delete", "docker0")
	}
	if r.refused > 0 {
		syscall.Close(r.refused)
	}
	return clean(ctx, r.state.Dir)
}

func (r *running) path(name string) string { return filepath.Join(r.state.Dir, name) }

// makeLock makes a file that anybody may lock.
func makeLock(path string) error {
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		return err
	}
	return os.Chmod(path, 0o666) // whatever the umask
}

// run runs a command and returns an error that holds its output if it fails.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
