// Package e2e runs the owner's runbook through the library, on real hosts
// with real engines.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/schema/validate"
	"github.com/tegwick/sand-boxer/sshhost"
	"github.com/tegwick/sand-boxer/test/lab"
)

// program builds the sandboxer command, static, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sandboxer-e2e")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it too
		return "", err
	}
	path := filepath.Join(dir, "sandboxer")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/tegwick/sand-boxer/cmd/sandboxer")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// A place is a host and an engine on it.
type place struct {
	name   string
	parts  []string
	engine string
	host   func(t *testing.T) sandboxer.Host
	sh     func(t *testing.T, command string) string // a shell on that host, as its user
}

func places() []place {
	ssh := func(alias, engine string) place {
		return place{
			name: alias + "/" + engine, parts: []string{"sshd", "ssh"}, engine: engine,
			host: func(t *testing.T) sandboxer.Host {
				h := sshhost.New(alias, sshhost.Config{ConfigFile: lab.Open(t).SSHConfig})
				t.Cleanup(func() { h.Close() })
				return h
			},
			sh: func(t *testing.T, command string) string {
				return output(t, "ssh", "-F", lab.Open(t).SSHConfig, alias, command)
			},
		}
	}
	local := func(engine string) place {
		return place{
			name: "local/" + engine, engine: engine,
			host: func(*testing.T) sandboxer.Host { return localhost.Host{} },
			sh:   func(t *testing.T, command string) string { return output(t, "sh", "-c", command) },
		}
	}
	return []place{
		local("docker"), local("process"), ssh("lab-root", "docker"), ssh("lab-docker", "docker"),
		ssh("lab-fish", "process"), ssh("lab-tcsh", "process"),
	}
}

// output runs a command, in a clean-up too, where the test's context is over.
func output(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return string(out)
}

// newBox returns a Sandboxer with a root and artifacts of its own.
func newBox(t *testing.T, p place) *sandboxer.Sandboxer {
	t.Helper()
	if p.engine == "docker" {
		lab.Require(t, "dockerd", "docker-cli", "compose-v2")
		lab.EngineLock(t)
	}
	lab.Require(t, p.parts...)
	chosen, err := engine.Select(p.engine, "")
	if err != nil {
		t.Fatal(err)
	}
	root := fmt.Sprintf("/tmp/sandboxer-e2e-%d-%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() { p.sh(t, "rm -rf "+root) })
	return &sandboxer.Sandboxer{
		Provisioners: chosen.Provisioners, Collector: probe.Collector{Sudo: chosen.Sudo},
		Exporter: jsonfile.Exporter{Dir: t.TempDir()}, Root: root,
	}
}

func spec(t *testing.T) sandboxer.Spec {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return canary.Spec(canary.File(path))
}

// engineObjects lists what the engine holds: all of docker's, and the
// processes of sandboxes below root.
func engineObjects(t *testing.T, p place, root string) string {
	if p.engine != "docker" {
		return p.sh(t, "sh -c 'grep -als SANDBOXER_DIR="+root+" /proc/[0-9]*/environ; true'")
	}
	return p.sh(t, "(docker ps -aq --no-trunc; docker network ls -q --no-trunc; docker volume ls -q; docker images -aq --no-trunc) | sort")
}

// The owner's four checks, then nothing is left.
func TestRunbook(t *testing.T) {
	for _, p := range places() {
		t.Run(p.name, func(t *testing.T) {
			box, host := newBox(t, p), p.host(t)
			objects := engineObjects(t, p, box.Root)
			ctx := t.Context()

			status, err := box.Create(ctx, host, spec(t))
			if err != nil {
				t.Fatalf("create: %v (hint: %s)", err, sandboxer.Hint(err))
			}
			t.Cleanup(func() { box.Destroy(context.WithoutCancel(ctx), host, status.SandboxID) })
			checkReady(t, status)
			checkCounts(t, host, 6)
			checkInspect(t, box, host, status)
			checkFake99(t, box, host, p)

			gone, err := box.Destroy(ctx, host, status.SandboxID)
			if err != nil {
				t.Fatalf("destroy: %v", err)
			}
			checkDestroyed(t, gone)
			if again, err := box.Destroy(ctx, host, status.SandboxID); err != nil || again.State != sandboxer.StateDestroyed {
				t.Errorf("destroy again: got state %s, %v, want destroyed", again.State, err)
			}
			if now := engineObjects(t, p, box.Root); now != objects {
				t.Errorf("the engine holds\n%s\nand held before\n%s", now, objects)
			}
			if left := p.sh(t, "ls -A "+box.Root); strings.TrimSpace(left) != "fake99" {
				t.Errorf("got %q left in the root, want only fake99", left)
			}
		})
	}
}

func checkReady(t *testing.T, s sandboxer.SandboxStatus) {
	t.Helper()
	valid(t, s)
	if s.State != sandboxer.StateReady || s.Telemetry.ProvisionDelta == nil {
		t.Fatalf("got state %s, provision_delta %v, want ready with one", s.State, s.Telemetry.ProvisionDelta)
	}
	c := s.Telemetry.Canary
	if c == nil {
		t.Fatal("got no canary result")
	}
	for _, check := range c.Checks {
		t.Logf("%-16s %-5s %s", check.Name, check.Status, check.Message)
		if check.Status == sandboxer.Fail || check.Status == sandboxer.Errored || check.Status == sandboxer.Unknown {
			t.Errorf("canary check %s: %s: %s", check.Name, check.Status, check.Message)
		}
	}
	if len(s.Ports) != 1 || s.Ports[0].HostPort == 0 {
		t.Errorf("got ports %v, want one", s.Ports)
	}
	if len(s.Artifacts) != 1 {
		t.Fatalf("got artifacts %v, want one", s.Artifacts)
	}
	data, err := os.ReadFile(s.Artifacts[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := validate.Document(data); err != nil {
		t.Errorf("artifact: %v", err)
	}
}

// checkCounts holds the bounds on connections and login shells.
func checkCounts(t *testing.T, host sandboxer.Host, execs int) {
	t.Helper()
	if h, ok := host.(*sshhost.Host); ok {
		if got := h.Stats(); got.Dials != 1 || got.Execs > execs {
			t.Errorf("got %d connections and %d commands, want 1 and at most %d", got.Dials, got.Execs, execs)
		}
	}
}

func checkInspect(t *testing.T, box *sandboxer.Sandboxer, host sandboxer.Host, s sandboxer.SandboxStatus) {
	t.Helper()
	obs, err := box.Inspect(t.Context(), host)
	if err != nil {
		t.Fatalf("inspect: %v", err)
	}
	doc, err := box.NewSnapshotDocument(host, obs)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, doc)
	after, now := s.Telemetry.After, obs.Snapshot
	if *now.Identity.BootID != *after.Identity.BootID || *now.Memory.TotalBytes != *after.Memory.TotalBytes ||
		*now.CPU.LogicalCount != *after.CPU.LogicalCount || *now.Identity.MachineID != *after.Identity.MachineID {
		t.Errorf("inspect host does not agree with the create report: %+v and %+v", now.Identity, after.Identity)
	}
	if diff := cmp.Diff(after.ContainersRunning(), now.ContainersRunning()); diff != "" {
		t.Errorf("containers running, -create +inspect:\n%s", diff)
	}
	found := obs.Inventory.Find(s.SandboxID)
	if found == nil || found.State != sandboxer.StateReady || len(found.Resources) == 0 {
		t.Errorf("got %+v in the inventory, want the sandbox, ready, with its resources", found)
	}
	if status, err := box.Status(t.Context(), host, s.SandboxID); err != nil || status.Telemetry.Canary == nil {
		t.Errorf("status: got %+v, %v, want the stored report", status.Telemetry.Canary, err)
	} else {
		valid(t, status)
	}
}

// checkFake99 is the owner's third check: listed at once, under any umask.
func checkFake99(t *testing.T, box *sandboxer.Sandboxer, host sandboxer.Host, p place) {
	t.Helper()
	p.sh(t, "sh -c 'umask 002; mkdir -p "+box.Root+"/fake99'")
	obs, err := box.Inspect(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	report := sandboxer.FindStale(obs, sandboxer.StalePolicy{})
	i := slices.IndexFunc(report.StaleCandidates, func(s sandboxer.StaleSandbox) bool { return s.Ref == "fake99" })
	if i < 0 || report.StaleCandidates[i].Class != sandboxer.Unclaimed || len(report.StaleCandidates[i].BlockedBy) == 0 {
		t.Errorf("got %+v, want fake99 listed as unclaimed and blocked", report.StaleCandidates)
	}
}

func checkDestroyed(t *testing.T, s sandboxer.SandboxStatus) {
	t.Helper()
	valid(t, s)
	tel := s.Telemetry
	if s.State != sandboxer.StateDestroyed || tel.DestroyDelta == nil || tel.ProvisionDelta == nil {
		t.Fatalf("got state %s, want destroyed with both deltas", s.State)
	}
	if tel.Residual == nil || tel.Residual.Verdict != sandboxer.Pass {
		t.Errorf("got residual %+v, want the verdict pass", tel.Residual)
	}
	if tel.DestroyDelta.Host.MemoryAvailableBytes.Delta == nil || tel.DestroyDelta.Host.Load1.Delta == nil {
		t.Error("destroy_delta lacks load or memory")
	}
}

// valid holds every document against its published schema.
func valid(t *testing.T, doc sandboxer.Document) {
	t.Helper()
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := validate.Document(data); err != nil {
		t.Errorf("%s: %v", doc.DocumentHeader().Kind, err)
	}
}

// The root did not exist before: the owner's mkdir makes it, group-writable
// under umask 002. It is listed as it is, and create mends it.
func TestFake99First(t *testing.T) {
	p := place{name: "lab-docker", engine: "process", parts: []string{"sshd", "ssh"}}
	for _, have := range places() {
		if have.name == "lab-docker/docker" {
			p.host, p.sh = have.host, have.sh
		}
	}
	box, host := newBox(t, p), p.host(t)
	checkFake99(t, box, host, p)
	checkCounts(t, host, 1)
	status, err := box.Create(t.Context(), host, spec(t))
	if err != nil {
		t.Fatal(err)
	}
	if mode := strings.TrimSpace(p.sh(t, "stat -c %a "+box.Root)); mode != "755" {
		t.Errorf("got mode %s for the root, want others kept out", mode)
	}
	if _, err := box.Destroy(t.Context(), host, status.SandboxID); err != nil {
		t.Error(err)
	}
}

// What a scheduler runs: one document with both deltas.
func TestCreateRemove(t *testing.T) {
	for _, p := range places()[:2] {
		t.Run(p.name, func(t *testing.T) {
			box, host := newBox(t, p), p.host(t)
			s := spec(t)
			s.Remove = true
			status, err := box.Create(t.Context(), host, s)
			if err != nil {
				t.Fatal(err)
			}
			checkDestroyed(t, status)
			names := []string{}
			for _, c := range status.Telemetry.Canary.Checks {
				names = append(names, c.Name)
			}
			if !slices.Contains(names, sandboxer.CheckTeardownLeaks) {
				t.Errorf("got checks %v, want %s among them", names, sandboxer.CheckTeardownLeaks)
			}
		})
	}
}
