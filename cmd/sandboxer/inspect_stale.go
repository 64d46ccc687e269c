package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectStaleCommand() *cobra.Command {
	var flags hostsFlags
	olderThan, exitCode := ageFlag(sandboxer.DefaultOlderThan), false
	cmd := &cobra.Command{
		Use:   "stale",
		Short: "list what is left behind on a host",
		Example: "  sandboxer inspect stale\n" +
			"  sandboxer --host coulombcore inspect stale --older-than 48 --exit-code\n" +
			"  sandboxer inspect stale --hosts-file site.txt --exit-code",
		Long: "Inspect stale lists everything in the directory of the sandboxes that is not a\n" +
			"live sandbox, whatever its age, with the reasons why it may not be removed yet.\n" +
			"It removes nothing. --older-than is the age from which a sandbox without an end\n" +
			"counts; given, it also keeps younger ones of every class from removal.\n" +
			"The document is a StaleReport.\n\n" +
			"With more than one --host, or with --hosts-file, the document is a\n" +
			"StaleReportList.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var policy sandboxer.StalePolicy
			if cmd.Flags().Changed("older-than") {
				policy.OlderThan = olderThan.value
			}
			names, list, err := a.chosenHosts(cmd, flags)
			if err != nil {
				return err
			}
			if list {
				return a.inspectStales(cmd.Context(), names, flags, policy, exitCode)
			}
			ctx, s, err := a.open(cmd.Context(), readLimit)
			if err != nil {
				return err
			}
			defer s.close()
			sparing()
			obs, err := a.inspect(ctx, s)
			if err != nil {
				return err
			}
			frugal(obs)
			doc, err := s.box.NewStaleDocument(s.host, obs, sandboxer.FindStale(obs, policy))
			if err != nil {
				return err
			}
			if err := a.answer(doc, func(p *page) { staleText(p, doc) }); err != nil {
				return err
			}
			if n := len(doc.StaleCandidates); exitCode && n > 0 {
				return &outcomeError{code: exitPartly, message: fmt.Sprintf("stale candidates: %d", n)}
			}
			return nil
		},
	}
	flags.register(cmd.Flags())
	cmd.Flags().Var(olderThan, "older-than", "age in hours, or a duration such as 90m")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 if there are candidates")
	return cmd
}

func (a *app) inspectStales(ctx context.Context, names []string, flags hostsFlags, policy sandboxer.StalePolicy, exitCode bool) error {
	box, err := a.equipped()
	if err != nil {
		return err
	}
	looks := inspectSeveral(ctx, a, box, names, flags, func(host sandboxer.Host, obs sandboxer.Observation) (sandboxer.StaleDocument, error) {
		return box.NewStaleDocument(host, obs, sandboxer.FindStale(obs, policy))
	})
	list, err := box.NewStaleList(parts(looks, func(doc sandboxer.StaleDocument) sandboxer.StaleDocument { return doc }))
	if err != nil {
		return err
	}
	if err := a.answer(list, func(p *page) { sectionsText(p, looks, staleText) }); err != nil {
		return err
	}
	finding, found, hosts := "", 0, 0
	for _, doc := range list.Items {
		if n := len(doc.StaleCandidates); n > 0 {
			found, hosts = found+n, hosts+1
		}
	}
	if exitCode && found > 0 {
		finding = fmt.Sprintf("stale candidates: %d, on %d of %s", found, hosts, plural(len(looks), "host", "hosts"))
	}
	return outcomeOf(looks, finding)
}
