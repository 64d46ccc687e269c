package main

import (
	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/schema"
)

func (a *app) schemaListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "list the schemas",
		Example: "  sandboxer schema list",
		Long:    "Schema list shows the schemas there are, and the kind of document each describes.",
		Args:    wants(),
		RunE: func(*cobra.Command, []string) error {
			var list struct {
				Schemas []schemaEntry `json:"schemas"`
			}
			var rows [][]string
			for _, name := range schema.Names() {
				e, err := schemaEntryOf(name)
				if err != nil {
					return err
				}
				list.Schemas = append(list.Schemas, e)
				rows = append(rows, []string{e.Name, e.Kind, e.File})
			}
			return a.answer(list, func(p *page) {
				p.table("", []string{"NAME", "KIND", "FILE"}, rows)
			})
		},
	}
}
