package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
)

// checkPlan refuses what a plan in a file has no use for.
func (f *reapFlags) checkPlan(flags *pflag.FlagSet) error {
	if flags.Changed("plan") && f.plan == "" {
		return misused("--plan is empty: want the name of a file")
	}
	stored := f.apply && f.plan != ""
	for _, flag := range []string{"older-than", "include-unclaimed", "allow-young", "max", "plan-ttl", "keep-trash"} {
		if stored && flags.Changed(flag) {
			return &usageError{"--" + flag + " and --apply --plan contradict each other", "the plan says what goes; --except leaves things out"}
		}
	}
	if flags.Changed("approved-by") && !stored {
		return &usageError{"--approved-by wants --apply --plan", "what nobody has read nobody has approved"}
	}
	if flags.Changed("plan-ttl") && f.plan == "" {
		return misused("--plan-ttl wants --plan")
	}
	return nil
}

// storePlan writes the plan to the file that was asked for, whole or not at
// all.
func (a *app) storePlan(doc sandboxer.ReapPlanDocument, f *reapFlags) error {
	if f.plan == "" {
		return nil
	}
	if doc.MachineID == nil {
		return errors.New("--plan: the machine's id could not be read, so that nobody could tell later which machine the plan is for")
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	if err := writeWhole(f.plan, append(text, '\n')); err != nil {
		return fmt.Errorf("--plan: %w", err)
	}
	a.err.printf("sandboxer: the plan is in %s, and good until %s", f.plan, doc.ExpiresAt.UTC().Format(time.RFC3339))
	return nil
}

// writeWhole puts a file in its place when all of it is on the disk.
func writeWhole(name string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".sandboxer-") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), name)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// readPlan reads the plan that is to be carried out, or returns nil where there
// is none.
func (f *reapFlags) readPlan() (*sandboxer.ReapPlanDocument, error) {
	if !f.apply || f.plan == "" {
		return nil, nil
	}
	file, err := os.Open(f.plan)
	if err != nil {
		return nil, misused("--plan: %v", err)
	}
	defer file.Close()
	doc, err := sandboxer.ReadReapPlan(file)
	if err != nil {
		return nil, fmt.Errorf("--plan %s: %w", f.plan, err)
	}
	for _, ref := range f.kept {
		if !slices.ContainsFunc(doc.Candidates, func(c sandboxer.ReapCandidate) bool {
			return c.Answers(ref)
		}) {
			return nil, fmt.Errorf("--except %s: nothing in the plan that goes has that id or name; nothing was removed: %w", ref, sandboxer.ErrNotFound)
		}
	}
	return &doc, nil
}

// reapPlanned carries out a plan that somebody has read.
func (a *app) reapPlanned(ctx context.Context, s session, obs sandboxer.Observation, doc *sandboxer.ReapPlanDocument, f *reapFlags) error {
	plan := doc.Without(f.kept...)
	plan.Approval = &sandboxer.Approval{By: f.approvedBy}
	err := a.reap(ctx, s, obs, plan)
	var refused *sandboxer.RefusedError
	if errors.As(err, &refused) && refused.Has("another_host") && refused.Hint == "" {
		refused.Hint = fmt.Sprintf("it was made with --host %s, on machine %s", doc.Host.Name, *doc.MachineID)
	}
	return err
}
