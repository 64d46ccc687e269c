package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
)

// listText is the table of sandboxes. now is the host's clock.
func listText(p *page, doc sandboxer.InventoryDocument, now *time.Time) {
	if len(doc.Sandboxes) == 0 {
		p.line(fmt.Sprintf("no sandboxes on %s below %s", doc.Host.Name, doc.Root))
	}
	p.table("", sandboxHeader, sandboxRows(doc.Sandboxes, now))
	incompleteText(p, doc.Inventory)
}

var sandboxHeader = []string{"SANDBOX_ID", "NAME", "STATE", "PROFILE", "ENGINE", "AGE", "EXPIRES", "PORTS"}

func sandboxRows(all []sandboxer.Sandbox, now *time.Time) [][]string {
	var rows [][]string
	for _, s := range all {
		state := string(s.State)
		if s.Locked != nil && *s.Locked {
			state += " (locked)"
		}
		rows = append(rows, []string{
			string(s.SandboxID), text(s.Name), state, text(s.Profile), text(s.Engine),
			since(s.CreatedAt, now), expiry(s.ExpiresAt, now), portsText(s.Ports),
		})
	}
	return rows
}

// portsText is where to reach each service, in one cell.
func portsText(ports []sandboxer.Port) string {
	parts := make([]string, len(ports))
	for i, p := range ports {
		parts[i] = portText(p)
	}
	return strings.Join(parts, ", ")
}

func expiry(at, now *time.Time) string {
	switch {
	case at == nil:
		return "never"
	case now == nil:
		return instant(at)
	case at.After(*now):
		return "in " + since(now, at)
	}
	return since(at, now) + " ago"
}

func inventoryText(p *page, doc sandboxer.InventoryDocument, now *time.Time) {
	p.field("host", hostName(doc.Host))
	p.field("root", fmt.Sprintf("%s (%s)", doc.Root, doc.RootState))
	p.field("complete", yesNo(&doc.Complete))
	p.title("sandboxes", fmt.Sprint(len(doc.Sandboxes)))
	p.table("  ", sandboxHeader, sandboxRows(doc.Sandboxes, now))
	p.title("directories", fmt.Sprint(len(doc.Directories)))
	var rows [][]string
	for _, d := range doc.Directories {
		rows = append(rows, []string{d.Name, d.Kind, yesNo(&d.Own), since(d.LastChange, now)})
	}
	p.table("  ", []string{"NAME", "KIND", "OWN", "UNCHANGED"}, rows)
	p.title("compose_projects", fmt.Sprint(len(doc.ComposeProjects)))
	rows = nil
	for _, c := range doc.ComposeProjects {
		rows = append(rows, []string{
			c.Name, string(c.Engine), text(c.SandboxID), fmt.Sprintf("%d/%d", c.ContainersRunning, c.ContainersTotal),
			fmt.Sprint(c.NetworksTotal), fmt.Sprint(c.VolumesTotal), text(c.WorkingDir),
		})
	}
	p.table("  ", []string{"NAME", "ENGINE", "SANDBOX_ID", "RUNNING", "NETWORKS", "VOLUMES", "WORKING_DIR"}, rows)
	p.title("leftovers", fmt.Sprint(len(doc.Leftovers)))
	rows = nil
	for _, r := range doc.Leftovers {
		rows = append(rows, []string{string(r.Engine), string(r.Kind), r.Name, text(r.SandboxID), text(r.State)})
	}
	p.table("  ", []string{"ENGINE", "KIND", "NAME", "SANDBOX_ID", "STATE"}, rows)
	p.title("trash", fmt.Sprint(len(doc.Trash)))
	rows = nil
	for _, t := range doc.Trash {
		rows = append(rows, []string{t.Ref, since(t.TrashedAt, now), keptText(t.KeptUntil), t.Path})
	}
	p.table("  ", []string{"REF", "AGE", "KEPT_UNTIL", "PATH"}, rows)
	p.title("sources", "")
	rows = nil
	for _, s := range doc.Sources {
		rows = append(rows, []string{s.Name, s.Status, text(s.Detail)})
	}
	p.table("  ", []string{"NAME", "STATUS", "DETAIL"}, rows)
}

// keptText is until when something is kept in the trash.
func keptText(until *time.Time) string {
	if until == nil {
		return "not kept"
	}
	return instant(until)
}

func inventorySummary(inv sandboxer.Inventory) string {
	s := fmt.Sprintf("%s, %s, %s", plural(len(inv.Sandboxes), "sandbox", "sandboxes"),
		plural(len(inv.Directories), "other directory", "other directories"),
		plural(len(inv.ComposeProjects), "compose project", "compose projects"))
	if !inv.Complete {
		s += "; partial: " + strings.Join(silentSources(inv), ", ")
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func silentSources(inv sandboxer.Inventory) []string {
	var out []string
	for _, s := range inv.Sources {
		if !s.Complete() {
			out = append(out, s.Name+" "+s.Status)
		}
	}
	return out
}

// incompleteText says that there may be more than is shown.
func incompleteText(p *page, inv sandboxer.Inventory) {
	if !inv.Complete {
		p.line("partial: " + strings.Join(silentSources(inv), ", "))
	}
}

func staleText(p *page, doc sandboxer.StaleDocument) {
	candidatesText(p, "stale_candidates", doc.StaleCandidates)
	var rows [][]string
	for _, s := range doc.StaleCandidates {
		rows = append(rows, proofRows(s.Ref, s.Proof)...)
	}
	evidenceText(p, rows)
	if !doc.Complete {
		p.line("partial: not every source answered; see inspect inventory")
	}
}

// evidenceText is what a verdict on each thing rests on: first what keeps it,
// then what is proven.
func evidenceText(p *page, rows [][]string) {
	if len(rows) > 0 {
		p.title("evidence", "")
	}
	p.table("  ", []string{"REF", "PROOF", "EVIDENCE"}, rows)
}

func proofRows(ref string, proof []sandboxer.ProofCheck) [][]string {
	var holds, fails []string
	for _, c := range proof {
		said := c.Check + ": " + c.Detail
		switch {
		case c.Code != nil:
			fails = append(fails, said)
		case c.Status == sandboxer.Pass:
			holds = append(holds, said)
		}
	}
	var rows [][]string
	if len(fails) > 0 {
		rows = append(rows, []string{ref, "lacks", strings.Join(fails, "; ")})
	}
	if len(holds) > 0 {
		rows = append(rows, []string{ref, "holds", strings.Join(holds, "; ")})
	}
	if len(rows) > 1 {
		rows[1][0] = ""
	}
	return rows
}

func candidatesText(p *page, name string, all []sandboxer.StaleSandbox) {
	p.field(name, fmt.Sprint(len(all)))
	var rows [][]string
	for _, s := range all {
		rows = append(rows, []string{s.Ref, string(s.Class), span(s.AgeSeconds), strings.Join(s.BlockedBy, ","), s.Detail})
	}
	p.table("  ", []string{"REF", "CLASS", "AGE", "BLOCKED_BY", "DETAIL"}, rows)
}
