package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) auditCommand() *cobra.Command {
	var limit int
	since := ageFlag(0)
	cmd := &cobra.Command{
		Use:   "audit [ID]",
		Short: "show what was done and refused on a host",
		Example: "  sandboxer --host coulombcore audit --since 48\n" +
			"  sandboxer audit canary-4k9x0q2m7t3b",
		Long: "Audit shows the host's log of acts and refusals, oldest first: who did what to\n" +
			"which sandbox, why, and what came of it, whichever machine sandboxer was run on.\n" +
			"With an ID (a sandbox_id, of one that is no more, too) it shows only that.\n" +
			"The document is an AuditLog.",
		Args: wants("[ID]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseRefs(args)
			if err != nil {
				return err
			}
			if limit < 0 {
				return misused("--limit %d: want a number of entries, or 0 for all", limit)
			}
			q := sandboxer.AuditQuery{Limit: limit}
			if limit == 0 {
				q.Limit = -1
			}
			if len(ids) > 0 {
				q.SandboxID = ids[0]
			}
			if since.value > 0 {
				q.Since = time.Now().Add(-since.value)
			}
			return a.audit(cmd, q)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", sandboxer.DefaultAuditLimit, "the newest so many entries; 0: all")
	cmd.Flags().Var(since, "since", "not older than so many hours, or a duration such as 90m")
	return cmd
}

func (a *app) audit(cmd *cobra.Command, q sandboxer.AuditQuery) error {
	ctx, s, err := a.open(cmd.Context(), readLimit)
	if err != nil {
		return err
	}
	defer s.close()
	a.follow("reading the audit log of %s", s.host.Name())
	log, err := s.box.Audit(ctx, s.host, q)
	a.progress.stop()
	if err != nil {
		return err
	}
	doc, err := s.box.NewAuditDocument(s.host, log)
	if err != nil {
		return err
	}
	return a.answer(doc, func(p *page) { auditText(p, doc) })
}
