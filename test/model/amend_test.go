package model

import (
	"errors"
	"fmt"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func (w *world) extend() (string, error) {
	ttl := pick(w, []time.Duration{time.Second, time.Hour, 50 * time.Hour})
	now := w.host()
	return w.amend(ttl.String(), w.amendable(), func(id sandboxer.ID) error {
		_, err := w.box.Extend(w.t.Context(), w.m, id, ttl)
		return err
	}, func(f *facts) { f.expires, f.updated = now.Add(ttl), now })
}

func (w *world) touch() (string, error) {
	now := w.host()
	return w.amend("", w.amendable(), func(id sandboxer.ID) error {
		_, err := w.box.Touch(w.t.Context(), w.m, id)
		return err
	}, func(f *facts) { f.updated = now })
}

func (w *world) hold() (string, error) {
	hold, end := sandboxer.Hold{Reason: "model"}, time.Time{}
	if w.chance(2) {
		end = w.host().Add(pick(w, []time.Duration{time.Hour, 60 * time.Hour, -time.Hour}))
		hold.Until = &end
	}
	return w.amend(end.Format("02 15:04:05"), w.amendable(), func(id sandboxer.ID) error {
		_, err := w.box.Hold(w.t.Context(), w.m, id, hold)
		return err
	}, func(f *facts) { f.hold = &end })
}

func (w *world) release() (string, error) { return w.releaseBox(w.amendable()) }

func (w *world) releaseBox(b *box) (string, error) {
	return w.amend("", b, func(id sandboxer.ID) error {
		_, err := w.box.Release(w.t.Context(), w.m, id)
		return err
	}, func(f *facts) { f.hold = nil })
}

// amendable returns some sandbox, mostly one that is there.
func (w *world) amendable() *box {
	return w.some(func(b *box) bool { return b.at != removed || w.chance(20) })
}

// amend changes what the records of a sandbox say, and nothing else.
func (w *world) amend(what string, b *box, do func(sandboxer.ID) error, change func(*facts)) (string, error) {
	if b == nil {
		return "", nil
	}
	if w.mayCut(); !b.registry || b.at == here && !b.meta {
		w.m.cut = nil // whether the missing record is written would be all that can be told
	}
	err := do(b.id)
	w.mayLitter(string(b.id))
	said := fmt.Sprintf("%s %s%s: %v", b.id, what, w.cutOff(), err)
	var refused *sandboxer.RefusedError
	switch {
	case err == nil && (b.at == removed || b.at == taken):
		return said, fmt.Errorf("it is not there, and got no error")
	case err == nil:
		b.amended(change)
		b.registry, b.meta = true, b.at == here
	case b.doubt, b.at == removed && (errors.Is(err, sandboxer.ErrNotFound) || errors.As(err, &refused)):
	case b.at == taken && errors.As(err, &refused):
	case w.cutOff() == "":
		return said, err
	case b.at == removed || b.at == taken:
	default:
		old := append([]facts{}, b.may...)
		b.amended(change)
		b.may = append(old, b.may...)
	}
	return said, nil
}

func (b *box) amended(change func(*facts)) {
	for i := range b.may {
		change(&b.may[i])
	}
}
