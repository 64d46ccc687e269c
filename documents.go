package sandboxer

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
