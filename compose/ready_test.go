package compose_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/test/lab"
)

// checked is two services of which one is published.
const checked = `
services:
  web:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    command: [say=here, "serve=:8080"]
    ports: ["127.0.0.1::8080", "127.0.0.1::7070"]
  worker:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    command: [after=1s, "listen=127.0.0.1:9000"]
  job:
    image: ${SANDBOXER_IMAGE}
    entrypoint: [/program]
    command: [exit=0]
`

func newChecked(t *testing.T, e lab.Engine, checks ...sandboxer.ReadyCheck) *bench {
	t.Helper()
	b := newBench(t, e, checked, "web", "worker", "job")
	b.spec.ReadyFile, b.spec.Compose.Ready = "", checks
	return b
}

func TestReady(t *testing.T) { onEach(t, testReady) }

func testReady(t *testing.T, e lab.Engine) {
	b := newChecked(t, e,
		sandboxer.ReadyCheck{Service: "web", Port: 8080, HTTP: "/late?a=b&c"},
		sandboxer.ReadyCheck{Service: "web", Port: 8080},
		sandboxer.ReadyCheck{Service: "worker", Port: 9000},
	)
	begin := time.Now()
	started, _ := b.mustUp()
	if len(started.Ports) != 2 || started.Ports[0].ContainerPort != 7070 {
		t.Errorf("ports: got %+v, want the two of web", started.Ports)
	}
	if took := time.Since(begin); took < time.Second {
		t.Errorf("ready after %v, want not before the worker listens", took)
	}
}

func TestReadyNever(t *testing.T) {
	tests := []struct {
		name  string
		check sandboxer.ReadyCheck
		want  string
	}{
		{"nobody listens", sandboxer.ReadyCheck{Service: "web", Port: 7070}, "service web never listens on port 7070: nothing listens there"},
		{"other service", sandboxer.ReadyCheck{Service: "web", Port: 9000}, "service web never listens on port 9000"},
		{"status", sandboxer.ReadyCheck{Service: "web", Port: 8080, HTTP: "/503"}, "service web never answers GET /503 on port 8080: http://127.0.0.1:"},
		{"no listener", sandboxer.ReadyCheck{Service: "web", Port: 7070, HTTP: "/"}, "service web never answers GET / on port 7070"},
		{"not published", sandboxer.ReadyCheck{Service: "worker", Port: 9000, HTTP: "/"}, "port 9000 is not published"},
		{"ended", sandboxer.ReadyCheck{Service: "job", Port: 1}, "service job never listens on port 1: it is exited"},
	}
	onEach(t, func(t *testing.T, e lab.Engine) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				b := newChecked(t, e, sandboxer.ReadyCheck{Service: "web", Port: 8080}, test.check)
				b.spec.WaitTimeout = 2 * time.Second
				_, err := b.up()
				var failure *sandboxer.PhaseError
				if !errors.As(err, &failure) {
					t.Fatalf("got %v, want a PhaseError", err)
				}
				if failure.Phase != sandboxer.PhaseWait || failure.Service != test.check.Service || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v (service %q), want …%s…", err, failure.Service, test.want)
				}
				if test.check.Service == "web" && !strings.Contains(strings.Join(failure.Log, " "), "here") {
					t.Errorf("log: got %q, want that of web", failure.Log)
				}
				t.Log(err)
			})
		}
	}, "docker-v2", "rootless")
}

// Whatever the host has to ask with tells the same.
func TestReadyClients(t *testing.T) {
	lab.Require(t, "busybox", "curl")
	busybox := lab.OpenDir(t)
	if err := os.WriteFile(filepath.Join(busybox, "wget"), []byte("#!/bin/sh\nexec busybox wget \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, client := range []struct {
		name   string
		path   string   // first in PATH
		hidden []string // programs that the host has not
	}{
		{"curl", "", nil},
		{"wget", busybox, []string{"curl"}},
		{"none", "", []string{"curl", "wget"}},
	} {
		for _, path := range []string{"/204", "/302", "/503"} {
			t.Run(client.name+path, func(t *testing.T) {
				b := newChecked(t, dockerV2(), sandboxer.ReadyCheck{Service: "web", Port: 8080, HTTP: path})
				b.env = []string{"PATH=" + client.path + ":" + os.Getenv("PATH"), "http_proxy=http://192.0.2.1:1"}
				b.prefix = lab.Without(t, client.hidden...)
				t.Cleanup(func() { b.prefix = nil }) // it goes before the bench does
				b.spec.WaitTimeout = 3 * time.Second
				_, err := b.up()
				want := ""
				switch {
				case client.name == "none":
					want = "neither curl nor wget"
				case path == "/503":
					want = "status 503"
				}
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q", err, want)
				}
			})
		}
	}
}
