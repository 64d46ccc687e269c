package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// An app is one run of the program: its streams, its environment, its global
// flags, and how far it has got.
type app struct {
	in     io.Reader
	out    io.Writer
	err    *console
	getenv func(string) string

	settings settings
	progress *progress
	begun    time.Time

	answered bool          // standard output has had its document
	limit    time.Duration // of the verb under way
	lastLine string        // for standard error, below everything else

	noiseWarned sync.Once // that what is remembered of a host's noise cannot be read
}

// run is the program but for its exit.
func run(ctx context.Context, args []string, in io.Reader, out, err io.Writer, getenv func(string) string) int {
	a := &app{in: in, out: out, err: newConsole(err, getenv), getenv: getenv, begun: time.Now()}
	a.progress = &progress{console: a.err}
	ctx, stop := interruptible(ctx, a.interrupted)
	defer stop()
	root := a.rootCommand()
	root.SetArgs(args)
	failure := root.ExecuteContext(ctx)
	var usage *usageError
	if errors.As(failure, &usage) {
		a.guessOutput(args)
	}
	return a.finish(failure, context.Cause(ctx))
}

// interrupted answers the first signal. What is undone comes as a step of
// the operation, see progress.step.
func (a *app) interrupted(s os.Signal) {
	a.progress.plainly()
	a.err.printf("sandboxer: %s: stopping (once more stops at once, and may leave something behind)", s)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:     "sandboxer",
		Example: "  sandboxer create                      # a canary on this machine\n  sandboxer --host coulombcore create   # on a host you can ssh to\n  sandboxer inspect stale",
		Long: "sandboxer puts throw-away compose sandboxes on a host, says in numbers what\n" +
			"that did to the host, and finds and removes what was left behind.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          a.group,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := a.settings.load(cmd.Root().PersistentFlags(), a.getenv)
			switch {
			case strings.HasPrefix(cmd.Name(), cobra.ShellCompRequestCmd):
				return nil // a wrong variable is no reason to complete nothing
			case err != nil:
				return err
			}
			return a.oneHost(cmd)
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(a.out, cmd) })
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(a.helpCommand())
	a.settings.register(root.PersistentFlags())
	root.AddCommand(a.createCommand(), a.destroyCommand(), a.reapStaleCommand(), a.listCommand(), a.statusCommand(),
		a.extendCommand(), a.touchCommand(), a.holdCommand(), a.releaseCommand(), a.restoreCommand(), a.auditCommand(), a.baselineCommand(),
		a.inspectCommand(), a.profileCommand(), a.schemaCommand(), a.doctorCommand(), a.versionCommand(), a.completionCommand(), a.manCommand())
	a.registerCompletion(root)
	return root
}

// oneHost refuses several hosts unless cmd says that it takes them. It is here,
// so that no verb can forget it and act on a host that was not meant.
func (a *app) oneHost(cmd *cobra.Command) error {
	if len(a.settings.hosts.names) < 2 || takesSeveral(cmd) || cmd.HasSubCommands() {
		return nil
	}
	return &usageError{
		fmt.Sprintf("%s works on one host, and --host names %d", cmd.CommandPath(), len(a.settings.hosts.names)),
		"run it once for each of them; inspect looks at several at once",
	}
}

// group is what a command with commands of its own does.
func (a *app) group(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	printHelp(a.err, cmd)
	return misused("%s wants a command", cmd.CommandPath())
}

// flagError turns what pflag says into words of ours.
func flagError(cmd *cobra.Command, err error) error {
	if rest := cmd.Flags().Args(); cmd.HasSubCommands() && len(rest) > 0 {
		return unknownCommand(cmd, rest[0])
	}
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return &usageError{"unknown flag -" + unknown.GetSpecifiedName() + " in -" + cut(unknown.GetSpecifiedShortnames(), 60),
			cmd.CommandPath() + " --help lists its flags"}
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown.GetSpecifiedName())
	case errors.As(err, &invalid):
		return misused("--%s %s: %v", invalid.GetFlag().Name, quote(invalid.GetValue()), invalid.Unwrap())
	}
	return misused("%v", err)
}

// wants checks the number of arguments; names is how the usage line calls
// them, with "..." for any number and brackets for what may be left out.
func wants(names ...string) cobra.PositionalArgs {
	least, most := 0, len(names)
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
		if strings.HasSuffix(n, "...") {
			most = math.MaxInt
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return &usageError{cmd.CommandPath() + " wants " + strings.Join(names, " "), cmd.CommandPath() + " --help shows an example"}
		case len(args) > most:
			return &usageError{"unexpected argument " + quote(args[most]), cmd.CommandPath() + " --help shows an example"}
		}
		return nil
	}
}

// guessOutput finds out which output was asked for by a command line that is
// wrong elsewhere.
func (a *app) guessOutput(args []string) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.ParseErrorsWhitelist.UnknownFlags = true
	f.Usage = func() {}
	f.SetOutput(io.Discard)
	var s settings
	s.register(f)
	f.BoolP("help", "h", false, "")
	_ = f.Parse(args) // it is wrong: that is why we are here
	_ = s.load(f, a.getenv)
	a.settings = s
}

// Limits of time of the verbs, where --timeout does not say otherwise.
const (
	readLimit = time.Minute
	actLimit  = 10 * time.Minute
)
