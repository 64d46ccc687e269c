package openssh

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
)

// ServerOptions says how an sshd is to behave. Dir and AuthorizedKeys are
// required.
type ServerOptions struct {
	Dir            string   // made; holds configuration, host keys and log
	AuthorizedKeys string   // file of keys that open every account
	UserCA         string   // public key of the authority for user certificates; "" for none
	HostKeys       []string // key types; nil means ed25519, ecdsa and rsa
	Address        string   // it listens on; "" means 127.0.0.1
	Port           int      // 0 means a free one, and 22 in a Netns
	Netns          string   // name of the network namespace it runs in; "" means that of the caller
	MaxSessions    int      // 0 means 10, which is sshd's own default
	Prefix         []string // what sshd is run by, in front of its own command
	Config         []string // further sshd_config lines; they win over ours
}

// Server is an sshd that runs in the foreground, owned by whoever started it.
type Server struct {
	Addr     string   // ip:port
	HostKeys []string // its public key files
	Log      string
	daemon   *daemon.Daemon
}

// StartServer runs sshd and returns when it answers. It needs root to let in
// anybody but the caller.
func StartServer(opts ServerOptions) (*Server, error) {
	sshd, err := findSSHD()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, err
	}
	s := &Server{Log: filepath.Join(opts.Dir, "sshd.log")}
	kinds := opts.HostKeys
	if kinds == nil {
		kinds = []string{"ed25519", "ecdsa", "rsa"}
	}
	for _, kind := range kinds {
		key := filepath.Join(opts.Dir, "host_"+kind)
		if err := Keygen(key, kind); err != nil {
			return nil, err
		}
		s.HostKeys = append(s.HostKeys, key+".pub")
	}
	// A free port may be taken again before sshd has it.
	for range 5 {
		if err = s.start(sshd, opts); err == nil || opts.Port != 0 {
			return s, err
		}
	}
	return nil, err
}

// Stop ends the server and every session on it.
func (s *Server) Stop() { s.daemon.Stop(5 * time.Second) }

func (s *Server) start(sshd string, opts ServerOptions) error {
	var err error
	if s.Addr, err = opts.address(); err != nil {
		return err
	}
	config := filepath.Join(opts.Dir, "sshd_config")
	if err := os.WriteFile(config, serverConfig(opts, s.Addr, s.HostKeys), 0o644); err != nil {
		return err
	}
	argv, ready := slices.Clone(opts.Prefix), s.ping
	if opts.Netns != "" {
		argv = append(argv, "nsenter", "--net=/run/netns/"+opts.Netns)
		ready = s.listening // from here it cannot be asked
	}
	d, err := daemon.Start(s.Log, append(argv, sshd, "-D", "-e", "-f", config)...)
	if err != nil {
		return err
	}
	if err := d.WaitReady(10*time.Second, ready); err != nil {
		d.Stop(0)
		return err
	}
	s.daemon = d
	return nil
}

// address returns the ip:port to listen on.
func (opts ServerOptions) address() (string, error) {
	ip := opts.Address
	if ip == "" {
		ip = "127.0.0.1"
	}
	port := opts.Port
	switch {
	case port != 0:
	case opts.Netns != "":
		port = 22 // where else nobody is
	default:
		l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			return "", err
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	return fmt.Sprintf("%s:%d", ip, port), nil
}

// listening succeeds if the server's log says so, as in
// `Server listening on 198.18.0.2 port 22.`
func (s *Server) listening() error {
	data, err := os.ReadFile(s.Log)
	if err == nil && !bytes.Contains(data, []byte("Server listening on ")) {
		err = errors.New("not listening")
	}
	return err
}

// ping succeeds if an SSH server answers.
func (s *Server) ping() error {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	banner, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(banner, "SSH-2.0-") {
		err = fmt.Errorf("unexpected banner %q", banner)
	}
	return err
}

// serverConfig makes an sshd_config. The first value of a keyword wins, so the
// caller's lines stand first; a Match block among them must end with Match all.
func serverConfig(opts ServerOptions, addr string, hostKeys []string) []byte {
	lines := append([]string{}, opts.Config...)
	lines = append(lines,
		"ListenAddress "+addr,
		"AuthorizedKeysFile "+opts.AuthorizedKeys,
		"StrictModes no", // the lab lies in a directory for everybody
		"UsePAM no",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"PermitRootLogin yes",
		"PrintMotd no",
		"UseDNS no",
		"PidFile none",
		"LogLevel VERBOSE",
		"MaxStartups 200",
		"Subsystem sftp internal-sftp",
	)
	if opts.MaxSessions != 0 {
		lines = append(lines, fmt.Sprintf("MaxSessions %d", opts.MaxSessions))
	}
	if opts.UserCA != "" {
		lines = append(lines, "TrustedUserCAKeys "+opts.UserCA)
	}
	for _, pub := range hostKeys {
		lines = append(lines, "HostKey "+strings.TrimSuffix(pub, ".pub"))
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// findSSHD returns sshd's absolute path, which sshd needs to start itself
// again for each connection, and makes the directory it confines itself to.
func findSSHD() (string, error) {
	path, err := exec.LookPath("sshd")
	if err != nil {
		path = "/usr/sbin/sshd" // not in everybody's PATH
		if _, err := os.Stat(path); err != nil {
			return "", errors.New("sshd is not installed")
		}
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return "", err
		}
	}
	return filepath.Abs(path)
}
