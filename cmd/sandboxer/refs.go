package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
)

// parseRefs reads ids or names; all of them are right or nothing is done.
func parseRefs(args []string) ([]sandboxer.ID, error) {
	ids := make([]sandboxer.ID, len(args))
	for i, arg := range args {
		id, err := sandboxer.ParseRef(arg)
		if err != nil {
			return nil, misused("%v", err)
		}
		ids[i] = id
	}
	return ids, nil
}

// elsewhere adds to "no such sandbox" the host on which the local artifact
// says it is.
func elsewhere(err error, here sandboxer.Host, id sandboxer.ID) error {
	if !errors.Is(err, sandboxer.ErrNotFound) {
		return err
	}
	if there := artifactHost(id); there != "" && there != here.Name() {
		return &hintedError{err, fmt.Sprintf("it was created on host %s: sandboxer --host %s destroy %s", there, there, id)}
	}
	return err
}

// artifactHost returns the host that the local artifact of a sandbox names,
// or "" where there is none that can be read.
func artifactHost(id sandboxer.ID) string {
	data, err := os.ReadFile(filepath.Join(jsonfile.DefaultDir(), string(id)+".json"))
	if err != nil {
		return ""
	}
	var doc sandboxer.SandboxStatus
	if json.Unmarshal(data, &doc) != nil || doc.SandboxID != id {
		return ""
	}
	return doc.Host.Name
}
