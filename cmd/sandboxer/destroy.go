package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

func (a *app) destroyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "destroy ID...",
		Short: "remove sandboxes and all that belongs to them",
		Example: "  sandboxer destroy canary-4k9x0q2m7t3b\n" +
			"  sandboxer --host coulombcore destroy nightly canary-4k9x0q2m7t3b",
		Long: "Destroy removes sandboxes, by sandbox_id or exact name, whatever state they are\n" +
			"in, and reports what that did to the host. What cannot be proven to belong to a\n" +
			"sandbox is left alone and named. To destroy what is destroyed already is fine.\n\n" +
			"The document is a SandboxStatus for one ID, a SandboxStatusList for several.\n" +
			"Its telemetry.residual is the verdict: whether anything was left on the host.",
		Args: wants("ID..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseRefs(args)
			if err != nil {
				return err
			}
			ctx, s, err := a.open(cmd.Context(), actLimit)
			if err != nil {
				return err
			}
			defer s.close()
			if len(ids) > 1 {
				return a.destroySeveral(ctx, s, ids)
			}
			return a.destroy(ctx, s, ids[0])
		},
	}
}

func (a *app) destroy(ctx context.Context, s session, id sandboxer.ID) error {
	a.announce("destroying %s on %s", id, s.host.Name())
	status, err := s.box.Destroy(ctx, s.host, id)
	a.progress.stop()
	var export *sandboxer.ExportError
	if err != nil && !errors.As(err, &export) {
		return elsewhere(err, s.host, id)
	}
	return errors.Join(err, a.answer(status, func(p *page) { destroyedText(p, status) }))
}

// destroySeveral goes on past a failure, but not past the end of ctx, nor
// where the host itself cannot be reached.
func (a *app) destroySeveral(ctx context.Context, s session, ids []sandboxer.ID) error {
	a.announce("destroying %d sandboxes on %s", len(ids), s.host.Name())
	var items []sandboxer.SandboxStatus
	var failures []sandboxer.ErrorInfo
	var errs []error
	for _, id := range ids {
		status, err := s.box.Destroy(ctx, s.host, id)
		if err == nil {
			items = append(items, status)
			continue
		}
		var host *sandboxer.HostError
		away := errors.As(err, &host) && !host.Started
		if away && len(items)+len(errs) == 0 {
			return err
		}
		err = elsewhere(err, s.host, id)
		errs = append(errs, err)
		failures = append(failures, a.errorInfo(err, judge(err, context.Cause(ctx))))
		if away || ctx.Err() != nil {
			break
		}
	}
	a.progress.stop()
	list, err := s.box.NewStatusList(s.host, items, failures)
	if err != nil {
		return err
	}
	if err := a.answer(list, func(p *page) { statusListText(p, list) }); err != nil {
		return err
	}
	if failed := len(ids) - len(items); failed > 0 {
		return &outcomeError{exitPartly, fmt.Sprintf("%d of %d not destroyed", failed, len(ids)), errs}
	}
	return nil
}
