package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/schema/validate"
)

func (a *app) schemaValidateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate FILE",
		Short: "check a document against its schema",
		Example: "  sandboxer schema validate ~/.local/share/sandboxer/telemetry/canary-4k9x0q2m7t3b.json\n" +
			"  sandboxer list -o json | sandboxer schema validate -",
		Long: "Schema validate checks the document in FILE, or on standard input where FILE is\n" +
			"-, against the schema of its own kind, and prints which one that is. It exits\n" +
			"with 1, and says where, if the document differs from it.",
		Args: wants("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := a.readFile(args[0], maxDocument)
			if err != nil {
				return err
			}
			kind, err := validate.Document(data)
			if err != nil {
				return invalidDocument(args[0], err)
			}
			e, err := schemaEntryOf(string(kind))
			if err != nil {
				return err
			}
			return a.answer(e, func(p *page) { p.line(fmt.Sprintf("%s: a valid %s (%s)", args[0], e.Kind, e.File)) })
		},
	}
}

// maxDocument is far above what any host has to tell.
const maxDocument = 256 << 20

func (a *app) readFile(name string, limit int64) ([]byte, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// invalidDocument makes each problem a reason of its own.
func invalidDocument(name string, err error) error {
	var invalid *validate.Error
	if !errors.As(err, &invalid) {
		return fmt.Errorf("%s: %w", name, err)
	}
	out := &reasonsError{message: fmt.Sprintf("%s: not a valid %s", name, invalid.Kind)}
	for _, p := range invalid.Problems {
		out.reasons = append(out.reasons, sandboxer.Reason{Code: "schema", Message: p.String()})
	}
	return out
}
