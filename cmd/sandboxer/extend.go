package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) extendCommand() *cobra.Command {
	ttl := ageFlag(0)
	cmd := &cobra.Command{
		Use:   "extend ID --ttl HOURS",
		Short: "let a sandbox live on",
		Example: "  sandboxer extend nightly --ttl 24\n" +
			"  sandboxer --host coulombcore extend canary-4k9x0q2m7t3b --ttl 90m",
		Long: "Extend lets a sandbox, by sandbox_id or exact name, live for so long from now on,\n" +
			"whether it had an end before or not. It counts as use, as touch does.\n" +
			"The document is a SandboxStatus.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ttl.value == 0 {
				return &usageError{"extend wants --ttl", "sandboxer extend " + args[0] + " --ttl 24"}
			}
			return a.amend(cmd.Context(), "extending", args[0], func(ctx context.Context, s session, id sandboxer.ID) (sandboxer.SandboxStatus, error) {
				return s.box.Extend(ctx, s.host, id, ttl.value)
			})
		},
	}
	cmd.Flags().Var(ttl, "ttl", "from now on, in hours, or a duration such as 90m")
	return cmd
}
