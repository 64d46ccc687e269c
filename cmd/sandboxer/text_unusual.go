package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

// What is worth a line although admission does not mind it.
const (
	unusualClock    = time.Second      // off the controller's clock, beyond what is uncertain
	unusualBoot     = 10 * time.Minute // since the last one
	unusualSwap     = 0.5              // share of it that is taken
	unusualPressure = 0.5              // share of the last minute in which tasks waited for a CPU
	unusualFDs      = 0.8              // share of the open files that there can be
)

// unusual is what of a host a person would want to know first, most urgent
// first.
func unusual(doc sandboxer.SnapshotDocument) []string {
	var all []string
	for _, alert := range doc.Alerts {
		if alert.Status == sandboxer.AlertRaised {
			all = append(all, "alert "+alert.Name+": "+alert.Message)
		}
	}
	id, memory, limits := doc.Identity, doc.Memory, doc.Limits
	if s := clockNote(doc.HostSnapshot); s != "" {
		all = append(all, s)
	}
	if p := doc.Pressure.CPU; p != nil && over(p.SomeAvg60Ratio, unusualPressure) {
		all = append(all, fmt.Sprintf("tasks waited for a CPU in %s of the last minute", ratio(p.SomeAvg60Ratio)))
	}
	if taken := takenShare(memory.SwapFreeBytes, memory.SwapTotalBytes); over(taken, unusualSwap) {
		all = append(all, ratio(taken)+" of the swap space is taken")
	}
	if fds := share(limits.FDsAllocated, limits.FDsMax); over(fds, unusualFDs) {
		all = append(all, ratio(fds)+" of the files that can be open are")
	}
	if id.UptimeSeconds != nil && *id.UptimeSeconds < unusualBoot.Seconds() {
		all = append(all, "it was booted "+span(id.UptimeSeconds)+" ago")
	}
	if id.RebootRequired != nil && *id.RebootRequired {
		all = append(all, "a reboot is pending: /run/reboot-required")
	}
	if v := text(id.Virtualization); v == "lxcfs" {
		all = append(all, "it is a container whose numbers lxcfs makes up: its load may be that of the machine it is on")
	}
	if doc.Collection.Partial {
		var missing []string
		for _, m := range doc.Collection.Missing {
			missing = append(missing, fmt.Sprintf("%s (%s)", m.Field, m.Reason))
		}
		all = append(all, "partial: not all could be read: "+strings.Join(missing, ", "))
	}
	for _, w := range doc.Collection.Warnings {
		all = append(all, "warning: "+w)
	}
	return all
}

func clockNote(s sandboxer.HostSnapshot) string {
	if s.ClockOffsetMS == nil || s.ClockUncertaintyMS == nil {
		return ""
	}
	offset, unsure := *s.ClockOffsetMS, *s.ClockUncertaintyMS
	way := "ahead of"
	if offset < 0 {
		offset, way = -offset, "behind"
	}
	if time.Duration(offset-unsure)*time.Millisecond < unusualClock {
		return ""
	}
	return fmt.Sprintf("its clock is %s %s that of this machine", span(new(float64(offset)/1000)), way)
}

func over(share *float64, bound float64) bool { return share != nil && *share > bound }

// share is part as a share of whole; nil where that makes no sense.
func share(part, whole *int64) *float64 {
	if part == nil || whole == nil || *whole <= 0 {
		return nil
	}
	return new(float64(*part) / float64(*whole))
}

// takenShare is the share of whole that is not left.
func takenShare(left, whole *int64) *float64 {
	s := share(left, whole)
	if s == nil {
		return nil
	}
	return new(1 - *s)
}
