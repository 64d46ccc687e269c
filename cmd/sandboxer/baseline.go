package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) baselineCommand() *cobra.Command {
	pairs, lag := sandboxer.MinNoisePairs, waitFlag(sandboxer.DefaultLag)
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "measure how far a host's numbers move by themselves",
		Example: "  sandboxer --host coulombcore baseline\n" +
			"  sandboxer --host coulombcore baseline --pairs 40 --lag 20s",
		Long: "Baseline looks at a host again and again, does nothing in between, and remembers\n" +
			"by how much its numbers differed, in ~/.local/state/sandboxer/baseline, until the\n" +
			"host is booted. With 20 pairs of looks or more there is a noise floor for each\n" +
			"number; create, destroy and reap-stale then say of each difference whether it is\n" +
			"above that (significant), and without, nothing.\n\n" +
			"A floor holds for differences over about as long as --lag: a quarter of it to\n" +
			"twice as much. It is best measured while the host is as busy as it usually is.\n" +
			"The document is a Baseline.",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPairs("--pairs", pairs, 1); err != nil {
				return err
			}
			return a.baseline(cmd, pairs, lag.value)
		},
	}
	cmd.Flags().IntVar(&pairs, "pairs", pairs, "take so many pairs of looks")
	cmd.Flags().Var(lag, "lag", "from one look to the next")
	return cmd
}

func checkPairs(flag string, pairs, least int) error {
	if pairs < least || pairs > sandboxer.MaxNoisePairs {
		return misused("%s %d: want %d to %d", flag, pairs, least, sandboxer.MaxNoisePairs)
	}
	return nil
}

func (a *app) baseline(cmd *cobra.Command, pairs int, lag time.Duration) error {
	ctx, s, err := a.open(cmd.Context(), readLimit+measuring(pairs, lag))
	if err != nil {
		return err
	}
	defer s.close()
	a.follow("measuring the noise of %s: %s, %s apart", s.host.Name(), plural(pairs, "pair of looks", "pairs of looks"), shortDuration(lag))
	taken, all, err := a.measure(ctx, s, pairs, lag)
	a.progress.stop()
	if err != nil {
		return err
	}
	doc, err := s.box.NewBaselineDocument(s.host, all, lag, taken)
	if err != nil {
		return err
	}
	return a.answer(doc, func(p *page) { baselineText(p, doc) })
}

// measuring is how long so many pairs take, with time for looks that are slow.
func measuring(pairs int, lag time.Duration) time.Duration {
	each := min(lag+5*time.Second, maxAge/sandboxer.MaxNoisePairs)
	return time.Duration(pairs) * each
}
