package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tegwick/sand-boxer"
)

// verdicts, the worst first.
var verdicts = []sandboxer.Verdict{sandboxer.Fail, sandboxer.Warn, sandboxer.Unknown, sandboxer.Pass, sandboxer.Skip}

// doctorText puts what needs mending first. What mends it is on a line of its
// own, which is never folded, to be pasted.
func doctorText(p *page, doc sandboxer.DoctorReport) {
	p.field("host", hostName(doc.Host))
	p.field("verdict", string(worstFinding(doc.Findings)))
	p.line("")
	const first = len("VERDICT") + 2
	second := len("CHECK")
	for _, f := range doc.Findings {
		second = max(second, len(f.Check))
	}
	second += 2
	p.line(fmt.Sprintf("%-*s%-*s%s", first, "VERDICT", second, "CHECK", "FINDING"))
	worstFirst := slices.Clone(doc.Findings)
	slices.SortStableFunc(worstFirst, func(a, b sandboxer.Finding) int {
		return slices.Index(verdicts, a.Verdict) - slices.Index(verdicts, b.Verdict)
	})
	for _, f := range worstFirst {
		check := f.Check
		verdict := string(f.Verdict)
		for _, part := range fold(f.Message, p.width-first-second) {
			p.line(fmt.Sprintf("%-*s%-*s%s", first, verdict, second, check, part))
			verdict, check = "", ""
		}
		if f.Mend != nil {
			p.line(strings.Repeat(" ", first) + "mend: " + *f.Mend)
		}
	}
}

// worstFinding is the verdict of them all.
func worstFinding(all []sandboxer.Finding) sandboxer.Verdict {
	for _, v := range verdicts[:3] {
		if slices.ContainsFunc(all, func(f sandboxer.Finding) bool { return f.Verdict == v }) {
			return v
		}
	}
	return sandboxer.Pass
}
