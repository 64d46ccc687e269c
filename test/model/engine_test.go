package model

import sandboxer "github.com/tegwick/sand-boxer"

// An engine is what sandboxes run in, and the ways around sandboxer to look
// into it and to spoil it.
type engine struct {
	sandboxer.Provisioner
	spec  func(name string) sandboxer.Spec
	holds func() (map[sandboxer.ID]bool, error) // of which sandboxes it has something
	end   func(b *box) error                    // ends what runs of b, and sets b.holds to what is left then
	lose  func(b *box) error                    // removes all it has of b

	alone bool // all of it is this world's: ids and nonces may come from the seed
	note  bool // that a sandbox runs is told by a note in its directory
	self  bool // what the note names is none of the sandbox's own: it outlives all of them

	shared    bool               // others have things in it, too
	strangers map[string]verdict // what a look shows of things in it that are no sandbox's
	check     func() error       // that these are as they were; may be nil
}
