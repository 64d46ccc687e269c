package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tegwick/sand-boxer/test/internal/daemon"
)

// dockerSocket is where every docker command looks by default.
const dockerSocket = "/var/run/docker.sock"

// dockerAnswers returns nil if a daemon answers on the default socket.
func dockerAnswers() error {
	client := http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "unix", dockerSocket)
			},
		},
	}
	resp, err := client.Get("http://docker/_ping")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("docker says %s", resp.Status)
	}
	return nil
}

// startDocker starts a dockerd that keeps everything below dir but its socket.
// It finds a storage driver that works there by itself. The configuration of
// the machine, if there is one, is not ours and not read.
func startDocker(dir string) (*daemon.Daemon, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(config, []byte("{}\n"), 0o600); err != nil {
		return nil, err
	}
	d, err := daemon.Start(filepath.Join(dir, "dockerd.log"), "dockerd",
		"--config-file", config,
		"--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "dockerd.pid"),
	)
	if err != nil {
		return nil, err
	}
	if err := d.WaitReady(time.Minute, dockerAnswers); err != nil {
		d.Stop(10 * time.Second)
		return nil, err
	}
	return d, nil
}

// removeSocket removes the default socket if nobody listens on it.
func removeSocket() error {
	conn, err := net.Dial("unix", dockerSocket)
	if err == nil {
		return conn.Close()
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(dockerSocket)
	}
	return nil
}

// removeBridges removes the network bridges that a dockerd with this directory
// made and did not remove: each holds an address range that the next dockerd
// could not use. Docker names a bridge br- and the start of the id of its
// network, and its database of networks holds the id.
func removeBridges(ctx context.Context, dir string) error {
	db, err := os.ReadFile(filepath.Join(dir, "data/network/files/local-kv.db"))
	if err != nil {
		return nil // this dockerd never got as far as networks
	}
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	var errs []error
	for _, link := range links {
		id, found := strings.CutPrefix(link.Name, "br-")
		if found && len(id) == 12 && bytes.Contains(db, []byte(id)) {
			errs = append(errs, run(ctx, "ip", "link", "delete", link.Name))
		}
	}
	return errors.Join(errs...)
}
