package jsonfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
)

func ExampleExporter() {
	dir, err := os.MkdirTemp("", "telemetry")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	reports := jsonfile.Exporter{Dir: dir}
	status := sandboxer.SandboxStatus{SandboxID: "canary-4k9x0q2m7t3b", State: sandboxer.StateReady}
	if err := reports.Export(context.Background(), status); err != nil {
		fmt.Println(err)
		return
	}
	info, err := os.Stat(reports.Artifact(status))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(filepath.Base(reports.Artifact(status)), info.Mode())
	// Output:
	// canary-4k9x0q2m7t3b.json -rw-------
}
