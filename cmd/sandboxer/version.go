package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "say which build this is",
		Example: "  sandboxer version",
		Long: "Version says which build this is, as the Go toolchain stamped it. Its JSON is an\n" +
			"object with name, version, commit, schema_version (that of the documents which\n" +
			"the other commands print), go and platform; it has no schema of its own.",
		Args: wants(),
		RunE: func(*cobra.Command, []string) error {
			build := sandboxer.ThisProducer()
			v := struct {
				Name          string `json:"name"`
				Version       string `json:"version"`
				Commit        string `json:"commit"`
				SchemaVersion string `json:"schema_version"`
				Go            string `json:"go"`
				Platform      string `json:"platform"`
			}{build.Name, build.Version, build.Commit, sandboxer.SchemaVersion, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			return a.answer(v, func(p *page) {
				p.line(fmt.Sprintf("%s %s (commit %s, schema %s, %s, %s)", v.Name, v.Version, v.Commit, v.SchemaVersion, v.Go, v.Platform))
			})
		},
	}
}
