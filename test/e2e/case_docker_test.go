package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"

	"github.com/tegwick/sand-boxer/test/lab"
)

// A manner is what somebody between docker and its clients does with an
// answer; the answer is nil where docker is not even asked.
type manner func(w http.ResponseWriter, r *http.Request, docker http.Handler)

func passed(w http.ResponseWriter, r *http.Request, docker http.Handler) { docker.ServeHTTP(w, r) }

func unanswered(_ http.ResponseWriter, r *http.Request, _ http.Handler) { <-r.Context().Done() }

func garbled(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	_, _ = io.WriteString(w, "hello\n")
}

// cutOff ends the connection in the middle of the list of containers.
func cutOff(w http.ResponseWriter, r *http.Request, docker http.Handler) {
	changed(w, r, docker, func(body string) string {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		return body[:len(body)/2]
	})
}

// halved is a list of containers that ends in the middle, of an answer that
// does not.
func halved(w http.ResponseWriter, r *http.Request, docker http.Handler) {
	changed(w, r, docker, func(body string) string { return body[:len(body)/2] })
}

// unseen answers whoever looks, and breaks off for docker's own client, by
// which things are removed, once it comes to the volumes.
func unseen(w http.ResponseWriter, r *http.Request, docker http.Handler) {
	if strings.HasPrefix(r.UserAgent(), "Docker-Client/") && strings.HasSuffix(r.URL.Path, "/volumes") {
		garbled(w, r, docker)
		return
	}
	docker.ServeHTTP(w, r)
}

func changed(w http.ResponseWriter, r *http.Request, docker http.Handler, change func(string) string) {
	if !strings.HasSuffix(r.URL.Path, "/containers/json") {
		docker.ServeHTTP(w, r)
		return
	}
	answer := &kept{header: http.Header{}}
	docker.ServeHTTP(answer, r)
	body := change(answer.body.String())
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, body)
}

// kept is an answer that is not given yet.
type kept struct {
	header http.Header
	body   strings.Builder
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) WriteHeader(int)             {}
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }

// dockerBehind puts somebody between docker and its clients, and returns the
// variable that leads to them.
func (c *console) dockerBehind(m manner, mode os.FileMode) string {
	c.t.Helper()
	path := lab.OpenDir(c.t) + "/docker.sock"
	listener, err := net.Listen("unix", path)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		c.t.Fatal(err)
	}
	docker := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "docker" },
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
		}},
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m(w, r, docker) })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	c.t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "DOCKER_HOST=unix://" + path
}
