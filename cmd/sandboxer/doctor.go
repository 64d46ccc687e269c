package main

import (
	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) doctorCommand() *cobra.Command {
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "say what would stop a create on a host, and what mends it",
		Example: "  sandboxer doctor\n" +
			"  sandboxer --host coulombcore doctor --exit-code",
		Long: "Doctor looks at a host for what would stop a create or a destroy there, and says\n" +
			"what mends it. It changes nothing. A finding of fail would stop them; with warn\n" +
			"they go on without something. It exits with 0 whatever it finds, unless\n" +
			"--exit-code is given. The document is a DoctorReport.",
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
			doc, err := s.box.NewDoctorReport(s.host, obs)
			if err != nil {
				return err
			}
			if err := a.answer(doc, func(p *page) { doctorText(p, doc) }); err != nil {
				return err
			}
			if worst := worstFinding(doc.Findings); exitCode && worst == sandboxer.Fail {
				return &outcomeError{code: exitPartly, message: "something here would stop a create or a destroy"}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 3 if a finding is fail")
	return cmd
}
