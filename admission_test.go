package sandboxer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// roomy is a host that can take another sandbox.
func roomy() HostSnapshot {
	return HostSnapshot{
		DiskRootAvailBytes: new(int64(50e9)),
		Memory:             Memory{TotalBytes: new(int64(8e9)), AvailableBytes: new(int64(4e9))},
		Filesystems:        []Filesystem{{Path: "/", AvailRatio: new(0.5), InodesTotal: new(int64(1000)), InodesFreeRatio: new(0.5)}},
		Limits:             Limits{PidsUsed: new(int64(100)), PidMax: new(int64(1000))},
		Pressure:           Pressures{Memory: &Pressure{SomeAvg60Ratio: new(0.0)}, IO: &Pressure{SomeAvg60Ratio: new(0.5)}},
		Engines:            []EngineInfo{{Name: EngineDocker, Status: EngineOK}, {Name: EnginePodman, Status: EngineAbsent}},
	}
}

func TestAdmit(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*HostSnapshot)
		verdict AdmissionVerdict
		reasons []string // code and field of each
	}{
		{"room", func(*HostSnapshot) {}, AdmitOK, nil},
		{"nothing known", func(s *HostSnapshot) { *s = HostSnapshot{} }, AdmitUnknown,
			[]string{"missing disk_root_avail_bytes", "missing memory.available_bytes", "missing limits.pids_used"}},
		{"at the bound", func(s *HostSnapshot) { s.Filesystems[0].AvailRatio = new(0.15) }, AdmitOK, nil},
		{"disk low", func(s *HostSnapshot) { s.Filesystems[0].AvailRatio = new(0.149) }, AdmitWarn, []string{"disk_low filesystems[0].avail_ratio"}},
		{"disk full, said once", func(s *HostSnapshot) { s.Filesystems[0].AvailRatio = new(0.04) }, AdmitRefuse, []string{"disk_full filesystems[0].avail_ratio"}},
		{"disk unknown", func(s *HostSnapshot) { s.Filesystems[0].AvailRatio = nil }, AdmitUnknown, []string{"missing filesystems[0].avail_ratio"}},
		{"inodes", func(s *HostSnapshot) { s.Filesystems[0].InodesFreeRatio = new(0.01) }, AdmitRefuse, []string{"inodes_full filesystems[0].inodes_free_ratio"}},
		{"no fixed number of inodes", func(s *HostSnapshot) { s.Filesystems[0].InodesTotal, s.Filesystems[0].InodesFreeRatio = nil, new(0.0) }, AdmitOK, nil},
		{"read-only", func(s *HostSnapshot) { s.Filesystems[0].ReadOnly = new(true) }, AdmitRefuse, []string{"read_only filesystems[0].read_only"}},
		{"memory low", func(s *HostSnapshot) { s.Memory.AvailableBytes = new(int64(799e6)) }, AdmitWarn, []string{"memory_low memory.available_bytes"}},
		{"memory full", func(s *HostSnapshot) { s.Memory.AvailableBytes = new(int64(100<<20 - 1)) }, AdmitRefuse, []string{"memory_full memory.available_bytes"}},
		{"pids", func(s *HostSnapshot) { s.Limits.PidsUsed = new(int64(901)) }, AdmitRefuse, []string{"pids limits.pids_used"}},
		{"pids at the bound", func(s *HostSnapshot) { s.Limits.PidsUsed = new(int64(900)) }, AdmitOK, nil},
		{"conntrack not read", func(s *HostSnapshot) { s.Limits.ConntrackMax = new(int64(10)) }, AdmitUnknown, []string{"missing limits.conntrack_entries"}},
		{"conntrack full", func(s *HostSnapshot) {
			s.Limits.ConntrackEntries, s.Limits.ConntrackMax = new(int64(10)), new(int64(10))
		}, AdmitRefuse, []string{"conntrack limits.conntrack_entries"}},
		{"no pressure information", func(s *HostSnapshot) { s.Pressure = Pressures{} }, AdmitOK, nil},
		{"pressure", func(s *HostSnapshot) { s.Pressure.Memory.SomeAvg60Ratio = new(0.51) }, AdmitWarn, []string{"memory_pressure pressure.memory.some_avg60_ratio"}},
		{"pressure not read", func(s *HostSnapshot) { s.Pressure.IO.SomeAvg60Ratio = nil }, AdmitUnknown, []string{"missing pressure.io.some_avg60_ratio"}},
		{"engine down", func(s *HostSnapshot) { s.Engines[0].Status = EngineDown }, AdmitWarn, []string{"engine_down engines.docker.status"}},
		{"engine not understood", func(s *HostSnapshot) { s.Engines[0].Status = EngineUnknown }, AdmitUnknown, []string{"engine_unknown engines.docker.status"}},
		{"what is known to be worse wins", func(s *HostSnapshot) {
			s.DiskRootAvailBytes, s.Limits.PidsUsed, s.Engines[0].Status = nil, new(int64(999)), EngineDown
		}, AdmitRefuse, []string{"missing disk_root_avail_bytes", "pids limits.pids_used", "engine_down engines.docker.status"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := roomy()
			tt.change(&s)
			got := Admit(s)
			if got.Verdict != tt.verdict {
				t.Errorf("got verdict %s, want %s: %+v", got.Verdict, tt.verdict, got.Reasons)
			}
			var reasons []string
			for _, r := range got.Reasons {
				reasons = append(reasons, r.Code+" "+r.Field)
				if r.Message == "" || (r.Observed == nil) != (r.Threshold == nil) {
					t.Errorf("got %+v, want a message, and a threshold just where there is a value", r)
				}
			}
			if diff := cmp.Diff(tt.reasons, reasons); diff != "" {
				t.Errorf("reasons, -want +got:\n%s", diff)
			}
			if got.Reasons == nil {
				t.Error("got null reasons, want an empty list")
			}
		})
	}
}

// The value and what it was held against are in the unit of the field.
func TestAdmitUnits(t *testing.T) {
	s := roomy()
	s.Limits.PidsUsed = new(int64(950))
	if r := Admit(s).Reasons[0]; *r.Observed != 950 || *r.Threshold != 900 {
		t.Errorf("got %v held against %v, want 950 against 900 process ids", *r.Observed, *r.Threshold)
	}
}
