package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/schema"
)

func (a *app) schemaPrintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "print NAME",
		Short: "print one schema",
		Example: "  sandboxer schema print host-snapshot\n" +
			"  sandboxer schema print SandboxStatus > sandbox-status.schema.json",
		Long:      "Schema print prints one schema, called by its name, its kind, its file or its $id.",
		Args:      wants("NAME"),
		ValidArgs: schema.Names(),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := schema.Read(args[0])
			if err != nil {
				return unknownSchema(args[0])
			}
			return a.print(data)
		},
	}
}

func unknownSchema(name string) error {
	err := misused("no schema is called %s", quote(name))
	if best := closest(name, schema.Names()); best != "" {
		err.hint = "did you mean " + best + "?"
	} else {
		err.hint = "there are " + strings.Join(schema.Names(), ", ")
	}
	return err
}
