package canary

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tegwick/sand-boxer"
)

const (
	testID    = "canary-4k9x0q2m7t3b"
	testNonce = "00112233445566778899aabbccddeeff"
)

// recordIn writes a sandbox's record into its directory.
func recordIn(t *testing.T, dir, id, nonce string) string {
	t.Helper()
	rec := sandboxer.Record{
		Schema: sandboxer.RecordSchema, SandboxID: sandboxer.ID(id), Nonce: nonce,
		CreatedAt: time.Now(), State: sandboxer.StateProvisioning, Engine: sandboxer.EngineProcess,
	}
	data, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, recordFile)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func startServer(t *testing.T) (addr string) {
	t.Helper()
	s, err := listen(environment{id: testID, nonce: testNonce, listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s.listener.Addr().String()
}

// impostor answers each connection with answer; a nil one says nothing.
func impostor(t *testing.T, answer func(conn net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestDial(t *testing.T) {
	ours := startServer(t)
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	for _, c := range []struct {
		what            string
		addr, id, nonce string
		want            sandboxer.Verdict
		says            string
	}{
		{"ours", ours, testID, testNonce, sandboxer.Pass, "answers as " + testID},
		{"by every address", strings.Replace(ours, "127.0.0.1", "0.0.0.0", 1), testID, testNonce, sandboxer.Pass, "answers as"},
		{"another sandbox", ours, "canary-other", testNonce, sandboxer.Fail, `answered by sandbox "` + testID + `", want "canary-other"`},
		{"another nonce", ours, testID, strings.Repeat("f", 32), sandboxer.Fail, "does not know the nonce"},
		{"nobody", refused.Addr().String(), testID, testNonce, sandboxer.Fail, "connection refused"},
		{"no port", "", testID, testNonce, sandboxer.Errored, "SANDBOXER_PORT is not set"},
		{"no nonce", ours, testID, "", sandboxer.Errored, "record without a nonce"},
		{"bad port", "127.0.0.1:http:x", testID, testNonce, sandboxer.Fail, "too many colons"},
		{"closes", impostor(t, func(net.Conn) {}), testID, testNonce, sandboxer.Fail, ""},
		{"a web server", impostor(t, func(c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n<html>\n")
		}), testID, testNonce, sandboxer.Fail, "something else than a canary"},
		{"an echo", impostor(t, func(c net.Conn) {
			line, _ := bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, line)
		}), testID, testNonce, sandboxer.Fail, "something else than a canary"},
		{"replays", impostor(t, func(c net.Conn) {
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n"+mark+testID+" "+response(testNonce, "old")+"\n")
		}), testID, testNonce, sandboxer.Fail, "does not know the nonce"},
	} {
		got := dial(t.Context(), recordIn(t, t.TempDir(), c.id, c.nonce), c.addr)
		if got.Name != sandboxer.CheckPublishedPort || got.Status != c.want || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: got %s %s: %s, want %s with %q", c.what, got.Name, got.Status, got.Message, c.want, c.says)
		}
		if (got.Value != nil) != (c.want == sandboxer.Pass) {
			t.Errorf("%s: got value %v", c.what, got.Value)
		}
	}
}

func TestDialEnds(t *testing.T) {
	stop := make(chan struct{})
	addr := impostor(t, func(net.Conn) { <-stop })
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got := dial(ctx, recordIn(t, t.TempDir(), testID, testNonce), addr)
	if got.Status != sandboxer.Fail || !strings.Contains(got.Message, "timeout") {
		t.Errorf("a server that says nothing: got %s: %s, want fail with a timeout", got.Status, got.Message)
	}
}

func TestDialWithoutRecord(t *testing.T) {
	got := dial(t.Context(), t.TempDir(), "127.0.0.1:1")
	if got.Status != sandboxer.Errored || !strings.Contains(got.Message, recordFile) {
		t.Errorf("got %s: %s, want error with %q", got.Status, got.Message, recordFile)
	}
}

func TestServerKeepsTheNonce(t *testing.T) {
	addr := startServer(t)
	for _, request := range []string{"GET / HTTP/1.1\r\n\r\n", "GET /" + testNonce[:8] + " HTTP/1.0\r\n\r\n", "nonce?\r\n", "\n"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, request)
		got, err := io.ReadAll(conn)
		conn.Close()
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: got %v, want an answer", request, err)
		}
		if !strings.HasPrefix(string(got), "HTTP/1.0 ") || strings.Contains(string(got), testNonce) {
			t.Errorf("%q: got %q, want an answer without the nonce", request, got)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + mark + testID + " 5d41\n")
	f.Add("HTTP/1.0 200 OK\r\n\r\n")
	f.Fuzz(func(t *testing.T, data string) {
		id, proof, err := parseAnswer(data)
		if err == nil && (id == "" || proof == "" || !strings.Contains(data, mark+id+" "+proof)) {
			t.Errorf("%q: got %q and %q, want what it says", data, id, proof)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add("GET /abc HTTP/1.1\r\n")
	f.Fuzz(func(t *testing.T, line string) {
		challenge, ok := parseRequest(line)
		if ok && !strings.Contains(line, "/"+challenge) {
			t.Errorf("%q: got %q, want a part of it", line, challenge)
		}
	})
}
