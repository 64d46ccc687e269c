package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sshhost"
)

// A session is what a verb works with: the host chosen and the sandboxer for
// it.
type session struct {
	host  sandboxer.Host
	box   *sandboxer.Sandboxer
	close func()
}

// open makes the session of this run. Nothing is dialled yet. The context
// returned ends when the verb has had the time it may take; close it all with
// session.close.
func (a *app) open(ctx context.Context, limit time.Duration) (context.Context, session, error) {
	box, err := a.equipped()
	if err != nil {
		return ctx, session{}, err
	}
	s := session{host: a.reach(a.settings.hosts.one(), box, a.passphrase()), box: box}
	a.limit = a.settings.limit(limit)
	ctx, cancel := context.WithTimeout(ctx, a.limit)
	s.close = func() {
		a.progress.stop()
		cancel()
		hangUp(s.host)
	}
	return ctx, s, nil
}

// An asker asks for the passphrase of a key file; see app.passphrase.
type asker func(ctx context.Context, keyFile string) ([]byte, error)

// reach returns the host of that name. Nothing is dialled yet; hangUp ends it.
func (a *app) reach(name string, box *sandboxer.Sandboxer, ask asker) sandboxer.Host {
	if name == localhost.Name {
		return localhost.Host{}
	}
	return sshhost.New(name, sshhost.Config{ConfigFile: a.settings.sshConfig, Logger: box.Logger, Passphrase: ask})
}

// hangUp ends the connection to a host, if it has one.
func hangUp(host sandboxer.Host) {
	if c, ok := host.(io.Closer); ok {
		c.Close()
	}
}

// equipped is the sandboxer of this run with the engines that were chosen.
func (a *app) equipped() (*sandboxer.Sandboxer, error) {
	chosen, err := engine.Select(a.settings.engine, a.settings.composeCmd)
	if err != nil {
		usage := misused("%v", err)
		var command *engine.CommandError
		if errors.As(err, &command) {
			usage.hint = command.Hint
		}
		if errors.Is(err, engine.ErrConflict) {
			usage.hint = "leave one of the two out"
		}
		return nil, usage
	}
	box := a.box()
	box.Provisioners, box.Collector = chosen.Provisioners, probe.Collector{Sudo: chosen.Sudo}
	box.Helper = canary.Helper(canary.Self())
	box.Noise = a.noise
	return box, nil
}

// box is the sandboxer of this run, without what only a host needs.
func (a *app) box() *sandboxer.Sandboxer {
	level := slog.LevelWarn
	if a.settings.verbose {
		level = slog.LevelDebug
	}
	return &sandboxer.Sandboxer{
		Exporter: jsonfile.Exporter{},
		Root:     a.settings.root,
		Logger:   slog.New(&logHandler{console: a.err, level: level, begun: a.begun}),
		Progress: a.progress.step,
	}
}

// announce says what is about to be done, in a line that stays, and shows the
// progress of it.
func (a *app) announce(format string, args ...any) {
	if !a.settings.quiet {
		a.err.printf("sandboxer: "+format, args...)
	}
	a.progress.start(a.style(), "connecting")
}

// follow shows the progress of what needs no announcement: where a line can
// be taken back, nothing is left of it.
func (a *app) follow(format string, args ...any) {
	if a.style() != live && !a.settings.quiet {
		a.err.printf("sandboxer: "+format, args...)
	}
	a.progress.start(a.style(), fmt.Sprintf(format, args...))
}

// style is how progress is shown. With -v the log says the same and more.
func (a *app) style() style {
	switch {
	case a.settings.quiet, a.settings.verbose:
		return silent
	case a.err.canLive():
		return live
	}
	return plain
}
