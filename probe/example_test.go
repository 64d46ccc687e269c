package probe_test

import (
	"context"
	"fmt"
	"log"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

// One look at a host. Here it is a fake one; localhost.Host and sshhost.Host
// are looked at in the same way.
func ExampleCollector() {
	host, err := sandboxertest.Open(sandboxertest.Scenario{
		Docker:    sandboxer.EngineOK,
		Sandboxes: []sandboxertest.Sandbox{{ID: "review-1", Age: 2 * time.Hour}},
		Unclaimed: []sandboxertest.Directory{{Name: "fake99"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer host.Close()

	obs, err := probe.Collector{}.Collect(context.Background(), host, sandboxer.CollectOptions{Root: host.Root()})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range obs.Snapshot.Engines {
		fmt.Println("engine", e.Name, e.Status)
	}
	for _, s := range obs.Inventory.Sandboxes {
		fmt.Println("sandbox", s.SandboxID, s.State, len(s.Resources), "resources")
	}
	for _, d := range obs.Inventory.Directories {
		fmt.Println("unclaimed", d.Name)
	}
	fmt.Println("complete:", obs.Inventory.Complete)
	// Output:
	// engine docker ok
	// engine podman absent
	// engine process ok
	// sandbox review-1 ready 4 resources
	// unclaimed fake99
	// complete: true
}
