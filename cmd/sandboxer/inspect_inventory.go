package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectInventoryCommand() *cobra.Command {
	var flags hostsFlags
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "show everything on a host that is, or may have been, a sandbox",
		Example: "  sandboxer inspect inventory\n" +
			"  sandboxer --host coulombcore inspect inventory -o json\n" +
			"  sandboxer inspect inventory --hosts-file site.txt",
		Long: "Inspect inventory shows sandboxes, other entries of their directory, compose\n" +
			"projects and leftovers, and which sources could not be read in full. The\n" +
			"document is an Inventory.\n\n" +
			"With more than one --host, or with --hosts-file, the document is an\n" +
			"InventoryList.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, list, err := a.chosenHosts(cmd, flags)
			if err != nil {
				return err
			}
			if list {
				return a.inspectInventories(cmd.Context(), names, flags)
			}
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
	flags.register(cmd.Flags())
	return cmd
}

// An inventoryRow is what inspect inventory keeps of one of several hosts.
type inventoryRow struct {
	doc sandboxer.InventoryDocument
	now *time.Time // the host's clock
}

func (a *app) inspectInventories(ctx context.Context, names []string, flags hostsFlags) error {
	box, err := a.equipped()
	if err != nil {
		return err
	}
	looks := inspectSeveral(ctx, a, box, names, flags, func(host sandboxer.Host, obs sandboxer.Observation) (inventoryRow, error) {
		doc, err := box.NewInventoryDocument(host, obs)
		return inventoryRow{doc, obs.Snapshot.ObservedAt}, err
	})
	list, err := box.NewInventoryList(parts(looks, func(r inventoryRow) sandboxer.InventoryDocument { return r.doc }))
	if err != nil {
		return err
	}
	text := func(p *page, r inventoryRow) { inventoryText(p, r.doc, r.now) }
	if err := a.answer(list, func(p *page) { sectionsText(p, looks, text) }); err != nil {
		return err
	}
	return outcomeOf(looks, "")
}
