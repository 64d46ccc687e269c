package main

import (
	"cmp"
	"fmt"

	"github.com/tegwick/sand-boxer"
)

func auditText(p *page, doc sandboxer.AuditDocument) {
	if len(doc.Entries) == 0 {
		p.line(fmt.Sprintf("nothing in the audit log of %s", hostName(doc.Host)))
	}
	var rows [][]string
	for _, e := range doc.Entries {
		who := e.Controller
		if e.ApprovedBy != nil {
			who += ", approved by " + *e.ApprovedBy
		}
		rows = append(rows, []string{instant(&e.At), e.Act, cmp.Or(text(e.SandboxID), none), e.Result, who, e.Why})
		if e.SandboxID == nil && e.Path != nil {
			rows[len(rows)-1][2] = *e.Path
		}
	}
	p.table("", []string{"AT", "ACT", "SANDBOX_ID", "RESULT", "BY", "WHY"}, rows)
	if !doc.Complete {
		p.line("partial: the log's beginning is not shown, or a line of it cannot be read")
	}
}
