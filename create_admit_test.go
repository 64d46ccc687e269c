package sandboxer_test

import (
	"context"
	"errors"
	"testing"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
)

// exhausted is a Collector on whose host there is next to no memory left.
type exhausted struct{}

func (exhausted) Collect(ctx context.Context, host sandboxer.Host, opts sandboxer.CollectOptions) (sandboxer.Observation, error) {
	obs, err := probe.Collector{}.Collect(ctx, host, opts)
	obs.Snapshot.Memory.AvailableBytes = new(int64(1 << 20))
	return obs, err
}

// A host that can take no more gets no more, unless that is asked for, and then
// it is on record.
func TestCreateIsRefused(t *testing.T) {
	w := newWorld(t, dummy{})
	w.box.Collector = exhausted{}
	spec := dummySpec()
	status, err := w.box.Create(t.Context(), w.host, spec)
	var refused *sandboxer.RefusedError
	if !errors.As(err, &refused) || !refused.Has("memory_full") || refused.Hint == "" {
		t.Errorf("got %v, want it refused for memory_full, with a hint", err)
	}
	if a := status.Telemetry.Admission; a.Verdict != sandboxer.AdmitRefuse || a.Overridden {
		t.Errorf("got admission %+v, want the refusal", a)
	}
	w.empty("after the refusal")

	spec.Force = true
	status, err = w.box.Create(t.Context(), w.host, spec)
	if err != nil || !status.Telemetry.Admission.Overridden {
		t.Fatalf("forced: got %v, admission %+v, want it created and that said", err, status.Telemetry.Admission)
	}
	w.box.Collector = probe.Collector{}
	later, err := w.box.Status(t.Context(), w.host, status.SandboxID)
	if err != nil || !later.Telemetry.Admission.Overridden {
		t.Errorf("later: got %v, admission %+v, want it on record", err, later.Telemetry.Admission)
	}
	if _, err := w.box.Destroy(t.Context(), w.host, status.SandboxID); err != nil {
		t.Error(err)
	}
}
