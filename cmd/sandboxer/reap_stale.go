package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
)

func (a *app) reapStaleCommand() *cobra.Command {
	f := &reapFlags{olderThan: ageFlag(sandboxer.DefaultOlderThan), planTTL: waitFlag(sandboxer.DefaultPlanTTL), keepTrash: keepFlag(sandboxer.DefaultKeepTrash)}
	cmd := &cobra.Command{
		Use:   "reap-stale",
		Short: "remove what was left behind on a host",
		Example: "  sandboxer reap-stale                                      # what would go; nothing is removed\n" +
			"  sandboxer --host coulombcore reap-stale --apply --older-than 48\n" +
			"  sandboxer reap-stale --apply --except nightly\n" +
			"  sandboxer reap-stale --dry-run --plan plan.json           # to be read by somebody, and then\n" +
			"  sandboxer reap-stale --apply --plan plan.json --approved-by ann",
		Long: "Reap-stale lists what inspect stale lists, sorted into what would go and what\n" +
			"would stay, and why. It removes nothing unless --apply is given; then it removes\n" +
			"just what it lists, one after the other, each proven under its lock to be what it\n" +
			"seems, and asks the engine afterwards. On a terminal it shows the list and asks\n" +
			"first.\n\n" +
			"Directories go to the trash, from where restore brings them back for a day. The\n" +
			"next reap after that deletes them.\n\n" +
			"Nothing goes that is younger than 15 minutes, no orphan and no unclaimed directory\n" +
			"younger than an hour, and never what is corrupt, another machine's, or not known.\n" +
			"With --plan what would go is written to a file, too. Somebody may read it, and\n" +
			"with --apply just that is removed, without a question and without --max: each\n" +
			"thing only if it is still as it was. A plan is for one machine, is refused if\n" +
			"it was edited (--except leaves things out of one), and is good for a day.\n\n" +
			"The document is a ReapPlan, with --apply a ReapResult.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags()); err != nil {
				return err
			}
			return a.reapStale(cmd.Context(), f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// reapFlags are those of reap-stale. None of them has a variable: consent is
// never in the environment.
type reapFlags struct {
	apply, dryRun, yes, unclaimed, young bool

	olderThan *durationFlag
	except    exceptFlag
	max       int64

	plan       string // a file
	planTTL    *durationFlag
	approvedBy string
	keepTrash  *durationFlag

	policy sandboxer.StalePolicy
	kept   []sandboxer.ID
}

func (f *reapFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.apply, "apply", false, "remove what is listed")
	flags.BoolVar(&f.dryRun, "dry-run", false, "remove nothing (the default)")
	flags.Var(f.olderThan, "older-than", "age in hours, or a duration such as 90m; given, a floor for every class")
	flags.Var(&f.except, "except", "keep the sandbox of this id or `NAME`; may be repeated, or have several with commas")
	flags.Int64Var(&f.max, "max", 0, "allow this many removals (default: 20, and half of all sandboxes)")
	flags.BoolVar(&f.unclaimed, "include-unclaimed", false, "remove directories without sandboxer's records too")
	flags.BoolVar(&f.young, "allow-young", false, "remove what is younger than the floors too")
	flags.BoolVar(&f.yes, "yes", false, "do not ask")
	flags.StringVar(&f.plan, "plan", "", "write what would go to `FILE`; with --apply, remove what that says and nothing else")
	flags.Var(f.planTTL, "plan-ttl", "how long the plan in the file is good")
	flags.Var(f.keepTrash, "keep-trash", "how long directories that are removed can be restored; 0: not at all, nor what is kept already")
	flags.StringVar(&f.approvedBy, "approved-by", "", "`NAME` of who approved the plan, for the audit log")
}

// check makes a policy of the flags.
func (f *reapFlags) check(flags *pflag.FlagSet) error {
	if f.apply && f.dryRun {
		return &usageError{"--apply and --dry-run contradict each other", "leave both out to see what would go"}
	}
	if f.max < 0 {
		return misused("--max %d: want a number of removals", f.max)
	}
	if err := f.checkPlan(flags); err != nil {
		return err
	}
	f.policy = sandboxer.StalePolicy{IncludeUnclaimed: f.unclaimed, AllowYoung: f.young}
	if flags.Changed("older-than") {
		f.policy.OlderThan = f.olderThan.value
	}
	if f.policy.KeepTrash = f.keepTrash.value; f.policy.KeepTrash == 0 {
		f.policy.KeepTrash = -1
	}
	f.kept = f.except
	return nil
}

// An exceptFlag is --except. An empty one, as of a variable that is not set,
// would leave nothing out.
type exceptFlag []sandboxer.ID

func (f *exceptFlag) Set(s string) error {
	refs, err := parseRefs(strings.Split(s, ","))
	*f = append(*f, refs...)
	return err
}

func (f *exceptFlag) Type() string   { return "name" }
func (f *exceptFlag) String() string { return "" }

func (a *app) reapStale(ctx context.Context, f *reapFlags) error {
	limit := readLimit
	if f.apply {
		limit = actLimit
	}
	stored, err := f.readPlan()
	if err != nil {
		return err
	}
	ctx, s, err := a.open(ctx, limit)
	if err != nil {
		return err
	}
	defer s.close()
	look := s.box.Inspect
	if stored == nil && (!f.apply || a.asks(f)) { // somebody is to read it
		look = s.box.Measure
	}
	sparing()
	obs, err := a.look(ctx, s, look)
	if err != nil {
		return err
	}
	frugal(obs)
	if stored != nil {
		return a.reapPlanned(ctx, s, obs, stored, f)
	}
	plan := sandboxer.PlanReap(obs, sandboxer.FindStale(obs, f.policy)).Without(f.kept...)
	plan.Max = f.max
	if plan.EvaluatedAt != nil {
		plan.ExpiresAt = new(plan.EvaluatedAt.Add(f.planTTL.value))
	}
	doc, err := s.box.NewReapPlanDocument(s.host, obs, plan)
	if err != nil {
		return err
	}
	for _, ref := range f.kept {
		if names(obs.Inventory, ref) {
			continue
		}
		if f.apply {
			return fmt.Errorf("--except %s: nothing on %s has that id or name; nothing was removed: %w", ref, s.host.Name(), sandboxer.ErrNotFound)
		}
		a.err.printf("sandboxer: --except %s: nothing on %s has that id or name", ref, s.host.Name())
	}
	if !f.apply {
		if err := a.storePlan(doc, f); err != nil {
			return err
		}
		return a.answer(doc, func(p *page) { planText(p, doc, a.applyCommand(doc, f)) })
	}
	if err := plan.Guard(); err != nil {
		return errors.Join(err, a.listText(doc))
	}
	if err := a.consent(ctx, doc, f); err != nil {
		return err
	}
	return a.reap(ctx, s, obs, plan)
}

// names reports whether anything on the host is called ref: a slip of the
// fingers in --except must not go unnoticed.
func names(inv sandboxer.Inventory, ref sandboxer.ID) bool {
	return slices.ContainsFunc(inv.Directories, func(d sandboxer.Directory) bool { return d.Name == string(ref) }) ||
		slices.ContainsFunc(inv.Sandboxes, func(s sandboxer.Sandbox) bool {
			return s.SandboxID == ref || s.Name != nil && *s.Name == string(ref)
		})
}

// reap answers with what became of the plan, also beside an error.
func (a *app) reap(ctx context.Context, s session, obs sandboxer.Observation, plan sandboxer.ReapPlan) error {
	a.announce("reaping %s on %s, below %s", plural(len(plan.Candidates), "candidate", "candidates"), s.host.Name(), plan.Root)
	result, err := s.box.Reap(ctx, s.host, plan)
	a.progress.stop()
	if err != nil && len(result.Items) == 0 && !errors.Is(err, sandboxer.ErrIncomplete) {
		return err
	}
	doc, docErr := s.box.NewReapResultDocument(s.host, obs, result)
	if docErr != nil {
		return errors.Join(err, docErr)
	}
	return errors.Join(err, a.answer(doc, func(p *page) { reapedText(p, doc) }))
}
