package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
)

// hungry is a profile of a service that holds 200 MiB and one that has used ten
// seconds of a CPU. Both say when they are done.
const hungry = `
services:
  eater:
    build: .
    command: ["eat=200", "ready=/out/eaten:yes"]
    volumes: ["./out:/out"]
  burner:
    build: .
    command: ["burn=10s", "ready=/out/burnt:yes"]
    volumes: ["./out:/out"]
`

// What a sandbox holds and uses is what the reports say of it, for each
// container and in sum.
func TestUsageIsTrue(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		dir := c.profile(hungry)
		if err := errors.Join(os.Mkdir(dir+"/out", 0o755), os.WriteFile(dir+"/out/.keep", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		made := document[sandboxer.SandboxStatus](c, "create "+dir, 0)
		valid(t, made)
		started := made.Telemetry.ProvisionDelta.Sandbox
		if started == nil || started.CPUSeconds == nil || *started.CPUSeconds <= 0 || len(started.Containers) != 2 {
			t.Errorf("provision_delta: got %+v, want a cost of two containers", started)
		}
		out := c.root + "/" + string(made.SandboxID) + "/out/"
		c.onSite("until [ -e " + out + "eaten ] && [ -e " + out + "burnt ]; do sleep 0.1; done")
		gone := document[sandboxer.SandboxStatus](c, "destroy "+string(made.SandboxID), 0)
		valid(t, gone)
		cost := gone.Telemetry.DestroyDelta.Sandbox
		if cost == nil || len(cost.Containers) != 2 {
			t.Fatalf("destroy_delta: got %+v, want a cost of two containers", cost)
		}
		t.Logf("%s: cpu_seconds %v, memory_anon_bytes %v", cost.Source, *cost.CPUSeconds, *cost.MemoryAnonBytes)
		service := func(name string) sandboxer.ContainerCost {
			at := slices.IndexFunc(cost.Containers, func(c sandboxer.ContainerCost) bool { return c.Service != nil && *c.Service == name })
			if at < 0 {
				t.Fatalf("got containers %+v, want one of service %s", cost.Containers, name)
			}
			return cost.Containers[at]
		}
		eater, burner := service("eater"), service("burner")
		about(t, "eater: memory_anon_bytes", float(eater.MemoryAnonBytes), 200<<20)
		about(t, "eater: memory_current_bytes", float(eater.MemoryCurrentBytes), 200<<20)
		about(t, "eater: memory_peak_bytes", float(eater.MemoryPeakBytes), 200<<20)
		about(t, "burner: cpu_seconds", burner.CPUSeconds, 10)
		about(t, "cpu_seconds", cost.CPUSeconds, *eater.CPUSeconds+*burner.CPUSeconds)
		about(t, "memory_anon_bytes", float(cost.MemoryAnonBytes), float64(*eater.MemoryAnonBytes+*burner.MemoryAnonBytes))
		if cost.OOMKills == nil || *cost.OOMKills != 0 || cost.PidsCurrent == nil || *cost.PidsCurrent < 2 {
			t.Errorf("got oom_kills %v, pids_current %v, want 0 and at least 2", cost.OOMKills, cost.PidsCurrent)
		}
	}, onDocker, onPodman)
}

func float(n *int64) *float64 {
	if n == nil {
		return nil
	}
	return new(float64(*n))
}

// about holds that a number is known and within 5 % of what it has to be.
func about(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: got null, want %v within 5 %%", what, want)
	} else if math.Abs(*got-want) > 0.05*want {
		t.Errorf("%s: got %v, want %v within 5 %%", what, *got, want)
	}
}

// A user's podman cannot make control groups of version 1: then nobody knows
// what its containers used, and it is not nothing.
func TestUsageThatNobodyKnows(t *testing.T) {
	on(t, func(t *testing.T, c *console) {
		made := document[sandboxer.SandboxStatus](c, "create "+c.profile(web), 0)
		gone := document[sandboxer.SandboxStatus](c, "destroy "+string(made.SandboxID), 0)
		version := made.Telemetry.After.Identity.CgroupVersion
		for _, cost := range []*sandboxer.SandboxCost{made.Telemetry.ProvisionDelta.Sandbox, gone.Telemetry.DestroyDelta.Sandbox} {
			if cost == nil || len(cost.Containers) != 1 {
				t.Fatalf("got %+v, want a cost of one container", cost)
			}
			if *version == 2 {
				continue
			}
			want := sandboxer.Missing{Field: "sandbox", Reason: "unsupported"}
			if cost.Source != "none" || cost.CPUSeconds != nil || !slices.Contains(cost.Missing, want) {
				t.Errorf("got source %s, cpu_seconds %v, missing %v, want none, null, %v", cost.Source, cost.CPUSeconds, cost.Missing, want)
			}
		}
	}, onRootless)
}

// A forgetful provisioner takes down nothing, and says that all is gone.
type forgetful struct{ sandboxer.Provisioner }

func (forgetful) Teardown(sandboxer.Record) sandboxer.Script { return "exit 0\n" }

// A relapse makes a directory again that has gone, before every look.
type relapse struct {
	sandboxer.Collector
	dir string
}

func (r relapse) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	if err := os.Mkdir(r.dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return sandboxer.Observation{}, err
	}
	return r.Collector.Collect(ctx, host, opts)
}

// Whatever a sandbox leaves behind is named in the residual.
func TestLeaksAreNamed(t *testing.T) {
	p := places()[0]
	box, host := newBox(t, p), p.host(t)
	status, err := box.Create(t.Context(), host, spec(t))
	if err != nil {
		t.Fatal(err)
	}
	id := string(status.SandboxID)
	t.Cleanup(func() {
		mine := "--filter label=" + sandboxer.LabelID + "=" + id
		p.sh(t, "docker rm -fv $(docker ps -aq "+mine+"); docker network rm $(docker network ls -q "+mine+"); "+
			"docker volume rm $(docker volume ls -q "+mine+"); docker rmi -f localhost/sandboxer/"+id+"; true")
	})
	s := status.Telemetry.Inventory.Find(status.SandboxID)
	var want []string
	for _, r := range s.Resources {
		want = append(want, fmt.Sprintf("%ss %s:%s", r.Kind, r.Engine, r.Ref))
	}
	for _, port := range status.Ports {
		want = append(want, fmt.Sprintf("ports %s %s:%d", port.Protocol, port.HostIP, port.HostPort))
	}
	want = append(want, "directories "+s.Dir)
	if len(want) != 6 {
		t.Fatalf("got %q of it, want one of each kind", want)
	}

	box.Provisioners = []sandboxer.Provisioner{forgetful{box.Provisioners[0]}}
	box.Collector = relapse{box.Collector, s.Dir}
	gone, err := box.Destroy(t.Context(), host, status.SandboxID)
	if err != nil {
		t.Fatal(err)
	}
	r := gone.Telemetry.Residual
	if r == nil || r.Verdict != sandboxer.Fail {
		t.Fatalf("got residual %+v, want it failed", r)
	}
	slices.Sort(want)
	if !slices.Equal(r.Leaks, want) {
		t.Errorf("leaks: got %q, want %q", r.Leaks, want)
	}
	leakFree := slices.IndexFunc(gone.Conditions, func(c sandboxer.Condition) bool { return c.Type == "LeakFree" })
	if leakFree < 0 || gone.Conditions[leakFree].Status != "False" {
		t.Errorf("got conditions %+v, want LeakFree False", gone.Conditions)
	}
}
