package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// statusText shows all of a SandboxStatus: what it is, what it did to its
// host, what the canary found, what else is there.
func statusText(p *page, s sandboxer.SandboxStatus) {
	identityText(p, s)
	t := s.Telemetry
	deltaText(p, "telemetry.provision_delta", t.ProvisionDelta)
	deltaText(p, "telemetry.destroy_delta", t.DestroyDelta)
	residualText(p, t.Residual)
	canaryText(p, t.Canary)
	restText(p, t)
}

// destroyedText shows what a destroy adds to what create had shown.
func destroyedText(p *page, s sandboxer.SandboxStatus) {
	identityText(p, s)
	deltaText(p, "telemetry.destroy_delta", s.Telemetry.DestroyDelta)
	residualText(p, s.Telemetry.Residual)
	restText(p, s.Telemetry)
}

func identityText(p *page, s sandboxer.SandboxStatus) {
	p.field("sandbox_id", string(s.SandboxID))
	if s.Name != nil {
		p.field("name", *s.Name)
	}
	p.field("state", string(s.State))
	if s.Reason != nil {
		p.field("reason", *s.Reason)
	}
	p.field("profile", s.Profile)
	p.field("host", hostName(s.Header.Host))
	p.field("engine", text(s.Engine))
	for _, port := range s.Ports {
		p.field("port", portText(port))
	}
	p.field("created_at", instant(s.CreatedAt))
	if s.ExpiresAt != nil {
		p.field("expires_at", instant(s.ExpiresAt))
	}
	if s.Hold != nil {
		p.field("hold", holdText(*s.Hold))
	}
	for _, artifact := range s.Artifacts {
		p.field("artifact", artifact.Path)
	}
}

// holdText is who holds a sandbox, for how long, and why.
func holdText(h sandboxer.Hold) string {
	until := "until it is released"
	if h.Until != nil {
		until = "until " + instant(h.Until)
	}
	if h.Reason != "" {
		until += ": " + h.Reason
	}
	return h.By + ", " + until
}

// restText is what else there is on the host.
func restText(p *page, t sandboxer.IntrospectionReport) {
	if t.Inventory == nil {
		return
	}
	p.gap()
	p.field("telemetry.inventory", inventorySummary(*t.Inventory))
	candidatesText(p, "telemetry.stale_candidates", t.StaleCandidates)
	admissionText(p, "telemetry.admission", t.Admission)
}

func statusListText(p *page, list sandboxer.SandboxStatusList) {
	var rows [][]string
	for _, s := range list.Items {
		leaks := none
		if s.Telemetry.Residual != nil {
			leaks = string(s.Telemetry.Residual.Verdict)
		}
		rows = append(rows, []string{string(s.SandboxID), text(s.Name), string(s.State), s.Profile, text(s.Engine), leaks})
	}
	p.table("", []string{"SANDBOX_ID", "NAME", "STATE", "PROFILE", "ENGINE", "RESIDUAL"}, rows)
	for _, e := range list.Errors {
		p.line(fmt.Sprintf("%s: %s", e.Code, e.Message))
	}
}

func hostName(h sandboxer.HostRef) string {
	if h.Hostname != nil && *h.Hostname != h.Name {
		return fmt.Sprintf("%s (%s)", h.Name, *h.Hostname)
	}
	return h.Name
}

func portText(p sandboxer.Port) string {
	return fmt.Sprintf("%s:%d -> %s %d/%s", p.HostIP, p.HostPort, p.Service, p.ContainerPort, p.Protocol)
}

// deltaText shows what a reader can judge at a glance: gauges with both their
// values, counters only by how far they went.
func deltaText(p *page, name string, d *sandboxer.Delta) {
	if d == nil {
		return
	}
	head := "elapsed " + unknown
	if d.ElapsedMS != nil {
		head = fmt.Sprintf("elapsed %.1f s", float64(*d.ElapsedMS)/1000)
	}
	if d.SameBoot != nil && !*d.SameBoot {
		head += ", the host was booted in between: nothing can be compared"
	}
	if d.Settled != nil {
		head += ", settled " + yesNo(d.Settled)
	}
	p.title(name, head)
	h := d.Host
	rows := [][]string{
		gauge("load1", h.Load1, decimal),
		gauge("memory_available_bytes", h.MemoryAvailableBytes, bytesText),
		gauge("disk_root_avail_bytes", h.DiskRootAvailBytes, bytesText),
		gauge("containers_running", h.ContainersRunning, whole),
		gauge("processes_count", h.ProcessesCount, whole),
		counter("cpu_busy_seconds_total", h.CPUBusySecondsTotal, decimal),
	}
	for _, rare := range []struct {
		name string
		d    sandboxer.FieldDelta
		form func(float64) string
	}{{"swap_free_bytes", h.SwapFreeBytes, bytesText}, {"oom_kills_total", h.OOMKillsTotal, whole}} {
		if rare.d.Delta != nil && *rare.d.Delta != 0 {
			rows = append(rows, gauge(rare.name, rare.d, rare.form))
		}
	}
	hostTable(p, d, rows)
	if d.Sandbox != nil {
		p.line("  sandbox: " + costText(*d.Sandbox))
	}
	p.line("  objects: " + objectsText(d.Objects))
}

// hostTable shows rows of seven cells; without the last three, and how to fill
// them, where nothing is known of the host's noise.
func hostTable(p *page, d *sandboxer.Delta, rows [][]string) {
	header := []string{"HOST", "BEFORE", "AFTER", "DELTA", "NOISE_FLOOR", "PAIRS", "SIGNIFICANT"}
	if h := d.Host; h.Load1.NoisePairs+h.MemoryAvailableBytes.NoisePairs+h.CPUBusySecondsTotal.NoisePairs > 0 {
		p.table("  ", header, rows)
		return
	}
	for i := range rows {
		rows[i] = rows[i][:4]
	}
	p.table("  ", header[:4], rows)
	if hint := unmeasured(d); hint != "" {
		p.line(hint)
	}
}

// costText shows what a sandbox used, or why nobody knows any of it.
func costText(c sandboxer.SandboxCost) string {
	for _, m := range c.Missing {
		if m.Field == "sandbox" {
			return fmt.Sprintf("%s (%s)", unknown, m.Reason)
		}
	}
	text := fmt.Sprintf("cpu_seconds %s, memory_current_bytes %s, memory_peak_bytes %s, pids_peak %s",
		number(c.CPUSeconds, 2), size(c.MemoryCurrentBytes), size(c.MemoryPeakBytes), count(c.PidsPeak))
	if c.OOMKills != nil && *c.OOMKills > 0 {
		text += fmt.Sprintf(", oom_kills %d", *c.OOMKills)
	}
	return text
}

func gauge(name string, d sandboxer.FieldDelta, form func(float64) string) []string {
	value := func(f *float64) string {
		if f == nil {
			return unknown
		}
		return form(*f)
	}
	return append([]string{name, value(d.Before), value(d.After), signed(d.Delta, form)}, noiseCells(d, form)...)
}

func counter(name string, d sandboxer.FieldDelta, form func(float64) string) []string {
	return append([]string{name, "", "", signed(d.Delta, form)}, noiseCells(d, form)...)
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }
func whole(f float64) string   { return strconv.FormatFloat(f, 'f', 0, 64) }

// signed always shows a sign, and none of its own to a zero.
func signed(f *float64, form func(float64) string) string {
	if f == nil {
		return unknown
	}
	s := form(math.Abs(*f))
	if *f < 0 && s != form(0) {
		return "-" + s
	}
	return "+" + s
}

func objectsText(objects map[sandboxer.ObjectKind]sandboxer.ObjectDelta) string {
	var parts []string
	for kind, d := range objects {
		var part string
		if len(d.Added) > 0 {
			part += fmt.Sprintf(" +%d", len(d.Added))
		}
		if len(d.Removed) > 0 {
			part += fmt.Sprintf(" -%d", len(d.Removed))
		}
		if part != "" {
			parts = append(parts, string(kind)+part)
		}
	}
	if len(parts) == 0 {
		return none
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func residualText(p *page, r *sandboxer.Residual) {
	if r == nil {
		return
	}
	p.title("telemetry.residual", string(r.Verdict))
	for _, leak := range r.Leaks {
		p.line("  left behind: " + leak)
	}
	if others := objectsText(r.Objects); len(r.Leaks) == 0 && others != none {
		p.line("  changed by others meanwhile: " + others)
	}
}

func canaryText(p *page, c *sandboxer.CanaryResult) {
	if c == nil {
		return
	}
	head := string(c.Status)
	if c.Isolation != nil {
		head += ", isolation " + *c.Isolation
	}
	p.title("telemetry.canary", head)
	var rows [][]string
	for _, check := range c.Checks {
		rows = append(rows, []string{check.Name, string(check.Status), check.Message})
	}
	p.table("  ", []string{"CHECK", "STATUS", "MESSAGE"}, rows)
}

// failedChecks says which checks made a canary fail.
func failedChecks(c *sandboxer.CanaryResult) []string {
	var out []string
	for _, check := range c.Checks {
		if check.Status == sandboxer.Fail || check.Status == sandboxer.Errored {
			out = append(out, check.Name+": "+check.Message)
		}
	}
	return out
}

func admissionText(p *page, name string, a sandboxer.Admission) {
	verdict := string(a.Verdict)
	if a.Overridden {
		verdict += " (it was created with --force)"
	}
	p.fieldIn(verdictColour(a.Verdict), name, verdict)
	for _, r := range a.Reasons {
		p.note(verdictColour(r.Severity), "  ", fmt.Sprintf("%s: %s", r.Severity, r.Message))
	}
}

// telemetryLine is the last line of every create that succeeded. Its form is
// fixed, signs are ASCII, and what is not known is n/a.
func telemetryLine(t sandboxer.IntrospectionReport) string {
	load, memory, stale := unknown, unknown, unknown
	if d := t.ProvisionDelta; d != nil {
		load = signed(d.Host.Load1.Delta, decimal)
		if bytes := d.Host.MemoryAvailableBytes.Delta; bytes != nil {
			memory = fmt.Sprintf("%+d", int64(math.Round(*bytes/1e6)))
		}
	}
	if t.Inventory != nil {
		stale = strconv.Itoa(len(t.StaleCandidates))
	}
	return fmt.Sprintf("Telemetry: load Δ %s, mem avail Δ %s MB, stale candidates: %s", load, memory, stale)
}
