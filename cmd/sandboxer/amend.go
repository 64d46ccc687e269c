package main

import (
	"context"

	"github.com/tegwick/sand-boxer"
)

// amend changes the records of one sandbox and answers with its status.
func (a *app) amend(ctx context.Context, doing, ref string, change func(context.Context, session, sandboxer.ID) (sandboxer.SandboxStatus, error)) error {
	ids, err := parseRefs([]string{ref})
	if err != nil {
		return err
	}
	ctx, s, err := a.open(ctx, readLimit)
	if err != nil {
		return err
	}
	defer s.close()
	a.follow("%s %s on %s", doing, ids[0], s.host.Name())
	status, err := change(ctx, s, ids[0])
	a.progress.stop()
	if err != nil {
		return elsewhere(err, s.host, ids[0])
	}
	return a.answer(status, func(p *page) { identityText(p, status) })
}
