package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect",
		Short: "look at a host, or at many, without changing anything",
		Example: "  sandboxer inspect host\n" +
			"  sandboxer --host coulombcore inspect stale --older-than 48\n" +
			"  sandboxer inspect host --hosts-file site.txt",
		Long: "Inspect looks at a host in one round trip and changes nothing on it.\n\n" +
			"With more than one --host, or with --hosts-file, it looks at several hosts side\n" +
			"by side, and the document is a list, in the order they were named. A host that\n" +
			"fails is a row with its error: the others go on, and the exit code is 3.\n" +
			"--timeout is then for each host by itself, from when its turn comes. The file\n" +
			"has a name on each line; # begins a comment.",
		Args: cobra.ArbitraryArgs,
		RunE: a.group,
	}
	new(hostsFlags).register(cmd.Flags()) // for its help: it wants a command
	cmd.AddCommand(a.inspectHostCommand(), a.inspectInventoryCommand(), a.inspectStaleCommand())
	return cmd
}

// inspect is the one look at a host that the reading verbs take.
func (a *app) inspect(ctx context.Context, s session) (sandboxer.Observation, error) {
	return a.look(ctx, s, s.box.Inspect)
}

func (a *app) look(ctx context.Context, s session, look func(context.Context, sandboxer.Host) (sandboxer.Observation, error)) (sandboxer.Observation, error) {
	a.follow("looking at %s", s.host.Name())
	defer a.progress.stop()
	return look(ctx, s.host)
}
