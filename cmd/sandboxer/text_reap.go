package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/internal/shellquote"
	"github.com/tegwick/sand-boxer/localhost"
)

// planText is what a dry run says.
func planText(p *page, doc sandboxer.ReapPlanDocument, apply string) {
	goesText(p, doc)
	staysText(p, doc.Kept)
	planProofText(p, doc)
	if !doc.Complete {
		p.line("partial: not every source answered (inspect inventory says which); what those hold is not known and stays")
	}
	p.gap()
	n := len(doc.Candidates)
	if n == 0 {
		p.line("Dry run: nothing was removed, and nothing would be.")
		return
	}
	what := "them"
	if n == 1 {
		what = "it"
	}
	p.line(fmt.Sprintf("To remove %s: %s", what, apply))
	p.line(fmt.Sprintf("This was a dry run: NOTHING was removed. %s would be. %s", plural(n, "thing", "things"), undoText(doc.Policy)))
}

// undoText is whether, and how long, a removal can be undone.
func undoText(policy sandboxer.AppliedPolicy) string {
	if policy.KeepTrashSeconds == 0 {
		return "This cannot be undone."
	}
	return "Directories can be restored for " + shortDuration(time.Duration(policy.KeepTrashSeconds*float64(time.Second))) + ", what engines hold cannot."
}

// planProofText is the evidence for all that goes and all that stays.
func planProofText(p *page, doc sandboxer.ReapPlanDocument) {
	var rows [][]string
	for _, c := range doc.Candidates {
		rows = append(rows, proofRows(c.Ref, c.Proof)...)
	}
	for _, s := range doc.Kept {
		rows = append(rows, proofRows(s.Ref, s.Proof)...)
	}
	evidenceText(p, rows)
}

// applyCommand is the command line that carries out what was listed.
func (a *app) applyCommand(doc sandboxer.ReapPlanDocument, f *reapFlags) string {
	words := []string{"sandboxer"}
	add := func(flag, value string) {
		if value != "" {
			words = append(words, flag, shellquote.Quote(value))
		}
	}
	if doc.Host.Name != localhost.Name {
		add("--host", doc.Host.Name)
	}
	if a.settings.engine != engine.Auto {
		add("--engine", a.settings.engine)
	}
	add("--compose-cmd", a.settings.composeCmd)
	add("--root", a.settings.root)
	add("--ssh-config", a.settings.sshConfig)
	words = append(words, "reap-stale", "--apply")
	if f.plan != "" {
		add("--plan", f.plan)
		return strings.Join(words, " ")
	}
	if age := f.policy.OlderThan; age != 0 && age%time.Hour == 0 {
		add("--older-than", f.olderThan.String())
	} else if age != 0 {
		add("--older-than", age.String())
	}
	if f.unclaimed {
		words = append(words, "--include-unclaimed")
	}
	if f.keepTrash.value != sandboxer.DefaultKeepTrash {
		add("--keep-trash", cmp.Or(f.keepTrash.String(), "0"))
	}
	if f.young {
		words = append(words, "--allow-young")
	}
	for _, id := range f.kept {
		add("--except", string(id))
	}
	unbounded := doc.ReapPlan
	unbounded.Max = 0
	if unbounded.Guard() != nil {
		add("--max", fmt.Sprint(len(doc.Candidates)))
	}
	return strings.Join(words, " ")
}

func goesText(p *page, doc sandboxer.ReapPlanDocument) {
	title := fmt.Sprint(len(doc.Candidates))
	if held := heldBytes(doc.Candidates); held != nil {
		title += ", " + size(held)
	}
	p.title("would be removed", title)
	var rows [][]string
	for _, c := range doc.Candidates {
		what := holds(c)
		if c.Engine != nil {
			what = string(*c.Engine) + ": " + what
		}
		rows = append(rows, []string{c.Ref, text(c.Name), string(c.Class), span(c.AgeSeconds), size(c.SizeBytes), what + "; " + c.Detail})
	}
	p.table("  ", []string{"REF", "NAME", "CLASS", "AGE", "SIZE", "WHAT IT HOLDS, AND WHY IT GOES"}, rows)
}

// heldBytes is what all of it holds, as far as it was measured; nil: nothing
// was.
func heldBytes(all []sandboxer.ReapCandidate) *int64 {
	var sum *int64
	for _, c := range all {
		if c.SizeBytes == nil {
			continue
		}
		if sum == nil {
			sum = new(int64)
		}
		*sum += *c.SizeBytes
	}
	return sum
}

// holds is how many of each kind an engine holds, such as "2 containers, 1
// network"; its directory goes in any case.
func holds(c sandboxer.ReapCandidate) string {
	counts := map[string]int{}
	var kinds []string
	for _, r := range c.Resources {
		kind, _, _ := strings.Cut(r, " ")
		if counts[kind]++; counts[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	parts := []string{}
	for _, kind := range kinds {
		many := kind + "s"
		if kind == "process" {
			many = "processes"
		}
		parts = append(parts, plural(counts[kind], kind, many))
	}
	switch {
	case len(parts) > 0:
	case c.Class == sandboxer.OrphanProject:
		return "its record only"
	default:
		return "directory only"
	}
	return strings.Join(parts, ", ")
}

func staysText(p *page, kept []sandboxer.StaleSandbox) {
	p.title("would stay", fmt.Sprint(len(kept)))
	var rows [][]string
	for _, s := range kept {
		rows = append(rows, []string{s.Ref, string(s.Class), span(s.AgeSeconds), strings.Join(sandboxer.BlockReasons(s.BlockedBy), "; ")})
	}
	p.table("  ", []string{"REF", "CLASS", "AGE", "WHY IT STAYS"}, rows)
}

// reapedText is what --apply says.
func reapedText(p *page, doc sandboxer.ReapResultDocument) {
	p.title("reaped", fmt.Sprintf("%d removed, %d skipped, %d failed, %d unknown", doc.RemovedCount, doc.SkippedCount, doc.FailedCount, doc.UnknownCount))
	var rows [][]string
	for _, i := range doc.Items {
		why := text(i.Message)
		if len(i.Remains) > 0 {
			why += ": " + strings.Join(i.Remains, "; ")
		}
		if i.Message == nil {
			why = ""
		}
		if i.KeptUntil != nil {
			why = "sandboxer restore " + i.Ref + " brings its directory back until " + instant(i.KeptUntil)
		}
		rows = append(rows, []string{i.Ref, string(i.Class), string(i.Result), text(i.Code), why})
	}
	p.table("  ", []string{"REF", "CLASS", "RESULT", "CODE", "WHY"}, rows)
	if doc.DestroyDelta != nil {
		deltaText(p, "destroy_delta", doc.DestroyDelta)
	}
	if !doc.Complete {
		p.line("partial: not every source answered (inspect inventory says which); what those hold is not known and was left alone")
	}
}
