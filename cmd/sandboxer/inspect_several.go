package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/tegwick/sand-boxer"
)

// A look is what is kept of the look at one of several hosts: what its verb
// shows, or why there is nothing to show.
type look[T any] struct {
	host  string
	shown T
	err   error
	info  sandboxer.ErrorInfo // of err
}

// A visit is a host until its turn is over: nothing of what reached it is held
// on to.
type visit struct {
	sandboxer.Host
	place int // in the order of the command line
}

func (v *visit) end() {
	hangUp(v.Host)
	v.Host = nil
}

// inspectSeveral looks at hosts side by side. keep makes of each Observation
// what is to be shown of it, which is all that is kept; a connection ends as
// soon as its host has answered. So a thousand hosts take neither a thousand
// connections nor the memory of all that they said.
func inspectSeveral[T any](
	ctx context.Context, a *app, box *sandboxer.Sandboxer, names []string, flags hostsFlags,
	keep func(sandboxer.Host, sandboxer.Observation) (T, error),
) []look[T] {
	a.limit = a.settings.limit(readLimit)
	looks, hosts := make([]look[T], len(names)), make([]sandboxer.Host, len(names))
	ask := a.passphrase() // one for all of them: a person is asked once
	for i, name := range names {
		looks[i].host = name
		hosts[i] = &visit{a.reach(name, box, ask), i}
	}
	all := plural(len(names), "host", "hosts")
	a.follow("looking at %s", all)
	defer a.progress.stop()
	var done atomic.Int64
	box.InspectAll(ctx, hosts, sandboxer.InspectAllOptions{
		Parallel: int(flags.parallel), Timeout: a.limit,
		Done: func(one *sandboxer.Inspection) {
			v := one.Host.(*visit)
			l := &looks[v.place]
			if l.err = one.Err; l.err == nil {
				l.shown, l.err = keep(v.Host, one.Observation)
			}
			if l.err != nil {
				l.info = a.errorInfo(l.err, judge(l.err, context.Cause(ctx)))
				l.info.Host = &l.host
			}
			one.Observation = sandboxer.Observation{}
			v.end()
			a.progress.say(fmt.Sprintf("looking at %s, %d done", all, done.Add(1)))
		},
	})
	return looks
}

// parts returns the items and the errors of a list of looks.
func parts[T, D any](looks []look[T], document func(T) D) (items []D, failed []sandboxer.ErrorInfo) {
	for _, l := range looks {
		if l.err != nil {
			failed = append(failed, l.info)
			continue
		}
		items = append(items, document(l.shown))
	}
	return items, failed
}

// outcomeOf is the error of a command that looked at several hosts: those that
// failed, and what --exit-code has found on the others, if anything.
func outcomeOf[T any](looks []look[T], finding string) error {
	out := &outcomeError{code: exitPartly, message: finding}
	failed, untouched := 0, 0
	for _, l := range looks {
		switch {
		case l.err == nil:
			continue
		case l.info.Code == "interrupted":
			untouched++
		default:
			out.causes = append(out.causes, l.err)
		}
		failed++
	}
	if failed == 0 && finding == "" {
		return nil
	}
	if untouched > 0 {
		out.causes = append(out.causes, fmt.Errorf("%s without an answer: %w", plural(untouched, "host", "hosts"), context.Canceled))
	}
	if failed > 0 {
		out.message = fmt.Sprintf("%d of %s failed", failed, plural(len(looks), "host", "hosts"))
		if finding != "" {
			out.message += "; " + finding
		}
	}
	return out
}

// shortError is why there is no answer of a host, where its name stands next
// to it already.
func (l look[T]) shortError() string {
	message := l.err.Error()
	var host *sandboxer.HostError
	if errors.As(l.err, &host) {
		message = strings.TrimPrefix(host.Error(), host.Host+": ")
		if rest := strings.TrimPrefix(message, host.Op+": "); strings.HasPrefix(rest, host.Op+" ") {
			message = rest // "dial: dial tcp": once will do
		}
	}
	return l.info.Code + ": " + message
}

// sectionsText shows one host after the other, each below its name.
func sectionsText[T any](p *page, looks []look[T], one func(*page, T)) {
	for _, l := range looks {
		p.gap()
		p.line("==> " + l.host + " <==")
		if l.err != nil {
			for _, part := range fold(l.shortError(), p.width) {
				p.line(part)
			}
			continue
		}
		one(p, l.shown)
	}
}
