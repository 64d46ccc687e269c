package sandboxer_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	sandboxer "github.com/tegwick/sand-boxer"
)

// A priced collector counts how often it was asked what a sandbox has used.
type priced struct {
	sandboxer.Collector
	seconds float64
}

func (c *priced) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := c.Collector.Collect(ctx, host, opts)
	if obs.Cost != nil {
		c.seconds++
		obs.Cost.CPUSeconds = new(c.seconds)
	}
	return obs, err
}

// What a sandbox used is known when its create has come to its end, and when
// its destroy begins; after that there is nothing to ask.
func TestCostOfASandbox(t *testing.T) {
	w := newWorld(t, dummy{})
	made, err := w.box.Create(t.Context(), w.host, dummySpec())
	if err != nil {
		t.Fatal(err)
	}
	want := &sandboxer.SandboxCost{
		Source: "none", Containers: []sandboxer.ContainerCost{}, Missing: []sandboxer.Missing{{Field: "sandbox", Reason: "unsupported"}},
	}
	if diff := cmp.Diff(want, made.Telemetry.ProvisionDelta.Sandbox); diff != "" {
		t.Errorf("a process has no control group (-want +got):\n%s", diff)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, made.SandboxID); err != nil {
		t.Fatal(err)
	}

	w.box.Collector = &priced{Collector: w.box.Collector}
	if made, err = w.box.Create(t.Context(), w.host, dummySpec()); err != nil {
		t.Fatal(err)
	}
	gone, err := w.box.Destroy(t.Context(), w.host, made.SandboxID)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		name string
		*sandboxer.Delta
		want float64
	}{{"provision_delta", made.Telemetry.ProvisionDelta, 1}, {"provision_delta after all", gone.Telemetry.ProvisionDelta, 1}, {"destroy_delta", gone.Telemetry.DestroyDelta, 2}} {
		if got := d.Sandbox; got == nil || got.CPUSeconds == nil || *got.CPUSeconds != d.want {
			t.Errorf("%s: got sandbox %+v, want cpu_seconds %v", d.name, got, d.want)
		}
	}
}
