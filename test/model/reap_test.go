package model

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	sandboxer "github.com/tegwick/sand-boxer"
)

func (w *world) reap() (string, error) {
	j := w.judge(w.somePolicy())
	stale := sandboxer.FindStale(w.obs, j.policy)
	plan := sandboxer.PlanReap(w.obs, stale)
	plan.Max = int64(len(plan.Candidates))
	if b := w.some(func(b *box) bool { return b.at != removed }); b != nil && w.chance(4) {
		plan = plan.Without(b.id)
	}
	w.mayCut()
	w.disposal = w.disposes(plan, j.policy)
	result, err := w.box.Reap(w.t.Context(), w.m, plan)
	var rows []string
	for _, i := range result.Items {
		code := ""
		if i.Code != nil {
			code = " " + *i.Code
		}
		rows = append(rows, fmt.Sprintf("%s %s: %s%s", i.Class, i.Ref, i.Result, code))
	}
	said := fmt.Sprintf("%+v%s: %s; %v", j.policy, w.cutOff(), strings.Join(rows, ", "), err)
	var refused *sandboxer.RefusedError
	if yes, sure := j.future(w.boxes); errors.As(err, &refused) && refused.Has(sandboxer.BlockClock) {
		if !j.doubt && sure && !yes {
			err = fmt.Errorf("the clock is right, and got %v", err)
		} else {
			err = nil
		}
		w.disposal = disposal{}
		return said, err
	} else if j.doubt || yes && sure {
		return said, fmt.Errorf("the clock is wrong, and got %v", err)
	}
	if w.cutOff() == "" && (err != nil || result.RemovedCount != int64(len(plan.Candidates))) {
		return said, fmt.Errorf("got %d of %d removed, %v, want all", result.RemovedCount, len(plan.Candidates), err)
	}
	for _, i := range result.Items {
		ref, _, _ := strings.Cut(filepath.Base(i.Ref), ".")
		w.mayLitter(ref)
		w.reaped(i)
	}
	return said, nil
}

// disposes returns what a plan does to the trash.
func (w *world) disposes(plan sandboxer.ReapPlan, policy sandboxer.StalePolicy) disposal {
	d := disposal{into: map[string]string{}, out: map[string]bool{}}
	if keep := policy.KeepTrash; keep == 0 {
		d.until = w.host().Add(sandboxer.DefaultKeepTrash).Truncate(time.Second)
	} else if keep > 0 {
		d.until = w.host().Add(keep).Truncate(time.Second)
	}
	for _, c := range plan.Candidates {
		b := w.some(func(b *box) bool { return string(b.id) == c.Ref })
		switch {
		case c.Class == sandboxer.Trashed:
			d.out[w.m.root()+"/"+c.Ref] = true
		case c.Class == sandboxer.Unclaimed:
			d.into[c.Ref] = contents(w.m.root() + "/" + c.Ref)
		case b != nil:
			d.into[c.Ref] = w.printOf(b)
		}
	}
	return d
}

// printOf is the print of what is in the directory of b: "gone" where there is
// none, empty where nobody knows.
func (w *world) printOf(b *box) string {
	switch {
	case b.doubt:
		return ""
	case b.at == here:
		return contents(w.dir(b))
	}
	return "gone"
}

// reaped takes what became of one thing in a plan.
func (w *world) reaped(i sandboxer.ReapItem) {
	if t := w.named(i.Ref); t != nil && i.SandboxID == nil {
		if i.Result == sandboxer.ReapRemoved || i.Result != sandboxer.ReapSkipped && t.unchanged() != nil {
			w.things = slices.DeleteFunc(w.things, func(other *thing) bool { return other == t })
		}
		return
	}
	for _, b := range w.boxes {
		switch {
		case string(b.id) != i.Ref:
		case i.Result == sandboxer.ReapRemoved:
			b.gone()
		case i.Result != sandboxer.ReapSkipped:
			w.doubt(b)
		}
	}
}

// last removes everything, when everything is old, and what stands in a
// sandbox's place is gone.
func (w *world) last() error {
	for _, t := range slices.Clone(w.things) {
		if t.behind && w.some(func(b *box) bool { return b.at == taken && w.dir(b) == t.path }) != nil {
			must(w.t, w.clearThing(t))
		}
	}
	w.now, w.skew, w.calm = w.now.Add(2000*time.Hour), 0, true
	err := w.setClocks()
	for _, b := range w.boxes {
		if b.at != removed {
			_, rerr := w.releaseBox(b)
			err = errors.Join(err, rerr)
		}
	}
	w.now = w.now.Add(2000 * time.Hour)
	if err := errors.Join(err, w.setClocks(), w.check()); err != nil {
		return err
	}
	policy := sandboxer.StalePolicy{KeepTrash: -1}
	plan := sandboxer.PlanReap(w.obs, sandboxer.FindStale(w.obs, policy))
	plan.Max = int64(len(plan.Candidates))
	w.disposal = w.disposes(plan, policy)
	w.disposal.settled = true
	result, err := w.box.Reap(w.t.Context(), w.m, plan)
	for _, i := range result.Items {
		w.reaped(i)
	}
	for _, b := range w.boxes {
		if b.doubt {
			b.gone() // nothingLeft sees
		}
	}
	if err != nil {
		return fmt.Errorf("the last reap: %v: %+v", err, result.Items)
	}
	return errors.Join(w.check(), w.nothingLeft(), os.Remove(w.m.dir+"/clock"))
}
