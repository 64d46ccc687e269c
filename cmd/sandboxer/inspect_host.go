package main

import (
	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) inspectHostCommand() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "host",
		Short: "show a host's numbers, and whether it can take another sandbox",
		Example: "  sandboxer inspect host\n" +
			"  sandboxer --host coulombcore inspect host -o json --exit-code",
		Long: "Inspect host shows load, memory, disks and engines of a host, and the verdict of\n" +
			"admission: whether it can take another sandbox. What could not be read is n/a\n" +
			"(null in JSON). The document is a HostSnapshot.",
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
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 unless admission is ok")
	return cmd
}
