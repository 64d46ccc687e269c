package canary

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tegwick/sand-boxer"
)

// Bounds of a conversation, on both sides.
const (
	dialTimeout = 5 * time.Second
	maxMessage  = 4 << 10
	maxClients  = 16
	acceptPause = 100 * time.Millisecond
)

// A server answers on the canary's port:
//
//	GET /CHALLENGE HTTP/1.0
//
//	HTTP/1.0 200 OK
//	Content-Type: text/plain
//
//	sandboxer canary, version 1
//	canary-4k9x0q2m7t3b 5d41…
//
// The second line is the sandbox and what only it can make of the challenge.
// So that whoever asks knows which sandbox has answered, while the nonce,
// which is the proof of its ownership, is told to nobody who can connect.
type server struct {
	listener net.Listener
	answer   func(challenge string) string
	wait     sync.WaitGroup
}

// listen starts to answer. The caller closes the server.
func listen(env environment) (*server, error) {
	l, err := net.Listen("tcp", env.listen)
	if err != nil {
		return nil, err
	}
	s := &server{listener: l, answer: func(challenge string) string {
		return string(env.id) + " " + response(env.nonce, challenge)
	}}
	s.wait.Go(s.serve)
	return s, nil
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// close stops listening and waits for the conversations under way.
func (s *server) close() {
	s.listener.Close()
	s.wait.Wait()
}

func (s *server) serve() {
	slots := make(chan struct{}, maxClients)
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(acceptPause) // the host has no file descriptors left; it may again
			continue
		}
		slots <- struct{}{}
		s.wait.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(dialTimeout))
			s.talk(conn)
		})
	}
}

func (s *server) talk(conn io.ReadWriter) {
	line, err := bufio.NewReader(io.LimitReader(conn, maxMessage)).ReadString('\n')
	if err != nil {
		return
	}
	challenge, ok := parseRequest(line)
	if !ok {
		io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\n")
		return
	}
	io.WriteString(conn, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"+mark+s.answer(challenge)+"\n")
}

// parseRequest returns the challenge in the first line of a request,
// "GET /CHALLENGE HTTP/1.1\r\n".
func parseRequest(line string) (challenge string, ok bool) {
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != "GET" || !strings.HasPrefix(f[1], "/") || !strings.HasPrefix(f[2], "HTTP/1.") {
		return "", false
	}
	return f[1][1:], true
}

// response is what a sandbox with that nonce makes of a challenge.
func response(nonce, challenge string) string {
	mac := hmac.New(sha256.New, []byte(nonce))
	io.WriteString(mac, challenge)
	return hex.EncodeToString(mac.Sum(nil))
}

// recordFile is where a sandbox's record is, seen from its directory.
const recordFile = ".sandboxer/meta.json"

// dial checks, on the host, that what answers at addr is the sandbox whose
// directory dir is: the one that its record names.
func dial(ctx context.Context, dir, addr string) sandboxer.CanaryCheck {
	check := sandboxer.CanaryCheck{Name: sandboxer.CheckPublishedPort}
	rec, err := readRecord(dir)
	if err == nil && addr == "" {
		err = errors.New("SANDBOXER_PORT is not set")
	}
	if err != nil {
		check.Status = sandboxer.Errored
		check.Message = err.Error()
		return check
	}
	begin := time.Now()
	if err := ask(ctx, addr, string(rec.SandboxID), rec.Nonce); err != nil {
		check.Status = sandboxer.Fail
		check.Message = fmt.Sprintf("%s: %v", addr, err)
		return check
	}
	check.Status = sandboxer.Pass
	check.Value, check.Unit = milliseconds(time.Since(begin)), new("ms")
	check.Message = fmt.Sprintf("%s answers as %s", addr, rec.SandboxID)
	return check
}

func readRecord(dir string) (*sandboxer.Record, error) {
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(recordFile)))
	if err != nil {
		return nil, err
	}
	return sandboxer.ParseRecord(data)
}

// ask returns nil if what answers at addr is sandbox id and knows its nonce.
func ask(ctx context.Context, addr, id, nonce string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	challenge := rand.Text()
	if _, err := io.WriteString(conn, "GET /"+challenge+" HTTP/1.0\r\n\r\n"); err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(conn, maxMessage))
	if err != nil {
		return err
	}
	who, proof, err := parseAnswer(string(data))
	switch {
	case err != nil:
		return err
	case who != id:
		return fmt.Errorf("answered by sandbox %q, want %q", who, id)
	case !hmac.Equal([]byte(proof), []byte(response(nonce, challenge))):
		return fmt.Errorf("what answers does not know the nonce of %q", id)
	}
	return nil
}

// parseAnswer takes a server's answer apart.
func parseAnswer(data string) (id, proof string, err error) {
	if data == "" {
		return "", "", errors.New("closed without an answer")
	}
	_, body, _ := strings.Cut(data, "\r\n\r\n")
	line, ok := strings.CutPrefix(body, mark)
	if !ok || !strings.HasPrefix(data, "HTTP/1.0 200 ") {
		return "", "", errors.New("answered by something else than a canary")
	}
	id, proof, ok = strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if !ok || id == "" || proof == "" {
		return "", "", errors.New("answered by something else than a canary")
	}
	return id, proof, nil
}
