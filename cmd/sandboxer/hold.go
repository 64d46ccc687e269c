package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) holdCommand() *cobra.Command {
	var reason string
	until := untilFlag{now: time.Now}
	cmd := &cobra.Command{
		Use:   "hold ID [--until WHEN] --reason TEXT",
		Short: "keep a sandbox from being removed",
		Example: "  sandboxer hold nightly --until 72h --reason 'bug 4711 is in there'\n" +
			"  sandboxer hold nightly --until 2026-12-01T08:00:00Z --reason demo\n" +
			"  sandboxer hold nightly --reason 'until I say otherwise'",
		Long: "Hold keeps a sandbox, by sandbox_id or exact name, from being reaped, and from\n" +
			"being destroyed, until its time is over or it is released. Another hold takes\n" +
			"the place of the one before. The document is a SandboxStatus.",
		Args: wants("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return &usageError{"hold wants --reason", "whoever finds it held will ask why"}
			}
			return a.amend(cmd.Context(), "holding", args[0], func(ctx context.Context, s session, id sandboxer.ID) (sandboxer.SandboxStatus, error) {
				return s.box.Hold(ctx, s.host, id, sandboxer.Hold{Until: until.at, Reason: reason})
			})
		},
	}
	cmd.Flags().Var(&until, "until", "`WHEN` it ends: a time such as 2026-12-01T08:00:00Z, or a duration from now such as 72h (default: when released)")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for whoever finds it held")
	return cmd
}

// An untilFlag is a moment to come: a time of RFC 3339, or how long from now.
type untilFlag struct {
	now func() time.Time
	at  *time.Time
}

func (f *untilFlag) Set(s string) error {
	if d, err := time.ParseDuration(s); err == nil {
		if d <= 0 || d > maxAge {
			return errAgeRange
		}
		f.at = new(f.now().Add(d).UTC().Truncate(time.Second))
		return nil
	}
	at, err := time.Parse(time.RFC3339, s)
	switch {
	case err != nil:
		return errors.New("want a time such as 2026-12-01T08:00:00Z, or a duration such as 72h")
	case !at.After(f.now()):
		return errors.New("it is over already")
	}
	f.at = new(at.UTC())
	return nil
}

func (f *untilFlag) Type() string { return "time" }

func (f *untilFlag) String() string {
	if f.at == nil {
		return ""
	}
	return f.at.Format(time.RFC3339)
}
