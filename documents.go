package sandboxer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

// NewSnapshotDocument wraps what Inspect saw of a host's numbers.
func (b *Sandboxer) NewSnapshotDocument(host Host, obs Observation) (SnapshotDocument, error) {
	h, err := b.documentHeader(host, KindHostSnapshot, obs)
	return SnapshotDocument{Header: h, HostSnapshot: obs.Snapshot, Admission: Admit(obs.Snapshot)}, err
}

// NewInventoryDocument wraps what Inspect saw of a host's sandboxes.
func (b *Sandboxer) NewInventoryDocument(host Host, obs Observation) (InventoryDocument, error) {
	h, err := b.documentHeader(host, KindInventory, obs)
	return InventoryDocument{Header: h, Inventory: obs.Inventory}, err
}

// NewStaleDocument wraps what FindStale found in obs.
func (b *Sandboxer) NewStaleDocument(host Host, obs Observation, report StaleReport) (StaleDocument, error) {
	h, err := b.documentHeader(host, KindStaleReport, obs)
	return StaleDocument{Header: h, StaleReport: report}, err
}

// NewReapPlanDocument wraps what PlanReap made of obs.
func (b *Sandboxer) NewReapPlanDocument(host Host, obs Observation, plan ReapPlan) (ReapPlanDocument, error) {
	h, err := b.documentHeader(host, KindReapPlan, obs)
	if err != nil {
		return ReapPlanDocument{}, err
	}
	digest, err := plan.digest()
	return ReapPlanDocument{Header: h, ReapPlan: plan, Digest: digest}, err
}

// NewReapResultDocument wraps what became of a plan that was made of obs.
func (b *Sandboxer) NewReapResultDocument(host Host, obs Observation, result ReapResult) (ReapResultDocument, error) {
	h, err := b.documentHeader(host, KindReapResult, obs)
	return ReapResultDocument{Header: h, ReapResult: result}, err
}

// NewAlertDocument wraps one alert that obs gave.
func (b *Sandboxer) NewAlertDocument(host Host, obs Observation, alert Alert) (AlertDocument, error) {
	h, err := b.documentHeader(host, KindAlert, obs)
	return AlertDocument{Header: h, Alert: alert}, err
}

// NewDoctorReport wraps what Doctor found in obs.
func (b *Sandboxer) NewDoctorReport(host Host, obs Observation) (DoctorReport, error) {
	h, err := b.documentHeader(host, KindDoctorReport, obs)
	return DoctorReport{Header: h, Findings: Doctor(obs, b.Provisioners)}, err
}

// NewErrorDocument wraps an error about the host of that name.
func (b *Sandboxer) NewErrorDocument(host string, info ErrorInfo) (ErrorDocument, error) {
	h, err := b.documentHeader(namedHost{name: host}, KindError, Observation{})
	return ErrorDocument{Header: h, Error: info}, err
}

// NewStatusList wraps the statuses of several sandboxes of a host.
func (b *Sandboxer) NewStatusList(host Host, items []SandboxStatus, errs []ErrorInfo) (SandboxStatusList, error) {
	h, err := b.documentHeader(host, KindSandboxStatusList, Observation{})
	return SandboxStatusList{Header: h, Items: append([]SandboxStatus{}, items...), Errors: append([]ErrorInfo{}, errs...)}, err
}

// NewSnapshotList wraps the snapshots of several hosts, and the errors of those
// that gave none. The items get its run_id, in a copy; its host is the machine
// that runs this.
func (b *Sandboxer) NewSnapshotList(items []SnapshotDocument, errs []ErrorInfo) (HostSnapshotList, error) {
	h, err := b.listHeader(KindHostSnapshotList)
	list := HostSnapshotList{Header: h, Items: append([]SnapshotDocument{}, items...), Errors: append([]ErrorInfo{}, errs...)}
	for i := range list.Items {
		list.Items[i].RunID = h.RunID
	}
	return list, err
}

// NewInventoryList wraps the inventories of several hosts as NewSnapshotList
// does their snapshots.
func (b *Sandboxer) NewInventoryList(items []InventoryDocument, errs []ErrorInfo) (InventoryList, error) {
	h, err := b.listHeader(KindInventoryList)
	list := InventoryList{Header: h, Items: append([]InventoryDocument{}, items...), Errors: append([]ErrorInfo{}, errs...)}
	for i := range list.Items {
		list.Items[i].RunID = h.RunID
	}
	return list, err
}

// NewStaleList wraps the stale reports of several hosts as NewSnapshotList
// does their snapshots.
func (b *Sandboxer) NewStaleList(items []StaleDocument, errs []ErrorInfo) (StaleReportList, error) {
	h, err := b.listHeader(KindStaleReportList)
	list := StaleReportList{Header: h, Items: append([]StaleDocument{}, items...), Errors: append([]ErrorInfo{}, errs...)}
	for i := range list.Items {
		list.Items[i].RunID = h.RunID
	}
	return list, err
}

// listHeader makes the header of a document about several hosts. It is about
// none of them alone, so it names this machine, as package localhost does.
func (b *Sandboxer) listHeader(kind Kind) (Header, error) {
	var here Observation
	if name, err := os.Hostname(); err == nil {
		here.Snapshot.Identity.Hostname = &name
	}
	return b.documentHeader(namedHost{name: "local"}, kind, here)
}

func (b *Sandboxer) documentHeader(host Host, kind Kind, obs Observation) (Header, error) {
	run, err := b.token(8)
	if err != nil {
		return Header{}, err
	}
	return b.header(host, kind, run, &obs.Snapshot)
}

// A namedHost is only a name: of a host that could not be reached.
type namedHost struct {
	Host
	name string
}

func (h namedHost) Name() string { return h.name }

// header makes the header of a document about host.
func (b *Sandboxer) header(host Host, kind Kind, runID string, snap *HostSnapshot) (Header, error) {
	id, err := b.token(8)
	if err != nil {
		return Header{}, err
	}
	h := Header{
		Schema: SchemaBase + kind.SchemaFile(), SchemaVersion: SchemaVersion, Kind: kind,
		ReportID: id, RunID: runID, GeneratedAt: b.now().UTC(), Producer: b.producer(),
		Host: HostRef{Name: host.Name()},
	}
	if snap != nil {
		h.Host.Hostname, h.Host.MachineID = snap.Identity.Hostname, snap.Identity.MachineID
	}
	return h, nil
}

func (b *Sandboxer) producer() Producer {
	if b.Producer != (Producer{}) {
		return b.Producer
	}
	return ThisProducer()
}

// ThisProducer names this module, with the version and the commit that the Go
// toolchain stamped into the running program: "devel" and "unknown" where it
// did not.
func ThisProducer() Producer {
	p := Producer{Name: "sandboxer", Version: "devel", Commit: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return p
	}
	const module = "github.com/tegwick/sand-boxer"
	for _, m := range append([]*debug.Module{&info.Main}, info.Deps...) {
		if m.Path == module && m.Version != "" && m.Version != "(devel)" {
			p.Version = m.Version
		}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && info.Main.Path == module {
			p.Commit = s.Value
		}
	}
	return p
}

// export hands the finished status to the exporter and notes what it said.
func (b *Sandboxer) export(ctx context.Context, host Host, status SandboxStatus) (SandboxStatus, error) {
	if b.Exporter == nil {
		return status, nil
	}
	keeper, keeps := b.Exporter.(ArtifactExporter)
	if keeps {
		if path := keeper.Artifact(status); path != "" {
			status.Artifacts = []Artifact{{Path: path}}
		}
	}
	err := b.Exporter.Export(ctx, status)
	if several, ok := b.Exporter.(OutcomeExporter); ok {
		status.Export = several.Outcomes(err)
	} else {
		status.Export = []ExportOutcome{{Sink: "exporter", Status: "done"}}
		if err != nil {
			status.Export[0].Status, status.Export[0].Error = "failed", new(err.Error())
			status.Artifacts = []Artifact{}
		}
	}
	if err != nil {
		b.logger().Warn("export", "host", host.Name(), "error", err)
		return status, &ExportError{Err: err}
	}
	return status, nil
}

// encodeReport returns a status as it is stored and exported.
func encodeReport(s SandboxStatus) ([]byte, error) {
	s.Export = nil
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return buf.Bytes(), nil
}
