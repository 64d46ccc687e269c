package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "look at a host without changing it",
		Example: "  sandboxer inspect host\n" +
			"  sandboxer --host coulombcore inspect stale --older-than 48",
		Long: "Inspect looks at a host in one round trip and changes nothing on it.",
		Args: cobra.ArbitraryArgs,
		RunE: a.group,
	}
	cmd.AddCommand(a.inspectHostCommand(), a.inspectInventoryCommand(), a.inspectStaleCommand())
	return cmd
}

// inspect is the one look at a host that the reading verbs take.
func (a *app) inspect(ctx context.Context, s session) (sandboxer.Observation, error) {
	a.follow("looking at %s", s.host.Name())
	defer a.progress.stop()
	return s.box.Inspect(ctx, s.host)
}
