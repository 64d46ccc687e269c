package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) touchCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "touch ID",
		Short:   "note that a sandbox is in use",
		Example: "  sandboxer touch nightly",
		Long: "Touch notes that a sandbox, by sandbox_id or exact name, is in use: its age is\n" +
			"counted from now. To look at a sandbox never counts as use.\n" +
			"The document is a SandboxStatus.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.amend(cmd.Context(), "touching", args[0], func(ctx context.Context, s session, id sandboxer.ID) (sandboxer.SandboxStatus, error) {
				return s.box.Touch(ctx, s.host, id)
			})
		},
	}
}
