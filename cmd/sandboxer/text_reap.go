package main

import (
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
	keptText(p, doc.Kept)
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
	p.line(fmt.Sprintf("This was a dry run: NOTHING was removed. %s would be.", plural(n, "thing", "things")))
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
	p.title("would be removed", fmt.Sprint(len(doc.Candidates)))
	var rows [][]string
	for _, c := range doc.Candidates {
		what := holds(c)
		if c.Engine != nil {
			what = string(*c.Engine) + ": " + what
		}
		rows = append(rows, []string{c.Ref, text(c.Name), string(c.Class), span(c.AgeSeconds), what + "; " + c.Detail})
	}
	p.table("  ", []string{"REF", "NAME", "CLASS", "AGE", "WHAT IT HOLDS, AND WHY IT GOES"}, rows)
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

func keptText(p *page, kept []sandboxer.StaleSandbox) {
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
