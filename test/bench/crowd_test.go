package bench

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/tegwick/sand-boxer/test/internal/openssh"
	"github.com/tegwick/sand-boxer/test/lab"
)

// BenchmarkThousandHosts opens 1,000 connections from one process, which is not
// this one: here are the servers, which do nothing, so that there is little but
// the cost of the clients.
func BenchmarkThousandHosts(b *testing.B) {
	lab.Require(b, "ssh")
	const parallel = 50
	hosts := crowd(1000)
	config, program := silentServer(b), buildProgram(b, "test/bench/crowd")
	var rates, each, peaks, asking []float64
	for b.Loop() {
		var f struct {
			Seconds float64 `json:"seconds"`
			Start   float64 `json:"start_bytes"`
			Open    float64 `json:"open_bytes"`
			Peak    float64 `json:"peak_bytes"`
		}
		out := output(b, append([]string{program, "-config", config, "-parallel", fmt.Sprint(parallel)}, hosts...)...)
		if err := json.Unmarshal(out, &f); err != nil {
			b.Fatalf("%s: %v", out, err)
		}
		rates = append(rates, float64(len(hosts))/f.Seconds)
		peaks = append(peaks, f.Peak/(1<<20))
		each = append(each, (f.Open-f.Start)/float64(len(hosts))/(1<<10))
		asking = append(asking, askAll(b, config, hosts, parallel).Seconds()/f.Seconds)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rates), "hosts/s")
	b.ReportMetric(median(peaks), "MiB-peak")
	b.ReportMetric(median(each), "KiB/host")
	b.ReportMetric(median(asking), "ssh-G-alone") // as a part of the time
}

// askAll runs "ssh -G" for as many hosts as crowd does, and nothing else.
func askAll(b *testing.B, config string, hosts []string, parallel int) time.Duration {
	b.Helper()
	begun := time.Now()
	next := make(chan string)
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for host := range next {
				if out, err := exec.Command("ssh", "-G", "-F", config, host).CombinedOutput(); err != nil {
					b.Errorf("ssh -G: %v: %s", err, out)
				}
			}
		})
	}
	for _, host := range hosts {
		next <- host
	}
	close(next)
	all.Wait()
	return time.Since(begun)
}

// BenchmarkManyHosts is "true" on 200 hosts, 50 at a time, against
// parallel-ssh, which starts an ssh for each.
func BenchmarkManyHosts(b *testing.B) {
	lab.Require(b, "sshd", "ssh", "pssh")
	const parallel = "50"
	hosts := crowd(200)
	l, program := lab.Open(b), buildProgram(b, "test/bench/crowd")
	dir := b.TempDir()
	config, list := filepath.Join(dir, "ssh_config"), filepath.Join(dir, "hosts")
	server := lab.SSHD(b, lab.SSHDOptions{HostKeys: []string{"ed25519"}})
	writeConfig(b, config, openssh.Endpoint{Addr: server.Addr, HostKeys: server.HostKeys}, l.Client().User, l.Key)
	write(b, list, strings.Join(hosts, "\n")+"\n")
	pair(b,
		append([]string{program, "-config", config, "-parallel", parallel}, hosts...),
		[]string{"parallel-ssh", "-h", list, "-p", parallel, "-t", "0", "-x", "-F " + config, "true"})
}

// crowd returns the names of that many hosts.
func crowd(count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprint("crowd-", i)
	}
	return names
}

// writeConfig writes an ssh_config by which every name that begins with crowd-
// is the same server.
func writeConfig(b *testing.B, path string, server openssh.Endpoint, user, key string) {
	b.Helper()
	known, err := openssh.KnownHosts(server)
	if err != nil {
		b.Fatal(err)
	}
	write(b, path+".known", known)
	host, port, _ := net.SplitHostPort(server.Addr)
	write(b, path, fmt.Sprintf("Host crowd-*\n    HostName %s\n    Port %s\n    IdentityFile %s\n", host, port, key)+
		openssh.Common(user, path+".known"))
}

// marker finds what sshhost wants to read before a command's own output.
var marker = regexp.MustCompile(`echo ([A-Z2-7]{20,}) "?\$\$`)

// silentServer starts a server that lets everybody in and says of every command
// that it has run and printed nothing. It returns an ssh_config for it.
func silentServer(b *testing.B) (config string) {
	b.Helper()
	dir := b.TempDir()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var all sync.WaitGroup
	b.Cleanup(all.Wait)
	b.Cleanup(func() { listener.Close() })
	server := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	server.AddHostKey(signer)
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(conn, server) })
		}
	})
	hostKey, clientKey := filepath.Join(dir, "host.pub"), filepath.Join(dir, "id")
	write(b, hostKey, string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	if err := openssh.Keygen(clientKey, "ed25519"); err != nil {
		b.Fatal(err)
	}
	config = filepath.Join(dir, "ssh_config")
	writeConfig(b, config, openssh.Endpoint{Addr: listener.Addr().String(), HostKeys: []string{hostKey}}, "nobody", clientKey)
	return config
}

// serve serves one connection until the client closes it.
func serve(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		session, requests, err := ch.Accept()
		if err != nil {
			return
		}
		for r := range requests {
			found := marker.FindSubmatch(r.Payload)
			_ = r.Reply(found != nil, nil)
			if found != nil {
				fmt.Fprintf(session, "%s 4711\n", found[1])
				fmt.Fprintf(session.Stderr(), "%s 4711\n", found[1])
				_, _ = session.SendRequest("exit-status", false, make([]byte, 4))
				session.Close()
			}
		}
	}
}

func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

func output(b *testing.B, argv ...string) []byte {
	b.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v: %v", argv, err)
	}
	return out
}
