package sandboxer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func snapshot(boot string, load float64, memory, oom int64, objects ObjectSets) HostSnapshot {
	return HostSnapshot{
		Identity: Identity{BootID: &boot}, Load: Load{Load1: &load},
		Memory: Memory{AvailableBytes: &memory, OOMKillsTotal: &oom}, Objects: objects,
	}
}

func TestDiff(t *testing.T) {
	before := snapshot("boot", 0.1, 500, 7, ObjectSets{Containers: {"a", "b"}, Networks: {"n"}})
	after := snapshot("boot", 0.22, 400, 8, ObjectSets{Containers: {"b", "c", "c"}, Volumes: {"v"}})
	d := Diff(before, after)
	if got := *d.Host.Load1.Delta; got != 0.12 {
		t.Errorf("load1: got %v, want 0.12", got)
	}
	if got := *d.Host.MemoryAvailableBytes.Delta; got != -100 {
		t.Errorf("memory: got %v, want -100", got)
	}
	if d.Host.Load1.Significant != nil {
		t.Error("significant: got a verdict, want null without a noise floor")
	}
	// Networks and volumes were each unreadable on one side.
	want := map[ObjectKind]ObjectDelta{Containers: {Added: []string{"c"}, Removed: []string{"a"}}}
	if diff := cmp.Diff(want, d.Objects); diff != "" {
		t.Errorf("objects, -want +got:\n%s", diff)
	}
}

func TestDiffAcrossReboot(t *testing.T) {
	d := Diff(snapshot("one", 0.1, 500, 7, ObjectSets{Containers: {"a"}}), snapshot("two", 0.2, 400, 0, ObjectSets{Containers: {}}))
	if *d.SameBoot || d.Host.Load1.Delta != nil || len(d.Objects) != 0 {
		t.Errorf("got %+v, want no difference at all", d)
	}
	if d.Host.Load1.Before == nil || d.Host.Load1.After == nil {
		t.Error("got no values, want both sides as they were read")
	}
}

// Nobody knows whether it was the same boot, or even the same machine.
func TestDiffUnknownBoot(t *testing.T) {
	before, after := snapshot("b", 0.1, 500, 7, ObjectSets{Containers: {"a"}}), snapshot("b", 0.2, 400, 7, ObjectSets{Containers: {}})
	after.Identity.BootID = nil
	if d := Diff(before, after); d.SameBoot != nil || d.Host.Load1.Delta != nil || len(d.Objects) != 0 {
		t.Errorf("got %+v, want no difference at all", d)
	}
}

// What was not read on one side is no change; an empty set is one.
func TestDiffUnknownValues(t *testing.T) {
	before, after := snapshot("b", 0.1, 500, 7, ObjectSets{Containers: {"a"}}), snapshot("b", 0.2, 400, 7, ObjectSets{Containers: {}})
	after.Load.Load1 = nil
	d := Diff(before, after)
	if d.Host.Load1.Delta != nil || d.Host.Load1.Before == nil || d.Host.SwapFreeBytes.Delta != nil || d.ElapsedMS != nil {
		t.Errorf("got %+v, want null for what is unknown on one side", d)
	}
	want := map[ObjectKind]ObjectDelta{Containers: {Added: []string{}, Removed: []string{"a"}}}
	if diff := cmp.Diff(want, d.Objects); diff != "" {
		t.Errorf("objects, -want +got:\n%s", diff)
	}
}

func TestDiffCounterReset(t *testing.T) {
	if d := Diff(snapshot("b", 0, 0, 7, nil), snapshot("b", 0, 0, 3, nil)); d.Host.OOMKillsTotal.Delta != nil {
		t.Errorf("got %v, want null for a counter that went back", *d.Host.OOMKillsTotal.Delta)
	}
}

func TestResidual(t *testing.T) {
	ours := func(_ ObjectKind, id string) bool { return id != "theirs" }
	objects := func(kind ObjectKind, added, removed []string) Delta {
		return Delta{Objects: map[ObjectKind]ObjectDelta{kind: {Added: added, Removed: removed}}}
	}
	tests := []struct {
		name               string
		provision, destroy Delta
		now                ObjectSets
		verdict            Verdict
		leaks              []string
	}{
		{"clean", objects(Containers, []string{"a"}, nil), objects(Containers, nil, []string{"a"}), ObjectSets{Containers: {}}, Pass, []string{}},
		{"left", objects(Containers, []string{"a", "b"}, nil), objects(Containers, nil, []string{"a"}), ObjectSets{Containers: {"b"}}, Fail, []string{"containers b"}},
		{"removed by an earlier destroy", objects(Containers, []string{"a", "b"}, nil), objects(Containers, nil, []string{"a"}), ObjectSets{Containers: {}}, Pass, []string{}},
		{"made by the destroy", objects(Containers, nil, nil), objects(Containers, []string{"d"}, nil), ObjectSets{Containers: {"d"}}, Fail, []string{"containers d"}},
		{"somebody else's", objects(Containers, []string{"theirs"}, nil), objects(Containers, nil, nil), ObjectSets{Containers: {"theirs"}}, Pass, []string{}},
		{"unreadable", objects(Networks, nil, nil), objects(Containers, nil, nil), ObjectSets{Containers: {}}, Unknown, []string{}},
		{"unreadable in the end", objects(Containers, []string{"a"}, nil), objects(Containers, nil, []string{"a"}), ObjectSets{}, Unknown, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := residual(tt.provision, tt.destroy, tt.now, []ObjectKind{Containers}, ours)
			if r.Verdict != tt.verdict {
				t.Errorf("got verdict %s, want %s", r.Verdict, tt.verdict)
			}
			if diff := cmp.Diff(tt.leaks, r.Leaks); diff != "" {
				t.Errorf("leaks, -want +got:\n%s", diff)
			}
		})
	}
}
