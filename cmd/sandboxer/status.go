package main

import (
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status ID",
		Short: "show one sandbox and its last report",
		Example: "  sandboxer status canary-4k9x0q2m7t3b\n" +
			"  sandboxer --host coulombcore status nightly -o json",
		Long: "Status shows one sandbox, by sandbox_id or exact name: its state now, and the\n" +
			"telemetry that its create or destroy left on the host.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseRefs(args)
			if err != nil {
				return err
			}
			ctx, s, err := a.open(cmd.Context(), readLimit)
			if err != nil {
				return err
			}
			defer s.close()
			a.follow("looking for %s on %s", ids[0], s.host.Name())
			status, err := s.box.Status(ctx, s.host, ids[0])
			a.progress.stop()
			if err != nil {
				return elsewhere(err, s.host, ids[0])
			}
			return a.answer(status, func(p *page) { statusText(p, status) })
		},
	}
}
