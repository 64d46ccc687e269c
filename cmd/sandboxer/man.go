package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
)

// manCommand is for those who package the program: scripts/release, and who
// has it from "go install".
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Hidden:  true,
		Short:   "write the manual pages",
		Example: "  sandboxer man ~/.local/share/man/man1",
		Long: "Man writes a manual page for each command into DIR, which is made if it is not\n" +
			"there. The pages bear the date that SOURCE_DATE_EPOCH says, or none. It prints\n" +
			"no document: -o does not change it.",
		Args: wants("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			date := ""
			if epoch := a.getenv("SOURCE_DATE_EPOCH"); epoch != "" {
				sec, err := strconv.ParseInt(epoch, 10, 64)
				if err != nil {
					return misused("SOURCE_DATE_EPOCH=%s: want seconds", quote(epoch))
				}
				date = time.Unix(sec, 0).UTC().Format(time.DateOnly)
			}
			return writeManual(args[0], date, cmd.Root())
		},
	}
}

// writeManual writes the page of cmd and of every command below it that help
// shows.
func writeManual(dir, date string, cmd *cobra.Command) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, pageName(cmd)+".1"), manualPage(cmd, date), 0o644); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			if err := writeManual(dir, date, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageName is what a person calls a command's page by: sandboxer-schema-list.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manualPage is the page of one command.
func manualPage(cmd *cobra.Command, date string) []byte {
	cmd.InitDefaultHelpFlag()
	var r roff
	r.begin(pageName(cmd), date, "sandboxer "+sandboxer.ThisProducer().Version)
	about := cmd.Short
	if about == "" {
		about = "throw-away compose sandboxes on any host, and what they do to it"
	}
	r.section("NAME")
	r.text(pageName(cmd) + " - " + about)
	r.section("SYNOPSIS")
	r.synopsis(cmd.CommandPath(), strings.TrimPrefix(usageLine(cmd), cmd.CommandPath()))
	r.section("DESCRIPTION")
	r.text(cmd.Long)
	if cmd.HasAvailableSubCommands() {
		r.section("COMMANDS")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				r.entry(bold(pageName(c))+"(1)", c.Short)
			}
		}
	}
	if own := cmd.LocalNonPersistentFlags(); own.HasAvailableFlags() {
		r.section("OPTIONS")
		r.flags(own)
	}
	global := cmd.Root().PersistentFlags()
	r.section("GLOBAL OPTIONS")
	r.flags(global)
	r.section("EXIT STATUS")
	for _, e := range exitStatus {
		r.entry(bold(e[0]), e[1])
	}
	r.section("ENVIRONMENT")
	r.environment(global)
	r.section("FILES")
	for _, f := range manualFiles {
		r.entry(italic(f[0]), f[1])
	}
	r.section("EXAMPLES")
	r.verbatim(cmd.Example)
	r.seeAlso(cmd)
	return r.Bytes()
}

// exitStatus is what the exit codes mean, to read at leisure; see
// exitCodesHelp for the short form.
var exitStatus = [][2]string{
	{strconv.Itoa(exitDone), "Done."},
	{strconv.Itoa(exitFailed), "Failed."},
	{strconv.Itoa(exitMisused), "The command line, or a variable, makes no sense."},
	{strconv.Itoa(exitPartly), "Something chosen was not done, one of several hosts failed, something of a sandbox remains, or --exit-code has findings to tell of."},
	{strconv.Itoa(exitRefused), "Refused by a guard. Nothing was done."},
	{strconv.Itoa(exitUnreachable), "The host cannot be reached."},
	{strconv.Itoa(exitIncomplete), "The inventory is incomplete, and acting would have meant guessing. Nothing was done."},
	{strconv.Itoa(exitLocked), "Locked by another operation."},
	{strconv.Itoa(exitNotFound), "Not found."},
	{strconv.Itoa(exitCanary), "The sandbox is ready, but the canary in it has found a fault."},
	{"128+n", "Interrupted by signal n, and undone."},
}

// manualFiles are the files that a user may come across.
var manualFiles = [][2]string{
	{"~/.local/share/sandboxer/telemetry/<sandbox_id>.json", "The last report of each sandbox created from this machine, below $XDG_DATA_HOME if that is set."},
	{"~/.config/sandboxer/profiles/", "The user's own profiles, below $XDG_CONFIG_HOME if that is set."},
	{"~/.cache/sandboxer/", "The canary, where it had to be built first, below $XDG_CACHE_HOME if that is set."},
	{"/tmp/sandboxer/<sandbox_id>/", "On the host: a sandbox, with its record in .sandboxer/meta.json. The option --root puts it elsewhere."},
	{"~/.local/state/sandboxer/alerts/", "Where the command runs: what inspect host --alert remembers of each host (below $XDG_STATE_HOME if that is set)."},
	{"~/.local/state/sandboxer/baseline/", "Where the command runs: what baseline and create --baseline have measured, of the present boot of each host (below $XDG_STATE_HOME if that is set)."},
	{"~/.local/state/sandboxer/", "On the host: a second record of each sandbox, locks, and audit.jsonl, which has a line for each thing removed or refused."},
}
