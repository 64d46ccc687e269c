package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/profile"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// built is this profile as its README has it: with the program.
func built(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "web")
	for _, name := range []string{"compose.yaml", "Dockerfile"} {
		data, err := os.ReadFile(name)
		if err == nil {
			err = os.MkdirAll(dir, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), "main.go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// On each engine the profile goes up, answers on its port, is listed with it,
// and goes, with nothing left.
func TestEachEngine(t *testing.T) {
	dir := built(t)
	for _, e := range lab.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			e.Enter(t)
			selected, err := engine.Select(engine.Auto, e.Compose)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := profile.Resolve(t.Context(), dir, profile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			host := sshhost.New(e.Alias, sshhost.Config{ConfigFile: lab.Open(t).SSHConfig})
			defer host.Close()
			box := sandboxer.Sandboxer{
				Provisioners: selected.Provisioners, Collector: probe.Collector{Sudo: selected.Sudo},
				Root: "/tmp/sandboxer-example-" + e.Name,
			}
			t.Cleanup(func() { os.Remove(box.Root) })
			status, err := box.Create(t.Context(), host, spec)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				status, err := box.Destroy(t.Context(), host, status.SandboxID)
				if err != nil {
					t.Fatal(err)
				}
				if r := status.Telemetry.Residual; r != nil && len(r.Leaks) > 0 {
					t.Errorf("got left behind %q, want nothing", r.Leaks)
				}
			}()
			answers(t, e, status)
			obs, err := box.Inspect(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range obs.Inventory.Sandboxes {
				if s.SandboxID == status.SandboxID && len(s.Ports) != 1 {
					t.Errorf("got ports %v in the list, want one", s.Ports)
				}
			}
		})
	}
}

// answers asks the web service, on its host, for what the worker has counted.
func answers(t *testing.T, e lab.Engine, status sandboxer.SandboxStatus) {
	t.Helper()
	if len(status.Ports) != 1 || status.Ports[0].Service != "web" || status.Ports[0].ContainerPort != 8080 {
		t.Fatalf("got ports %v, want one of web", status.Ports)
	}
	port := strconv.FormatInt(status.Ports[0].HostPort, 10)
	got := e.SSH(t, "curl -sS http://127.0.0.1:"+port+"/")
	if !regexp.MustCompile(`^counted [1-9]\d*\n$`).MatchString(got) {
		t.Errorf("got %q, want a count", got)
	}
}
