package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
)

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
