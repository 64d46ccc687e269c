package main

import (
	"github.com/spf13/cobra"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the sandboxes of a host",
		Example: "  sandboxer list\n" +
			"  sandboxer --host coulombcore list -o json",
		Long: "List shows the sandboxes of the user on the host, whoever created them from\n" +
			"where. The document is an Inventory, the one of inspect inventory; the text\n" +
			"leaves out what is no sandbox.",
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
			return a.answer(doc, func(p *page) { listText(p, doc, obs.Snapshot.ObservedAt) })
		},
	}
}
