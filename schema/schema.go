// Package schema holds the JSON Schemas of the documents that sandboxer
// prints, stores and exports: draft 2020-12, one file per kind, each complete
// in itself. They are generated from the Go types.
//
// The schemas are open in two ways, so that a reader of today accepts the
// documents of tomorrow: objects may have further properties, and where the
// values of a string are listed, they are those known when the schema was
// made. Writers do not use that freedom: a value that could not be read is
// null, never absent.
//
// Package schema/validate checks documents against them.
package schema

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	sandboxer "github.com/tegwick/sand-boxer"
)

//go:generate go run ../internal/schemagen .. .

//go:embed *.schema.json
var files embed.FS

// suffix is what turns a short name into that of a file.
const suffix = ".v1.schema.json"

// Names returns the short names of all schemas, such as "host-snapshot",
// sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), suffix)
	}
	slices.Sort(names)
	return names
}

// Read returns one schema. It is called by its short name ("host-snapshot"),
// its file ("host-snapshot.v1.schema.json"), its $id, or the kind of document
// it describes ("HostSnapshot").
func Read(name string) ([]byte, error) {
	short := strings.TrimSuffix(strings.TrimPrefix(name, sandboxer.SchemaBase), suffix)
	if file := sandboxer.Kind(name).SchemaFile(); file != "" {
		short = strings.TrimSuffix(file, suffix)
	}
	if !slices.Contains(Names(), short) {
		return nil, fmt.Errorf("no schema is called %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	return files.ReadFile(short + suffix)
}
