package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/profile"
)

// profileEntry is one profile as profile list shows it.
type profileEntry struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases"`
	Summary string   `json:"summary"`
	Path    *string  `json:"path"`    // null where it is built in
	Problem *string  `json:"problem"` // null where create would take it
}

func (a *app) profileListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the profiles that have a name",
		Example: "  sandboxer profile list",
		Long: "Profile list shows the profiles that are built in, and those of the user in\n" +
			"~/.config/sandboxer/profiles, with what stands in the way of a create.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			quietLoader()
			list := struct {
				Profiles []profileEntry `json:"profiles"`
			}{}
			var rows [][]string
			for _, info := range profile.List() {
				e := profileEntry{Name: info.Name, Aliases: append([]string{}, info.Aliases...), Summary: info.Summary}
				if info.Path != "" {
					e.Path = &info.Path
					e.Problem = profileProblem(cmd, info)
				}
				list.Profiles = append(list.Profiles, e)
				name := strings.Join(append([]string{e.Name}, e.Aliases...), ", ")
				rows = append(rows, []string{name, cmp.Or(e.Summary, none), text(e.Path), text(e.Problem)})
			}
			return a.answer(list, func(p *page) {
				p.table("", []string{"NAME", "SUMMARY", "PATH", "PROBLEM"}, rows)
			})
		},
	}
}

// profileProblem says in a few words why a create would not take a profile.
func profileProblem(cmd *cobra.Command, info profile.Info) *string {
	if profile.BuiltIn(info.Name) {
		s := "hidden by a built-in profile of that name"
		return &s
	}
	p, err := profile.Load(cmd.Context(), info.Path)
	if err != nil {
		s := err.Error()
		var load *profile.LoadError
		if errors.As(err, &load) {
			s = load.Err.Error() // the path stands beside it
		}
		return &s
	}
	var codes []string
	seen := map[profile.Code]bool{}
	for _, f := range p.Findings {
		if f.Level != profile.Warning && !seen[f.Code] {
			seen[f.Code] = true
			codes = append(codes, fmt.Sprintf("%s: %s", f.Level, f.Code))
		}
	}
	if len(codes) == 0 {
		return nil
	}
	s := strings.Join(codes, ", ")
	return &s
}
