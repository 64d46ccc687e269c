package schema_test

import (
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
)

// The samples tell one story: a canary is created on a host with docker, and
// destroyed again. Somebody else's compose project runs there, and somebody
// has made a directory by hand.
const (
	sampleID sandboxer.ID = "canary-4k9x0q2m7t3b"

	sampleRoot  = "/tmp/sandboxer"
	sampleOwner = "deploy"
	container   = "5f1c9a3b7d2e4f60819283a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8"
	network     = "0c7d1e2f3a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5"
	image       = "sha256:9a8b7c6d5e4f30211203f4e5d6c7b8a990817263544536271809fafbfcfdfeff"
)

var sampleTime = time.Date(2026, time.March, 4, 9, 30, 0, 0, time.UTC)

func at(seconds int) *time.Time { return new(sampleTime.Add(time.Duration(seconds) * time.Second)) }

func sampleHeader(kind sandboxer.Kind, reportID string) sandboxer.Header {
	return sandboxer.Header{
		Schema:        sandboxer.SchemaBase + kind.SchemaFile(),
		SchemaVersion: sandboxer.SchemaVersion,
		Kind:          kind,
		ReportID:      reportID,
		RunID:         "3f9d0c5be17a2468",
		GeneratedAt:   *at(31),
		Producer:      sandboxer.Producer{Name: "sandboxer", Version: "v0.1.0", Commit: "071cce1d5a1b2c3d4e5f60718293a4b5c6d7e8f9"},
		Host:          sandboxer.HostRef{Name: "coulombcore", Hostname: new("coulombcore"), MachineID: new("b2f4c1d09e7a8635")},
	}
}

// sampleListHeader is that of a document about several hosts, made on a
// machine that is none of them.
func sampleListHeader(kind sandboxer.Kind, reportID string) sandboxer.Header {
	h := sampleHeader(kind, reportID)
	h.Host = sandboxer.HostRef{Name: "local", Hostname: new("laptop")}
	return h
}

// sampleSnapshot is the host some seconds into the story, with the canary or
// without.
func sampleSnapshot(seconds int, canary bool) sandboxer.HostSnapshot {
	s := sandboxer.HostSnapshot{
		ObservedAt:         at(seconds),
		ClockOffsetMS:      new(int64(12)),
		ClockUncertaintyMS: new(int64(9)),
		DiskRootAvailGB:    new(38.214),
		DiskRootAvailBytes: new(int64(38_214_303_744)),
		DiskRootAvailRatio: new(0.453),
		Collection: sandboxer.Collection{
			DurationMS: new(int64(61)), ScriptVersion: new("c41f09aa"), Bytes: new(int64(18_402)),
			Missing:  []sandboxer.Missing{{Field: "limits.conntrack_max", Reason: "absent"}, {Field: "limits.conntrack_entries", Reason: "absent"}},
			Warnings: []string{},
		},
		Identity: sandboxer.Identity{
			Hostname: new("coulombcore"), MachineID: new("b2f4c1d09e7a8635"), BootID: new("7f0f7d1e-52d3-4f0c-9c51-8d0d3a0c1b2e"),
			BootAt: at(-864_000), UptimeSeconds: new(864_000.0 + float64(seconds)), KernelRelease: new("6.1.0-28-amd64"),
			OSID: new("debian"), OSVersionID: new("12"), OSPrettyName: new("Debian GNU/Linux 12 (bookworm)"), Arch: new("amd64"),
			CgroupVersion: new(int64(2)), Virtualization: new("QEMU Standard PC"), RebootRequired: new(false), User: new(sampleOwner), UID: new(int64(1000)),
		},
		CPU: sandboxer.CPU{
			LogicalCount: new(int64(4)), BusySecondsTotal: new(81_204.5 + 0.4*float64(seconds)), IdleSecondsTotal: new(3_372_000.0 + 3.5*float64(seconds)),
			IowaitSecondsTotal: new(1_204.2), StealSecondsTotal: new(0.0), ContextSwitchesTotal: new(int64(912_345_678 + 900*seconds)),
			ForksTotal: new(int64(4_410_021 + 3*seconds)), ProcsRunning: new(int64(2)), ProcsBlocked: new(int64(0)),
		},
		Load: sandboxer.Load{Load1: new(0.42), Load5: new(0.38), Load15: new(0.31), Load1PerCPU: new(0.105)},
		Pressure: sandboxer.Pressures{
			CPU:    samplePressure(402_113_874),
			Memory: samplePressure(1_204),
			IO:     samplePressure(88_120_431),
		},
		Memory: sandboxer.Memory{
			TotalBytes: new(int64(8_326_901_760)), AvailableBytes: new(int64(5_912_453_120)), FreeBytes: new(int64(1_220_018_176)),
			AnonBytes: new(int64(1_804_189_696)), DirtyBytes: new(int64(1_409_024)), SwapTotalBytes: new(int64(2_147_479_552)),
			SwapFreeBytes: new(int64(2_147_479_552)), SwapInPagesTotal: new(int64(0)), SwapOutPagesTotal: new(int64(0)),
			MajorFaultsTotal: new(int64(21_430)), OOMKillsTotal: new(int64(0)),
		},
		Filesystems: []sandboxer.Filesystem{{
			Roles: []string{"root", "sandbox_root", "tmp", "docker_root"}, Path: "/", DeviceID: new("254:1"), FSType: new("ext4"),
			TotalBytes: new(int64(84_281_384_960)), FreeBytes: new(int64(42_431_275_008)), AvailBytes: new(int64(38_214_303_744)), AvailRatio: new(0.453),
			InodesTotal: new(int64(5_242_880)), InodesFree: new(int64(4_801_220)), InodesFreeRatio: new(0.916), ReadOnly: new(false),
		}},
		Limits: sandboxer.Limits{
			FDsAllocated: new(int64(2_816)), PidsUsed: new(int64(402)), PidMax: new(int64(4_194_304)),
			ThreadsMax: new(int64(63_408)), ProcessesCount: new(int64(148)),
		},
		Network: sandboxer.Network{SocketsUsed: new(int64(214)), TCPInUse: new(int64(9)), TCPTimeWait: new(int64(1))},
		Engines: []sandboxer.EngineInfo{
			{
				Name: sandboxer.EngineDocker, Status: sandboxer.EngineOK, Version: new("20.10.24+dfsg1"), APIVersion: new("1.41"),
				ResponseMS: new(int64(38)), Rootless: new(false), RootDir: new("/var/lib/docker"), StorageDriver: new("overlay2"), CgroupDriver: new("systemd"),
				ComposeTools: []string{"docker compose"}, ContainersRunning: new(int64(1)), ContainersPaused: new(int64(0)), ContainersStopped: new(int64(0)),
				ImagesCount: new(int64(2)), VolumesCount: new(int64(1)), NetworksCount: new(int64(4)),
			},
			{Name: sandboxer.EnginePodman, Status: sandboxer.EngineAbsent, ComposeTools: []string{}},
			{Name: sandboxer.EngineProcess, Status: sandboxer.EngineOK, ComposeTools: []string{}},
		},
		Objects: sandboxer.ObjectSets{
			sandboxer.Containers: {}, sandboxer.Networks: {}, sandboxer.Volumes: {}, sandboxer.Images: {},
			sandboxer.Mounts: {"/"}, sandboxer.Ports: {"tcp 0.0.0.0:22"}, sandboxer.Directories: {sampleRoot + "/fake99"}, sandboxer.Processes: {},
		},
	}
	if canary {
		addCanary(&s)
	}
	return s
}

func samplePressure(stall int64) *sandboxer.Pressure {
	return &sandboxer.Pressure{
		SomeAvg10Ratio: new(0.0112), SomeAvg60Ratio: new(0.0087), SomeAvg300Ratio: new(0.0061), SomeStallUSTotal: &stall,
		FullAvg10Ratio: new(0.0), FullAvg60Ratio: new(0.0), FullAvg300Ratio: new(0.0), FullStallUSTotal: new(int64(0)),
	}
}

func addCanary(s *sandboxer.HostSnapshot) {
	s.Load.Load1, s.Load.Load1PerCPU = new(0.54), new(0.135)
	s.Memory.AvailableBytes = new(int64(5_864_218_624))
	s.DiskRootAvailGB, s.DiskRootAvailBytes = new(38.197), new(int64(38_197_002_240))
	s.Filesystems[0].AvailBytes, s.Filesystems[0].FreeBytes = s.DiskRootAvailBytes, new(int64(42_413_973_504))
	s.Limits.ProcessesCount = new(int64(150))
	s.Memory.OOMKillsTotal = new(int64(1)) // the canary's own, to see its limit enforced
	docker := &s.Engines[0]
	docker.ContainersRunning, docker.ImagesCount = new(int64(2)), new(int64(3))
	docker.VolumesCount, docker.NetworksCount = new(int64(2)), new(int64(5))
	add := func(kind sandboxer.ObjectKind, what string) { s.Objects[kind] = append(s.Objects[kind], what) }
	add(sandboxer.Containers, "docker:"+container)
	add(sandboxer.Networks, "docker:"+network)
	add(sandboxer.Volumes, "docker:"+string(sampleID)+"_data")
	add(sandboxer.Images, "docker:"+image)
	add(sandboxer.Ports, "tcp 127.0.0.1:49153")
	add(sandboxer.Directories, sampleRoot+"/"+string(sampleID))
}

// sampleNoise is what the host was seen to do by itself the day before.
func sampleNoise() sandboxer.NoiseHistory {
	h := sandboxer.NoiseHistory{MachineID: "b2f4c1d09e7a8635", BootID: "7f0f7d1e-52d3-4f0c-9c51-8d0d3a0c1b2e"}
	for i := range sandboxer.MinNoisePairs {
		n := float64(i)
		h.Pairs = append(h.Pairs, sandboxer.NoisePair{At: *at(-86_400 + 40*i), ElapsedMS: 40_000, Deltas: map[string]float64{
			"load1": 0.01 * n, "cpu_busy_seconds_total": 15 + 0.25*n, "pressure_cpu_some_stall_us_total": 4_000 * n,
			"pressure_memory_some_stall_us_total": 0, "pressure_io_some_stall_us_total": 900 * n, "memory_available_bytes": 1_048_576 * n,
			"swap_free_bytes": 0, "disk_root_avail_bytes": 65_536 * n, "containers_running": 0, "processes_count": float64(i % 3), "oom_kills_total": 0,
		}})
	}
	return h
}

func sampleBaseline() sandboxer.BaselineDocument {
	doc, err := new(sandboxer.Sandboxer).NewBaselineDocument(localhost.Host{}, sampleNoise(), 40*time.Second, sandboxer.MinNoisePairs)
	if err != nil {
		panic(err)
	}
	doc.Header = sampleHeader(sandboxer.KindBaseline, "c43b2a1d5e6f7081")
	return doc
}

func samplePorts() []sandboxer.Port {
	return []sandboxer.Port{{Service: "canary", Protocol: "tcp", HostIP: "127.0.0.1", HostPort: 49153, ContainerPort: 8080}}
}

func sampleInventory() sandboxer.Inventory {
	resource := func(kind sandboxer.ResourceKind, ref, name string) sandboxer.Resource {
		return sandboxer.Resource{Engine: sandboxer.EngineDocker, Kind: kind, Ref: ref, Name: name, SandboxID: new(sampleID)}
	}
	running := resource(sandboxer.KindContainer, container, string(sampleID)+"-canary-1")
	running.Service, running.State, running.StartedAt = new("canary"), new("running"), at(28)
	return sandboxer.Inventory{
		Root: sampleRoot, RootState: sandboxer.RootOK, Complete: true,
		Sources: []sandboxer.Source{
			{Name: "directories", Status: sandboxer.SourceComplete},
			{Name: "registry", Status: sandboxer.SourceComplete},
			{Name: "docker", Status: sandboxer.SourceComplete},
			{Name: "podman", Status: sandboxer.SourceAbsent},
			{Name: "processes", Status: sandboxer.SourceComplete},
		},
		Sandboxes: []sandboxer.Sandbox{{
			SandboxID: sampleID, Profile: new("profile.sandbox-canary"), State: sandboxer.StateReady, Engine: new(sandboxer.EngineDocker),
			Owner:     &sandboxer.Owner{User: sampleOwner, UID: 1000, Controller: "ana@laptop"},
			CreatedAt: at(2), ExpiresAt: at(14_402),
			Hold: &sandboxer.Hold{Until: at(7_200), Reason: "to be looked at", By: "ana@laptop", At: *at(60)}, LastActiveAt: at(28), Locked: new(false),
			Dir: sampleRoot + "/" + string(sampleID), DirPresent: new(true), Metadata: sandboxer.RecordOK, Registry: sandboxer.RecordOK,
			Resources: []sandboxer.Resource{
				running,
				resource(sandboxer.KindNetwork, network, string(sampleID)+"_default"),
				resource(sandboxer.KindVolume, string(sampleID)+"_data", string(sampleID)+"_data"),
				resource(sandboxer.KindImage, image, "localhost/sandboxer/"+string(sampleID)),
			},
			Ports:    samplePorts(),
			Evidence: sandboxer.Evidence{Record: &sandboxer.Record{SandboxID: sampleID, Engine: sandboxer.EngineDocker, State: sandboxer.StateReady}},
		}},
		Directories: []sandboxer.Directory{{
			Name: "fake99", Path: sampleRoot + "/fake99", Kind: "directory", OwnerUID: new(int64(1000)), Own: true, ValidID: true, LastChange: at(-7_200),
		}},
		ComposeProjects: []sandboxer.ComposeProject{
			{
				Engine: sandboxer.EngineDocker, Name: string(sampleID), WorkingDir: new(sampleRoot + "/" + string(sampleID)), Services: []string{"canary"},
				ContainersTotal: 1, ContainersRunning: 1, NetworksTotal: 1, VolumesTotal: 1, SandboxID: new(sampleID),
			},
			{Engine: sandboxer.EngineDocker, Name: "wiki", WorkingDir: new("/srv/wiki"), Services: []string{"web"}, ContainersTotal: 1, ContainersRunning: 1, NetworksTotal: 1, VolumesTotal: 1},
		},
		Leftovers: []sandboxer.Resource{},
	}
}

func sampleObservation() sandboxer.Observation {
	return sandboxer.Observation{Snapshot: sampleSnapshot(30, true), Inventory: sampleInventory()}
}

func sampleCanary() *sandboxer.CanaryResult {
	result := &sandboxer.CanaryResult{DurationMS: new(int64(412)), Isolation: new("container")}
	for _, c := range []sandboxer.CanaryCheck{
		{Name: sandboxer.CheckStartLatency, Status: sandboxer.Pass, Value: new(640.0), Unit: new("ms"), Threshold: new(10_000.0), Message: "the program ran 640 ms after its start was asked for"},
		{Name: sandboxer.CheckWriteFsync, Status: sandboxer.Pass, DurationMS: new(int64(96)), Value: new(4.8), Unit: new("ms"), Threshold: new(100.0), Message: "median of 20 writes of 4 KiB, each flushed to the disk"},
		{Name: sandboxer.CheckMemoryLimit, Status: sandboxer.Pass, DurationMS: new(int64(151)), Message: "a child that took more than 64 MiB was killed"},
		{Name: sandboxer.CheckIsolation, Status: sandboxer.Pass, DurationMS: new(int64(1)), Message: "own pid, mount and network namespaces, no capabilities, no engine socket"},
		{Name: sandboxer.CheckClockSkew, Status: sandboxer.Pass, Value: new(12.0), Unit: new("ms"), Threshold: new(5_000.0), Message: "clocks of host and controller are 12 ms apart"},
		{Name: sandboxer.CheckPublishedPort, Status: sandboxer.Pass, DurationMS: new(int64(6)), Message: "127.0.0.1:49153 answers on the host"},
	} {
		result.Add(c)
	}
	return result
}

// sampleCost is that of one container, on a kernel without pids.peak.
func sampleCost(cpuSeconds float64) *sandboxer.SandboxCost {
	used := sandboxer.Usage{
		CPUSeconds: &cpuSeconds, CPUUserSeconds: new(cpuSeconds - 0.06), CPUSystemSeconds: new(0.06),
		CPUPeriods: new(int64(120)), CPUPeriodsThrottled: new(int64(2)), CPUThrottledSeconds: new(0.021),
		MemoryCurrentBytes: new(int64(6_447_104)), MemoryAnonBytes: new(int64(5_111_808)), MemoryPeakBytes: new(int64(9_125_888)),
		PidsCurrent: new(int64(9)), IOReadBytes: new(int64(0)), IOWriteBytes: new(int64(81_920)), IOReadOps: new(int64(0)), IOWriteOps: new(int64(20)),
		OOMKills: new(int64(1)),
	}
	return &sandboxer.SandboxCost{
		Usage: used, Source: "cgroup_v2",
		Containers: []sandboxer.ContainerCost{{Ref: container, Name: string(sampleID) + "-canary-1", Service: new("canary"), Usage: used}},
		Missing:    []sandboxer.Missing{{Field: "sandbox.pids_peak", Reason: "unsupported"}, {Field: "sandbox.containers[0].pids_peak", Reason: "unsupported"}},
	}
}

func sampleReport() sandboxer.IntrospectionReport {
	before, after, gone := sampleSnapshot(0, false), sampleSnapshot(30, true), sampleSnapshot(95, false)
	gone.Memory.OOMKillsTotal = after.Memory.OOMKillsTotal
	provision, destroy := sampleNoise().Diff(before, after), sampleNoise().Diff(after, gone)
	provision.Settled, destroy.Settled = new(true), new(true)
	provision.Sandbox, destroy.Sandbox = sampleCost(0.31), sampleCost(0.44)
	return sandboxer.IntrospectionReport{
		Before: &before, After: &after, ProvisionDelta: &provision, DestroyDelta: &destroy,
		Residual: &sandboxer.Residual{
			Verdict: sandboxer.Pass, Leaks: []string{}, Objects: map[sandboxer.ObjectKind]sandboxer.ObjectDelta{},
		},
		Inventory:       new(sampleInventory()),
		StaleCandidates: sandboxer.FindStale(sampleObservation(), sandboxer.StalePolicy{}).StaleCandidates,
		Canary:          sampleCanary(),
		Admission:       sandboxer.Admit(after),
	}
}

func sampleStatus() sandboxer.SandboxStatus {
	return sandboxer.SandboxStatus{
		Header: sampleHeader(sandboxer.KindSandboxStatus, "d0c5be17a2468f93"), SandboxID: sampleID, Profile: "profile.sandbox-canary",
		State: sandboxer.StateDestroyed, Engine: new(sandboxer.EngineDocker), Ports: []sandboxer.Port{}, CreatedAt: at(2), ExpiresAt: at(14_402),
		Telemetry: sampleReport(),
		Conditions: []sandboxer.Condition{
			{Type: "Provisioned", Status: "False", Reason: "destroyed"},
			{Type: "HostHealthy", Status: "True", Reason: "ok"},
			{Type: "CanaryPassed", Status: "True", Reason: "pass"},
			{Type: "LeakFree", Status: "True", Reason: "pass"},
		},
		Artifacts: []sandboxer.Artifact{{Path: "/home/ana/.local/share/sandboxer/telemetry/" + string(sampleID) + ".json"}},
	}
}

func samplePlan() sandboxer.ReapPlan {
	obs := sampleObservation()
	plan := sandboxer.PlanReap(obs, sandboxer.FindStale(obs, sandboxer.StalePolicy{OlderThan: time.Hour, AllowYoung: true}))
	plan.Candidates = []sandboxer.ReapCandidate{{
		SandboxID: new(sampleID), Ref: string(sampleID), Profile: new("profile.sandbox-canary"), Engine: new(sandboxer.EngineDocker),
		Class: sandboxer.Expired, Detail: "its TTL passed at 2026-11-23T23:00:00Z", AgeSeconds: new(90_000.0),
		Resources: []string{"container " + string(sampleID) + "-canary-1", "network " + string(sampleID) + "_default"},
		Evidence:  "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
	}}
	return plan
}

// samplePlanDocument is one that can be read back.
func samplePlanDocument() sandboxer.ReapPlanDocument {
	doc, err := new(sandboxer.Sandboxer).NewReapPlanDocument(localhost.Host{}, sandboxer.Observation{}, samplePlan())
	if err != nil {
		panic(err)
	}
	doc.Header = sampleHeader(sandboxer.KindReapPlan, "811a2b3c4d5e6f70")
	return doc
}

func sampleReaped() sandboxer.ReapResult {
	plan := samplePlan()
	return sandboxer.ReapResult{
		Policy: plan.Policy, Complete: true, RemovedCount: 1, SkippedCount: 1,
		Items: []sandboxer.ReapItem{
			{SandboxID: new(sampleID), Ref: string(sampleID), Class: sandboxer.Expired, Result: sandboxer.ReapRemoved, Remains: []string{}},
			{
				Ref: "fake99", Class: sandboxer.Unclaimed, Result: sandboxer.ReapSkipped,
				Code: new("mount_present"), Message: new("something is mounted in /tmp/sandboxer/fake99"), Remains: []string{},
			},
		},
		DestroyDelta: sampleReport().DestroyDelta, StaleCandidates: plan.Kept,
	}
}

func sampleAudit() sandboxer.AuditLog {
	line := sandboxer.AuditEntry{
		At: *at(2), Act: "create", Result: "ready", SandboxID: new(sampleID), Profile: new("profile.sandbox-canary"), Engine: new(sandboxer.EngineDocker),
		User: sampleOwner, Controller: "ana@laptop", Why: "asked for",
		Evidence: new("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), OpID: new("d0c5be17a2468f93"),
	}
	removed := line
	removed.At, removed.Act, removed.Result, removed.OpID = *at(90_000), "reap", "removed", new("3f9d0c5be17a2468")
	removed.Why, removed.ApprovedBy = "expired: its TTL passed at 2026-03-05T09:30:00Z", new("ann")
	return sandboxer.AuditLog{Complete: true, Entries: []sandboxer.AuditEntry{line, removed}}
}

// samples returns one document of each kind.
func samples() []sandboxer.Document {
	obs := sampleObservation()
	notFound := sandboxer.ErrorInfo{
		Code: "not_found", Message: "wiki-test: no such sandbox", Hint: new("sandboxer list shows those there are"),
		Host: new("coulombcore"), Reasons: []sandboxer.Reason{}, Log: []string{},
	}
	failed := sandboxer.ErrorInfo{
		Code: "failed", Message: "create: start: docker: address already in use", Host: new("coulombcore"), Phase: new(string(sandboxer.PhaseStart)),
		Reasons: []sandboxer.Reason{}, Log: []string{"listen tcp 127.0.0.1:8080: bind: address already in use"},
	}
	unreachable := sandboxer.ErrorInfo{
		Code: "unreachable", Message: "faraday: dial: connect: connection refused", Host: new("faraday"),
		Hint:    new("nothing listens on port 22 of faraday: is sshd running there, is Port right in ~/.ssh/config?"),
		Reasons: []sandboxer.Reason{}, Log: []string{},
	}
	snapshot := sandboxer.SnapshotDocument{
		Header:       sampleHeader(sandboxer.KindHostSnapshot, "1a2b3c4d5e6f7081"),
		HostSnapshot: obs.Snapshot, Admission: sandboxer.Admit(obs.Snapshot),
	}
	inventory := sandboxer.InventoryDocument{Header: sampleHeader(sandboxer.KindInventory, "2b3c4d5e6f70811a"), Inventory: obs.Inventory}
	stale := sandboxer.StaleDocument{
		Header: sampleHeader(sandboxer.KindStaleReport, "3c4d5e6f70811a2b"), StaleReport: sandboxer.FindStale(obs, sandboxer.StalePolicy{}),
	}
	return []sandboxer.Document{
		snapshot, inventory, stale,
		sandboxer.HostSnapshotList{
			Header: sampleListHeader(sandboxer.KindHostSnapshotList, "a32b3c4d5e6f7081"),
			Items:  []sandboxer.SnapshotDocument{snapshot}, Errors: []sandboxer.ErrorInfo{unreachable},
		},
		sandboxer.InventoryList{
			Header: sampleListHeader(sandboxer.KindInventoryList, "b43c4d5e6f70811a"),
			Items:  []sandboxer.InventoryDocument{inventory}, Errors: []sandboxer.ErrorInfo{unreachable},
		},
		sandboxer.StaleReportList{
			Header: sampleListHeader(sandboxer.KindStaleReportList, "c54d5e6f70811a2b"),
			Items:  []sandboxer.StaleDocument{stale}, Errors: []sandboxer.ErrorInfo{unreachable},
		},
		sampleStatus(),
		sandboxer.SandboxStatusList{
			Header: sampleHeader(sandboxer.KindSandboxStatusList, "4d5e6f70811a2b3c"),
			Items:  []sandboxer.SandboxStatus{sampleStatus()}, Errors: []sandboxer.ErrorInfo{notFound},
		},
		sandboxer.IntrospectionDocument{Header: sampleHeader(sandboxer.KindIntrospectionReport, "5e6f70811a2b3c4d"), IntrospectionReport: sampleReport()},
		sampleBaseline(),
		sandboxer.DoctorReport{Header: sampleHeader(sandboxer.KindDoctorReport, "6f70811a2b3c4d5e"), Findings: []sandboxer.Finding{
			{Check: "engine.docker", Verdict: sandboxer.Pass, Message: "docker 20.10.24 answers"},
			{Check: "tool.flock", Verdict: sandboxer.Fail, Message: "flock is missing", Mend: new("apt install util-linux")},
		}},
		samplePlanDocument(),
		sandboxer.ReapResultDocument{Header: sampleHeader(sandboxer.KindReapResult, "921a2b3c4d5e6f70"), ReapResult: sampleReaped()},
		sandboxer.AlertDocument{Header: sampleHeader(sandboxer.KindAlert, "b32a1c4d5e6f7081"), Alert: sandboxer.Alert{
			Name: "disk_root_avail_gb", Field: "disk_root_avail_gb", Status: sandboxer.AlertRaised, Changed: true, Observed: new(8.214), Bound: 10, Since: at(31),
			Message: "disk_root_avail_gb is 8.214; raised below 10, well again from 11 on",
		}},
		sandboxer.AuditDocument{Header: sampleHeader(sandboxer.KindAuditLog, "a32b1c4d5e6f7081"), AuditLog: sampleAudit()},
		sandboxer.ErrorDocument{Header: sampleHeader(sandboxer.KindError, "70811a2b3c4d5e6f"), Error: failed},
	}
}
