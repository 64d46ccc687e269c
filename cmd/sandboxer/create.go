package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/profile"
)

func (a *app) createCommand() *cobra.Command {
	f := newCreateFlags()
	cmd := &cobra.Command{
		Use:   "create [PROFILE]",
		Short: "put a sandbox on a host and say what that did to it",
		Example: "  sandboxer create                                   # a canary on this machine\n" +
			"  sandboxer --host coulombcore create --ttl 48       # on another, for two days\n" +
			"  sandboxer --host coulombcore create --rm -o json   # create, report, destroy\n" +
			"  sandboxer create ./web                             # a compose file's services",
		Long: "Create puts a sandbox on the host, waits until it is ready, and reports what\n" +
			"that did to the host. Without PROFILE it is profile.sandbox-canary: sandboxer\n" +
			"itself, which checks the host from within and is judged by it (exit code 9).\n" +
			"Otherwise PROFILE is a name in ~/.config/sandboxer/profiles, or the path of a\n" +
			"directory with a compose file. What of it cannot be torn down safely, or reaches\n" +
			"beyond the sandbox, is refused before the host is touched; --allow and the code\n" +
			"that is named then accepts it. No image is pulled, and no variable of this shell\n" +
			"fills in the compose file.\n" +
			"A create that fails, or is interrupted, takes down again what it has made. A host\n" +
			"that can take no more, as inspect host says, is refused, except with --force.\n\n" +
			"The document is a SandboxStatus, kept in ~/.local/share/sandboxer/telemetry too;\n" +
			"for a create that failed and left no sandbox it is an Error.",
		Args: wants("[PROFILE]"),
	}
	f.register(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		quietLoader()
		what, err := f.spec(cmd.Context(), args)
		if err != nil {
			return err
		}
		ctx, s, err := a.open(cmd.Context(), f.limit())
		if err != nil {
			return err
		}
		defer s.close()
		s.box.Helper = canary.Helper(f.program())
		return a.create(ctx, s, what, f.baseline)
	}
	return cmd
}

func (a *app) create(ctx context.Context, s session, what chosen, pairs int) error {
	for _, note := range what.notes {
		if !a.settings.quiet {
			a.err.printf("sandboxer: %s: %s", noteWord(note.Level), note)
		}
	}
	a.announce("deploying %s on %s, below %s", what.about, s.host.Name(), a.settings.rootDir())
	status, err := a.measureAndCreate(ctx, s, what.spec, pairs)
	a.progress.stop()
	if err != nil {
		err = shortOfRoom(err, status.Telemetry.Before)
	}
	if err != nil && !remains(err) {
		return err
	}
	if err := errors.Join(err, a.answer(status, func(p *page) { statusText(p, status) })); err != nil {
		return err
	}
	a.lastLine = telemetryLine(status.Telemetry)
	if c := status.Telemetry.Canary; c != nil && (c.Status == sandboxer.Fail || c.Status == sandboxer.Errored) {
		return &outcomeError{code: exitCanary, message: "the canary failed: " + strings.Join(failedChecks(c), "; ")}
	}
	return nil
}

// measureAndCreate creates a sandbox, after so many pairs of looks that say what
// on the host is noise.
func (a *app) measureAndCreate(ctx context.Context, s session, spec sandboxer.Spec, pairs int) (sandboxer.SandboxStatus, error) {
	if pairs > 0 {
		a.progress.say(fmt.Sprintf("measuring the noise of %s", s.host.Name()))
		if _, _, err := a.measure(ctx, s, pairs, sandboxer.DefaultLag); err != nil {
			return sandboxer.SandboxStatus{}, err
		}
	}
	return s.box.Create(ctx, s.host, spec)
}

// remains reports whether a create that failed has left a sandbox all the
// same: then its status is the answer, as nothing else tells of it.
func remains(err error) bool {
	var export *sandboxer.ExportError
	var phase *sandboxer.PhaseError
	return errors.As(err, &export) || errors.As(err, &phase) && len(phase.Left) > 0
}

// shortOfRoom adds to a failure nobody has a hint for what admission had to
// say of the host before.
func shortOfRoom(err error, before *sandboxer.HostSnapshot) error {
	if before == nil || hint(err) != "" {
		return err
	}
	var short []string
	for _, r := range sandboxer.Admit(*before).Reasons {
		if (r.Severity == sandboxer.AdmitRefuse || r.Severity == sandboxer.AdmitWarn) && !strings.HasPrefix(r.Field, "engines.") {
			short = append(short, r.Message)
		}
	}
	if len(short) == 0 {
		return err
	}
	return &hintedError{err, "the host was short of room before: " + strings.Join(short, "; ")}
}

func noteWord(level profile.Level) string {
	if level == profile.Refuse {
		return "allowed"
	}
	return string(level)
}
