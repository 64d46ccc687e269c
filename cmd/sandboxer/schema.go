package main

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/schema"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "show the JSON Schemas of the documents, and check documents",
		Example: "  sandboxer schema list\n" +
			"  sandboxer schema print HostSnapshot > host-snapshot.schema.json\n" +
			"  sandboxer inspect host -o json | sandboxer schema validate -",
		Long: "Schema shows the JSON Schemas (draft 2020-12) of all documents that sandboxer\n" +
			"prints and stores, and checks documents against them. It needs no host.",
		Args: cobra.ArbitraryArgs,
		RunE: a.group,
	}
	cmd.AddCommand(a.schemaListCommand(), a.schemaPrintCommand(), a.schemaValidateCommand())
	return cmd
}

// schemaEntry is one schema as schema list shows it.
type schemaEntry struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	File string `json:"file"`
	ID   string `json:"id"`
}

func schemaEntryOf(name string) (schemaEntry, error) {
	data, err := schema.Read(name)
	if err != nil {
		return schemaEntry{}, err
	}
	var head struct {
		ID    string `json:"$id"`
		Title string `json:"title"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return schemaEntry{}, fmt.Errorf("read schema %q: %w", name, err)
	}
	return schemaEntry{Name: name, Kind: head.Title, File: path.Base(head.ID), ID: head.ID}, nil
}
