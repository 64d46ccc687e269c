package model

import (
	"errors"
	"fmt"
	"slices"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

// An operation is something that is done to a world. It returns what it did, or
// nothing where there was nothing to do it to; an error is a promise broken.
type operation struct {
	name   string
	weight int
	run    func(w *world) (string, error)
}

func operations() []operation {
	return append([]operation{
		{"create", 16, (*world).create},
		{"destroy", 6, (*world).destroy},
		{"reap", 14, (*world).reap},
		{"extend", 4, (*world).extend},
		{"touch", 3, (*world).touch},
		{"hold", 3, (*world).hold},
		{"release", 4, (*world).release},
		{"restore", 6, (*world).restore},
		{"jump", 8, (*world).jump},
		{"skew", 3, (*world).skewClock},
	}, accidents()...)
}

// mayCut cuts off every third operation somewhere.
func (w *world) mayCut() {
	w.m.cut = nil
	if w.calm || !w.chance(3) {
		return
	}
	c := cut{dark: w.chance(2)}
	if w.chance(4) {
		c.answer = 1 + w.rng.IntN(4)
	} else {
		c.tool, c.late = 1+w.rng.IntN(40), w.chance(2)
		c.signal = pick(w, []string{"KILL", "KILL", "TERM"})
	}
	w.m.cut, w.cutAs = &c, fmt.Sprintf(" %+v", c)
}

// mayLitter notes what the operation under way is about, if it was cut off.
func (w *world) mayLitter(ref string) {
	if w.cutOff() != "" {
		w.cuts[ref] = true
	}
}

// cutOff says how the operation under way was cut off, or nothing.
func (w *world) cutOff() string {
	if c := w.m.cut; c != nil && c.done {
		return w.cutAs
	}
	return ""
}

// gone notes that b was removed.
func (b *box) gone() {
	if b.at != away {
		b.put = nil
	}
	b.at, b.meta, b.registry, b.runs, b.holds, b.doubt = removed, false, false, false, false, false
}

func (w *world) destroy() (string, error) {
	b := w.some(func(b *box) bool { return b.at != removed || w.chance(10) })
	if b == nil {
		return "", nil
	}
	w.mayCut()
	w.disposal.into = map[string]string{}
	if b.at != removed && b.at != taken && !w.surelyHeld(b) {
		w.disposal.into[string(b.id)] = w.printOf(b)
	}
	_, err := w.box.Destroy(w.t.Context(), w.m, b.id)
	w.mayLitter(string(b.id))
	said := fmt.Sprintf("%s%s: %v", b.id, w.cutOff(), err)
	var refused *sandboxer.RefusedError
	switch {
	case b.at == taken:
		if !errors.As(err, &refused) && w.cutOff() == "" {
			return said, fmt.Errorf("destroy %s: got %v, want it refused: something else stands in its place", b.id, err)
		}
	case w.surelyHeld(b):
		if !errors.As(err, &refused) && w.cutOff() == "" {
			return said, fmt.Errorf("destroy %s: got %v, want it refused: somebody holds it", b.id, err)
		}
	case errors.As(err, &refused) && refused.Has(sandboxer.BlockHeld) && (b.doubt || len(b.may) > 1):
		w.disposal.into = nil
	case err == nil, (b.doubt || b.at == removed) && b.inode == 0 && errors.Is(err, sandboxer.ErrNotFound):
		b.gone()
	case w.cutOff() == "" && !(b.at == removed && w.named(string(b.id)) != nil):
		return said, fmt.Errorf("destroy: %v", err)
	default:
		w.doubt(b)
	}
	return said, nil
}

// doubt notes that an operation on b was cut off.
func (w *world) doubt(b *box) {
	if b.at != removed {
		b.doubt, b.partial, b.may = true, true, append(b.may, facts{updated: w.host()})
	}
}

// jump sets both clocks.
func (w *world) jump() (string, error) {
	by := pick(w, []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 7 * time.Hour, 26 * time.Hour, 100 * time.Hour})
	if w.chance(6) {
		by = -pick(w, []time.Duration{time.Minute, 2 * time.Hour, 30 * time.Hour})
	}
	w.now = w.now.Add(by)
	return by.String(), w.setClocks()
}

// skewClock sets the host's clock alone: right, nearly right, or in doubt.
func (w *world) skewClock() (string, error) {
	if w.skew != 0 && w.chance(2) {
		return w.rightClock()
	}
	w.skew = pick(w, []time.Duration{4 * time.Minute, -4 * time.Minute, time.Hour, -time.Hour, 1000 * time.Hour})
	return w.skew.String(), w.setClocks()
}

func (w *world) rightClock() (string, error) {
	w.skew = 0
	return "0s", w.setClocks()
}

// surelyHeld reports whether b is held, whatever its records say.
func (w *world) surelyHeld(b *box) bool {
	return !b.doubt && !slices.ContainsFunc(b.may, func(f facts) bool { return !f.held(w.host()) })
}
