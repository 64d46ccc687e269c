package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectStaleCommand() *cobra.Command {
	olderThan, exitCode := ageFlag(sandboxer.DefaultOlderThan), false
	cmd := &cobra.Command{
		Use:   "stale",
		Short: "list what is left behind on a host",
		Example: "  sandboxer inspect stale\n" +
			"  sandboxer --host coulombcore inspect stale --older-than 48 --exit-code",
		Long: "Inspect stale lists everything in the directory of the sandboxes that is not a\n" +
			"live sandbox, whatever its age, with the reasons why it may not be removed yet.\n" +
			"It removes nothing. --older-than is the age from which a sandbox without an end\n" +
			"counts; given, it also keeps younger ones of every class from removal.\n" +
			"The document is a StaleReport.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var policy sandboxer.StalePolicy
			if cmd.Flags().Changed("older-than") {
				policy.OlderThan = olderThan.value
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
	cmd.Flags().Var(olderThan, "older-than", "age in hours, or a duration such as 90m")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 if there are candidates")
	return cmd
}
