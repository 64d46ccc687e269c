package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "release ID",
		Short:   "end a hold",
		Example: "  sandboxer release nightly",
		Long: "Release ends the hold of a sandbox, by sandbox_id or exact name, if there is one.\n" +
			"The document is a SandboxStatus.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.amend(cmd.Context(), "releasing", args[0], func(ctx context.Context, s session, id sandboxer.ID) (sandboxer.SandboxStatus, error) {
				return s.box.Release(ctx, s.host, id)
			})
		},
	}
}
