// Package sandboxertest helps to test programs that use sandboxer: a fake host
// made from a Scenario, and TestHost, which puts every promise of
// sandboxer.Host to an implementation of it.
package sandboxertest

import (
	"fmt"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// A Scenario says what a fake host holds. The zero value is a bare machine:
// no engine, no sandbox, the clock and the disk of this one.
type Scenario struct {
	// Now is the host's clock, which stands still; see Host.SetNow. Zero
	// is the clock of this machine.
	Now time.Time

	// FreeDiskBytes is what ordinary users may still write to each file
	// system. Zero is what this machine has.
	FreeDiskBytes int64

	// Docker is absent unless it says otherwise: EngineOK, EngineDown, or
	// EngineUnresponsive.
	Docker sandboxer.EngineState

	Sandboxes []Sandbox
	Unclaimed []Directory
}

// A Sandbox is one that somebody created with sandboxer. The zero value of
// every field but ID is a healthy one, made an hour ago, that runs on docker.
type Sandbox struct {
	ID      sandboxer.ID
	Name    string
	Profile string               // empty is "profile.test"
	Labels  map[string]string    // of its record
	Engine  sandboxer.Engine     // empty is docker
	State   sandboxer.State      // empty is ready
	Op      *sandboxer.Operation // under way, or interrupted
	Age     time.Duration        // since it was created, and its containers started; zero is an hour
	TTL     time.Duration        // zero is none
	Stopped bool                 // its container has exited, at once

	NoResources bool // the engine holds nothing of it
	NoDirectory bool // its directory is gone
	NoRegistry  bool // its record outside the directory is gone
	Corrupt     bool // its metadata cannot be read
}

// A Directory is one under the root that sandboxer did not make.
type Directory struct {
	Name string
	Age  time.Duration // since the last change in it
}

// nonce makes one that differs from sandbox to sandbox, and not from run to
// run.
func nonce(id sandboxer.ID) string { return fmt.Sprintf("%032x", []byte(id))[:32] }

// record is what sandboxer would have stored.
func (s Sandbox) record(h *Host) sandboxer.Record {
	age := s.Age
	if age == 0 {
		age = time.Hour
	}
	created := h.Now().Add(-age).UTC()
	rec := sandboxer.Record{
		Schema: sandboxer.RecordSchema, SandboxID: s.ID, Nonce: nonce(s.ID), Name: s.Name, Profile: s.Profile, Labels: s.Labels,
		Owner:     sandboxer.Owner{User: h.user, UID: h.uid, Controller: "test"},
		MachineID: h.machineID, BootID: h.bootID, Root: h.Root(),
		Engine: s.Engine, State: s.State, Op: s.Op, CreatedAt: created, UpdatedAt: created,
	}
	if rec.Profile == "" {
		rec.Profile = "profile.test"
	}
	if rec.Engine == "" {
		rec.Engine = sandboxer.EngineDocker
	}
	if rec.State == "" {
		rec.State = sandboxer.StateReady
	}
	if s.TTL != 0 {
		rec.ExpiresAt = new(created.Add(s.TTL))
	}
	return rec
}
