package main

import (
	"fmt"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// hostText shows the verdict on a host, what is unusual about it, and then the
// numbers of a HostSnapshot that a person asks for first: one screen.
func hostText(p *page, doc sandboxer.SnapshotDocument) {
	admissionText(p, "admission", doc.Admission)
	odd := unusual(doc)
	if len(odd) == 0 {
		p.field("unusual", "nothing")
	} else {
		p.line("unusual:")
	}
	for _, note := range odd {
		p.note(yellow, "  ", note)
	}
	p.gap()
	id := doc.Identity
	p.field("host", hostName(doc.Host))
	p.field("system", fmt.Sprintf("%s, kernel %s, %s", text(id.OSPrettyName), text(id.KernelRelease), text(id.Arch)))
	p.field("user", fmt.Sprintf("%s (uid %s)", text(id.User), count(id.UID)))
	p.field("observed_at", instant(doc.ObservedAt)+clockText(doc.HostSnapshot))
	p.field("uptime", span(id.UptimeSeconds))
	p.field("load", fmt.Sprintf("%s %s %s on %s CPUs", number(doc.Load.Load1, 2), number(doc.Load.Load5, 2),
		number(doc.Load.Load15, 2), count(doc.CPU.LogicalCount)))
	p.field("pressure", pressureText(doc.Pressure))
	p.field("memory", barred(takenShare(doc.Memory.AvailableBytes, doc.Memory.TotalBytes),
		fmt.Sprintf("%s of %s available", size(doc.Memory.AvailableBytes), size(doc.Memory.TotalBytes))))
	p.field("swap", swapText(doc.Memory))
	p.field("disk_root_avail_gb", fmt.Sprintf("%s (%s)", number(doc.DiskRootAvailGB, 3), ratio(doc.DiskRootAvailRatio)))
	filesystemsText(p, doc.Filesystems)
	enginesText(p, doc.Engines)
	alertsText(p, doc.Alerts)
}

// barred puts a bar of what is taken before what there is to say of it.
func barred(taken *float64, what string) string {
	return strings.TrimLeft(bar(taken, 20)+"  "+what, " ")
}

func swapText(m sandboxer.Memory) string {
	if m.SwapTotalBytes != nil && *m.SwapTotalBytes == 0 {
		return "none"
	}
	return barred(takenShare(m.SwapFreeBytes, m.SwapTotalBytes), fmt.Sprintf("%s of %s free", size(m.SwapFreeBytes), size(m.SwapTotalBytes)))
}

// hostsText is a row for each of several hosts, with what a person compares,
// and below it why it can take no other sandbox, or may not.
func hostsText(p *page, looks []look[hostRow]) {
	var rows [][]string
	for _, l := range looks {
		if l.err != nil {
			rows = append(rows, []string{l.host, l.shortError()})
			continue
		}
		doc, more := l.shown.doc, ""
		if !l.shown.complete {
			more = "+"
		}
		rows = append(rows, []string{
			l.host, number(doc.Load.Load1, 2), size(doc.Memory.AvailableBytes), size(doc.DiskRootAvailBytes),
			fmt.Sprint(l.shown.sandboxes) + more, fmt.Sprint(l.shown.stale) + more, string(doc.Admission.Verdict),
		})
		for _, alert := range doc.Alerts {
			if alert.Status == sandboxer.AlertRaised {
				rows = append(rows, []string{blank, "alert: " + alert.Message})
			}
		}
		for _, r := range doc.Admission.Reasons {
			rows = append(rows, []string{blank, fmt.Sprintf("%s: %s", r.Severity, r.Message)})
		}
	}
	p.table("", []string{"HOST", "LOAD1", "MEM_AVAIL", "DISK_AVAIL", "SANDBOXES", "STALE", "ADMISSION"}, rows)
}

func clockText(s sandboxer.HostSnapshot) string {
	if s.ClockOffsetMS == nil {
		return ""
	}
	return fmt.Sprintf(" (clock %+d ms, known to +/- %s ms)", *s.ClockOffsetMS, count(s.ClockUncertaintyMS))
}

// pressureText is the share of the last minute in which something waited.
func pressureText(all sandboxer.Pressures) string {
	var parts []string
	for _, row := range []struct {
		name string
		p    *sandboxer.Pressure
	}{{"cpu", all.CPU}, {"memory", all.Memory}, {"io", all.IO}} {
		value := unknown
		if row.p != nil {
			value = ratio(row.p.SomeAvg60Ratio)
		}
		parts = append(parts, row.name+" "+value)
	}
	return strings.Join(parts, ", ") + " of the last minute"
}

func filesystemsText(p *page, all []sandboxer.Filesystem) {
	p.title("filesystems", "")
	var rows [][]string
	for _, f := range all {
		rows = append(rows, []string{
			f.Path, text(f.FSType), bar(takenShare(f.AvailBytes, f.TotalBytes), 10), size(f.AvailBytes), size(f.TotalBytes), ratio(f.AvailRatio), ratio(f.InodesFreeRatio),
			strings.Join(f.Roles, ", "),
		})
	}
	p.table("  ", []string{"PATH", "FSTYPE", "TAKEN", "AVAIL", "TOTAL", "AVAIL_RATIO", "INODES_FREE", "ROLES"}, rows)
}

func enginesText(p *page, all []sandboxer.EngineInfo) {
	p.title("engines", "")
	var rows [][]string
	for _, e := range all {
		running := count(e.ContainersRunning)
		if e.Status == sandboxer.EngineAbsent || e.Name == sandboxer.EngineProcess {
			running = none
		}
		rows = append(rows, []string{
			string(e.Name), string(e.Status), text(e.Version), strings.Join(e.ComposeTools, ", "), running, text(e.Detail),
		})
	}
	p.table("  ", []string{"NAME", "STATUS", "VERSION", "COMPOSE_TOOLS", "RUNNING", "DETAIL"}, rows)
}
