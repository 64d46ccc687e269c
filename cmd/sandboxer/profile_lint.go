package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/profile"
)

func (a *app) profileLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint PROFILE",
		Short: "say what in a profile a create would refuse",
		Example: "  sandboxer profile lint ./web\n" +
			"  sandboxer profile lint web && sandboxer create web",
		Long: "Profile lint shows what is found in a profile, the worst first: an error, which\n" +
			"nothing overrides; what create refuses unless it is told --allow and the code; a\n" +
			"warning. It exits with 4 if create would refuse the profile, and with 1 if the\n" +
			"profile cannot be read.\n\nWhat --allow accepts:\n" + allowable(),
		Args: wants("PROFILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			quietLoader()
			if profile.BuiltIn(args[0]) {
				return misused("profile %s is built in: there is nothing to check", quote(args[0]))
			}
			loaded, err := profile.Open(cmd.Context(), args[0])
			if err != nil {
				return hereError(err)
			}
			doc := lintDocument{Profile: loaded.Name, Path: loaded.Dir, Findings: append([]profile.Finding{}, loaded.Findings...)}
			if err := a.answer(doc, func(p *page) { findingsText(p, loaded) }); err != nil {
				return err
			}
			if _, err := loaded.Spec(); err != nil {
				return &outcomeError{code: exitRefused, message: "create would refuse this profile"}
			}
			return nil
		},
	}
}

// lintDocument is what profile lint prints.
type lintDocument struct {
	Profile  string            `json:"profile"`
	Path     string            `json:"path"`
	Findings []profile.Finding `json:"findings"`
}

func findingsText(p *page, loaded *profile.Profile) {
	if len(loaded.Findings) == 0 {
		p.line(fmt.Sprintf("%s: nothing to find fault with", loaded.Name))
		return
	}
	var rows [][]string
	for _, f := range loaded.Findings {
		rows = append(rows, []string{string(f.Level), string(f.Code), f.Service, f.Message})
	}
	p.table("", []string{"LEVEL", "CODE", "SERVICE", "MESSAGE"}, rows)
}

// allowable lists the codes for --allow with what each means.
func allowable() string {
	var b strings.Builder
	for _, c := range profile.RefusableCodes() {
		fmt.Fprintf(&b, "  %-18s %s\n", c.Code, c.Means)
	}
	return b.String()
}
