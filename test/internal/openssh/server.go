package openssh

import (
	"bufio"
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
	Port           int      // on 127.0.0.1; 0 means a free one
	MaxSessions    int      // 0 means 10, which is sshd's own default
	Prefix         []string // what sshd is run by, in front of its own command
	Config         []string // further sshd_config lines; they win over ours
}

// Server is an sshd that runs in the foreground, owned by whoever started it.
type Server struct {
	Addr     string   // 127.0.0.1:port
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
	port := opts.Port
	if port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	s.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	config := filepath.Join(opts.Dir, "sshd_config")
	if err := os.WriteFile(config, serverConfig(opts, port, s.HostKeys), 0o644); err != nil {
		return err
	}
	d, err := daemon.Start(s.Log, append(slices.Clone(opts.Prefix), sshd, "-D", "-e", "-f", config)...)
	if err != nil {
		return err
	}
	if err := d.WaitReady(10*time.Second, s.ping); err != nil {
		d.Stop(0)
		return err
	}
	s.daemon = d
	return nil
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
func serverConfig(opts ServerOptions, port int, hostKeys []string) []byte {
	lines := append([]string{}, opts.Config...)
	lines = append(lines,
		fmt.Sprintf("ListenAddress 127.0.0.1:%d", port),
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
