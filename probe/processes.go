package probe

import (
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// runningProcesses returns the processes that the process engine started and
// that still run, by sandbox. A note is of the form "PID STARTTIME"; the start
// time tells a process from a later one of the same number. proc_pid_stat(5):
//
//	708 (name (any) bytes) S 1 708 708 0 -1 4194560 ...
func (r *reading) runningProcesses(a archive) map[sandboxer.ID]sandboxer.Resource {
	found := map[sandboxer.ID]sandboxer.Resource{}
	for id, note := range a.process {
		pid, start, ok := strings.Cut(strings.TrimSpace(string(note.data)), " ")
		if !ok || parseInt(pid) == nil || parseInt(start) == nil {
			continue
		}
		text := r.files["/proc/"+pid+"/stat"]
		left, right := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
		if left < 0 || right < left {
			continue
		}
		words := strings.Fields(text[right+1:]) // from the third on
		if len(words) < 20 || words[19] != start || words[0] == "Z" || words[0] == "X" {
			continue
		}
		found[id] = sandboxer.Resource{
			Engine: sandboxer.EngineProcess, Kind: sandboxer.KindProcess, Ref: pid + ":" + start,
			Name: strings.ToValidUTF8(text[left+1:right], "?"), State: new("running"), SandboxID: new(id),
			StartedAt: r.startedAt(start),
		}
	}
	return found
}

// startedAt turns a process's start, in USER_HZ since boot, into a time.
func (r *reading) startedAt(ticks string) *time.Time {
	boot, n := r.obs.Snapshot.Identity.BootAt, parseInt(ticks)
	if boot == nil || n == nil {
		return nil
	}
	return written(boot.Add(time.Duration(*n) * (time.Second / 100)))
}
