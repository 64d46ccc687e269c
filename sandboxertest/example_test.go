package sandboxertest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sandboxertest"
)

// A policy, tried on a host that has gone wrong in several ways. In a test,
// NewHost closes the host by itself.
func Example() {
	host, err := sandboxertest.Open(sandboxertest.Scenario{
		Now:           time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		FreeDiskBytes: 2_500_000_000,
		Docker:        sandboxer.EngineOK,
		Sandboxes: []sandboxertest.Sandbox{
			{ID: "review-1", Age: time.Hour},
			{ID: "review-2", Age: 30 * time.Hour},
			{ID: "review-3", Age: 3 * time.Hour, TTL: 2 * time.Hour},
		},
		Unclaimed: []sandboxertest.Directory{{Name: "fake99", Age: 2 * time.Hour}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer host.Close()

	box := sandboxer.Sandboxer{Provisioners: engine.All(), Collector: probe.Collector{}, Root: host.Root(), Now: host.Now}
	obs, err := box.Inspect(context.Background(), host)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("free disk, GB:", *obs.Snapshot.DiskRootAvailGB)
	for _, s := range sandboxer.FindStale(obs, sandboxer.StalePolicy{}).StaleCandidates {
		fmt.Println(s.Ref, s.Class, s.BlockedBy)
	}
	// Output:
	// free disk, GB: 2.5
	// fake99 unclaimed [include_unclaimed]
	// review-2 aged []
	// review-3 expired []
}
