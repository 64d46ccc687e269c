package main

import (
	"cmp"
	"errors"
	"io"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer/profile"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "list, show and check what create can deploy",
		Example: "  sandboxer profile list\n" +
			"  sandboxer profile lint ./web\n" +
			"  sandboxer profile show web",
		Long: "A profile is a directory with a compose file and what its services are built\n" +
			"from. It is built in, or in ~/.config/sandboxer/profiles under its name, or\n" +
			"anywhere, given by its path. These commands need no host.",
		Args: cobra.ArbitraryArgs,
		RunE: a.group,
	}
	cmd.AddCommand(a.profileListCommand(), a.profileShowCommand(), a.profileLintCommand())
	return cmd
}

// quietLoader keeps what reads compose files from writing on standard error
// in a form of its own; what matters of that is a finding.
func quietLoader() { logrus.SetOutput(io.Discard) }

// hereError is profileError for the commands that need no host: they have
// said already all that profile lint would.
func hereError(err error) error {
	var load *profile.LoadError
	if errors.As(err, &load) {
		return &hintedError{err, load.Hint}
	}
	return profileError(err)
}

// profileError gives an error about a profile its meaning for the exit code,
// and its hint.
func profileError(err error) error {
	var name *profile.NameError
	var allow *profile.AllowError
	var load *profile.LoadError
	switch {
	case errors.As(err, &name):
		return &usageError{err.Error(), name.Hint}
	case errors.As(err, &allow):
		return &usageError{"--allow: " + err.Error(), allow.Hint}
	case errors.As(err, &load):
		return &hintedError{err, cmp.Or(load.Hint, "sandboxer profile lint "+load.Path+" checks it without a host")}
	}
	return err
}
