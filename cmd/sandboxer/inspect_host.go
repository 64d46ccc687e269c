package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectHostCommand() *cobra.Command {
	var flags hostsFlags
	var exitCode bool
	var watch alertFlags
	cmd := &cobra.Command{
		Use:   "host",
		Short: "show a host's numbers, and whether it can take another sandbox",
		Example: "  sandboxer inspect host\n" +
			"  sandboxer --host coulombcore inspect host -o json --exit-code\n" +
			"  sandboxer --host coulombcore --host local inspect host\n" +
			"  sandboxer inspect host --hosts-file site.txt\n" +
			"  sandboxer --host coulombcore inspect host -q --exit-code --alert 'disk_root_avail_gb<10'",
		Long: "Inspect host shows load, memory, disks and engines of a host, and the verdict of\n" +
			"admission: whether it can take another sandbox. What could not be read is n/a\n" +
			"(null in JSON). The document is a HostSnapshot.\n\n" +
			"With --alert or --alert-policy each value that a rule watches raises an alert when\n" +
			"it is past the rule's bound, and clears it when it is well again, from clear= on\n" +
			"(a tenth of the bound away): count=M,of=N asks for M of the last N looks. What was\n" +
			"raised is remembered in ~/.local/state/sandboxer/alerts, changes are said on\n" +
			"standard error, and all of it is in the document.\n\n" +
			"With more than one --host, or with --hosts-file, the document is a\n" +
			"HostSnapshotList: the text has a row for each host, where a + behind a number\n" +
			"says that not all could be read.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := watch.load(); err != nil {
				return err
			}
			names, list, err := a.chosenHosts(cmd, flags)
			if err != nil {
				return err
			}
			if list {
				return a.inspectHosts(cmd.Context(), names, flags, &watch, exitCode)
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
			if doc.Alerts, err = a.alerts(s.host, obs, &watch); err != nil {
				return err
			}
			if err := a.answer(doc, func(p *page) { hostText(p, doc) }); err != nil {
				return err
			}
			if finding := unwell(doc); exitCode && finding != "" {
				return &outcomeError{code: exitPartly, message: finding}
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	watch.register(cmd.Flags())
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 unless admission is ok and no alert is raised")
	return cmd
}

// unwell says what --exit-code has to tell of a host, or nothing.
func unwell(doc sandboxer.SnapshotDocument) string {
	var said []string
	if doc.Admission.Verdict != sandboxer.AdmitOK {
		said = append(said, "admission: "+string(doc.Admission.Verdict))
	}
	if raised := raisedAlerts(doc.Alerts); len(raised) > 0 {
		said = append(said, "alerts: "+strings.Join(raised, ", "))
	}
	return strings.Join(said, "; ")
}

// A hostRow is what inspect host keeps of one of several hosts.
type hostRow struct {
	doc              sandboxer.SnapshotDocument
	sandboxes, stale int
	complete         bool // the inventory behind those two numbers
}

func (a *app) inspectHosts(ctx context.Context, names []string, flags hostsFlags, watch *alertFlags, exitCode bool) error {
	box, err := a.equipped()
	if err != nil {
		return err
	}
	looks := inspectSeveral(ctx, a, box, names, flags, func(host sandboxer.Host, obs sandboxer.Observation) (hostRow, error) {
		doc, err := box.NewSnapshotDocument(host, obs)
		if err == nil {
			doc.Alerts, err = a.alerts(host, obs, watch)
		}
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
		if unwell(doc) != "" {
			not++
		}
	}
	if exitCode && not > 0 {
		what := "admission"
		if watch.policy != nil {
			what += " or alerts"
		}
		finding = fmt.Sprintf("%s: not ok on %d of %s", what, not, plural(len(looks), "host", "hosts"))
	}
	return outcomeOf(looks, finding)
}
