package model

import (
	"errors"
	"fmt"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

const mostBoxes = 14

func (w *world) create() (string, error) {
	living := 0
	for _, b := range w.boxes {
		if b.at != removed {
			living++
		}
	}
	if living >= mostBoxes {
		return "", nil
	}
	s := w.engine.spec("")
	s.TTL = pick(w, []time.Duration{0, 0, time.Nanosecond, time.Hour, 30 * time.Hour})
	if w.chance(3) {
		s.Name = pick(w, []string{"fake99", "nightly", "x"})
	}
	w.mayCut()
	status, err := w.box.Create(w.t.Context(), w.m, s)
	said := fmt.Sprintf("%s %q ttl %v%s: %v", status.SandboxID, s.Name, s.TTL, w.cutOff(), err)
	if s.Name != "" {
		of, sure := w.bearer(s.Name)
		var refused *sandboxer.RefusedError
		taken := errors.As(err, &refused) && refused.Has("name_taken")
		if t := w.named(s.Name); t != nil && t.claims != "" { // it goes for one with that id
			of, sure = &box{}, true
		}
		if taken && of != nil {
			return said, nil
		}
		if sure && taken != (of != nil) {
			return said, fmt.Errorf("name %q: got %v, want it taken: %v", s.Name, err, of != nil)
		}
	}
	return said, w.created(status, s, err)
}

// bearer returns a sandbox that may have the name, and whether it surely has.
func (w *world) bearer(name string) (b *box, sure bool) {
	for _, other := range w.boxes {
		if other.name == name && other.at != removed {
			if b = other; !b.doubt {
				return b, true
			}
		}
	}
	return b, b == nil
}

func (w *world) created(status sandboxer.SandboxStatus, s sandboxer.Spec, err error) error {
	now := w.host()
	b := &box{id: status.SandboxID, name: s.Name, made: now, at: here, meta: true, registry: true, runs: true, holds: true, may: []facts{{updated: now}}}
	if s.TTL > 0 {
		b.may[0].expires = now.Add(s.TTL)
	}
	var failure *sandboxer.PhaseError
	switch {
	case err == nil && status.State == sandboxer.StateReady:
		b.inode = inode(w.m.root() + "/" + string(b.id))
	case w.cutOff() == "" || !errors.As(err, &failure):
		return fmt.Errorf("create: got %s, %v, want it ready", status.State, err)
	case len(failure.Left) > 0:
		w.doubt(b)
	default:
		b.gone()
	}
	if b.id != "" {
		w.boxes = append(w.boxes, b)
	}
	w.mayLitter(string(b.id))
	return nil
}
