package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectHostCommand() *cobra.Command {
	var flags hostsFlags
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "host",
		Short: "show a host's numbers, and whether it can take another sandbox",
		Example: "  sandboxer inspect host\n" +
			"  sandboxer --host coulombcore inspect host -o json --exit-code\n" +
			"  sandboxer --host coulombcore --host local inspect host\n" +
			"  sandboxer inspect host --hosts-file site.txt",
		Long: "Inspect host shows load, memory, disks and engines of a host, and the verdict of\n" +
			"admission: whether it can take another sandbox. What could not be read is n/a\n" +
			"(null in JSON). The document is a HostSnapshot.\n\n" +
			"With more than one --host, or with --hosts-file, the document is a\n" +
			"HostSnapshotList: the text has a row for each host, where a + behind a number\n" +
			"says that not all could be read.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, list, err := a.chosenHosts(cmd, flags)
			if err != nil {
				return err
			}
			if list {
				return a.inspectHosts(cmd.Context(), names, flags, exitCode)
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
			doc, err := s.box.NewSnapshotDocument(s.host, obs)
			if err != nil {
				return err
			}
			if err := a.answer(doc, func(p *page) { hostText(p, doc) }); err != nil {
				return err
			}
			if exitCode && doc.Admission.Verdict != sandboxer.AdmitOK {
				return &outcomeError{code: exitPartly, message: "admission: " + string(doc.Admission.Verdict)}
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 unless admission is ok")
	return cmd
}

// A hostRow is what inspect host keeps of one of several hosts.
type hostRow struct {
	doc              sandboxer.SnapshotDocument
	sandboxes, stale int
	complete         bool // the inventory behind those two numbers
}

func (a *app) inspectHosts(ctx context.Context, names []string, flags hostsFlags, exitCode bool) error {
	box, err := a.equipped()
	if err != nil {
		return err
	}
	looks := inspectSeveral(ctx, a, box, names, flags, func(host sandboxer.Host, obs sandboxer.Observation) (hostRow, error) {
		doc, err := box.NewSnapshotDocument(host, obs)
		doc.Objects = nil // to be compared; here there is nothing to compare with
		stale := sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates
		return hostRow{doc, len(obs.Inventory.Sandboxes), len(stale), obs.Inventory.Complete}, err
	})
	items, failed := parts(looks, func(r hostRow) sandboxer.SnapshotDocument { return r.doc })
	list, err := box.NewSnapshotList(items, failed)
	if err != nil {
		return err
	}
	if err := a.answer(list, func(p *page) { hostsText(p, looks) }); err != nil {
		return err
	}
	finding, not := "", 0
	for _, doc := range items {
		if doc.Admission.Verdict != sandboxer.AdmitOK {
			not++
		}
	}
	if exitCode && not > 0 {
		finding = fmt.Sprintf("admission: not ok on %d of %s", not, plural(len(looks), "host", "hosts"))
	}
	return outcomeOf(looks, finding)
}
