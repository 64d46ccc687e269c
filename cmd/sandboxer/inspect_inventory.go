package main

import (
	"github.com/spf13/cobra"
)

func (a *app) inspectInventoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inventory",
		Short: "show everything on a host that is, or may have been, a sandbox",
		Example: "  sandboxer inspect inventory\n" +
			"  sandboxer --host coulombcore inspect inventory -o json",
		Long: "Inspect inventory shows sandboxes, other entries of their directory, compose\n" +
			"projects and leftovers, and which sources could not be read in full. The\n" +
			"document is an Inventory.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, s, err := a.open(cmd.Context(), readLimit)
			if err != nil {
				return err
			}
			defer s.close()
			obs, err := a.inspect(ctx, s)
			if err != nil {
				return err
			}
			doc, err := s.box.NewInventoryDocument(s.host, obs)
			if err != nil {
				return err
			}
			return a.answer(doc, func(p *page) { inventoryText(p, doc, obs.Snapshot.ObservedAt) })
		},
	}
}
