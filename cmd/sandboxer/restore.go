package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "restore ID",
		Short:   "bring back a directory that was reaped",
		Example: "  sandboxer restore canary-4k9x0q2m7t3b\n  sandboxer --host coulombcore restore fake99",
		Long: "Restore brings back the directory of a sandbox, by sandbox_id, or another, by\n" +
			"name, from the trash, where reap-stale keeps it for a day unless --keep-trash\n" +
			"says otherwise; inspect inventory shows what is there. Containers, networks and\n" +
			"volumes stay gone: the sandbox is failed, and held for a day from the next reap.\n" +
			"The document is a SandboxStatus.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.amend(cmd.Context(), "restoring", args[0], func(ctx context.Context, s session, id sandboxer.ID) (sandboxer.SandboxStatus, error) {
				return s.box.Restore(ctx, s.host, id)
			})
		},
	}
}
