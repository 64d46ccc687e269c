package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// printHelp prints what --help shows of a command: first how it is used, as
// most people who ask have a task in mind and not a flag. It is no template:
// text/template would keep every exported method of the program linked in.
func printHelp(w io.Writer, cmd *cobra.Command) {
	var b strings.Builder
	section := func(title, text string) {
		if text = strings.Trim(text, "\n"); text != "" {
			b.WriteString(title + strings.TrimRight(text, " \n") + "\n\n")
		}
	}
	section("Examples:\n", cmd.Example)
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	section("", about)
	section("Usage:\n  ", usageLine(cmd))
	section("Commands:\n", commandList(cmd))
	section("Flags:\n", cmd.LocalNonPersistentFlags().FlagUsages())
	global := cmd.InheritedFlags()
	if !cmd.HasParent() {
		global = cmd.PersistentFlags()
	}
	section("Global flags (each also a variable: SANDBOXER_HOST, SANDBOXER_COMPOSE_CMD, ...):\n", global.FlagUsages())
	b.WriteString(exitCodesHelp)
	io.WriteString(w, b.String())
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	return cmd.UseLine()
}

func commandList(cmd *cobra.Command) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			b.WriteString("  " + c.Name() + strings.Repeat(" ", max(1, 12-len(c.Name()))) + c.Short + "\n")
		}
	}
	return b.String()
}

// helpCommand is "help create" for those who type it that way around.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND...]",
		Short:   "explain a command",
		Example: "  sandboxer help create",
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, word := range args {
				next, rest, err := about.Find([]string{word})
				if err != nil || len(rest) > 0 || next == about {
					return unknownCommand(about, word)
				}
				about = next
			}
			about.InitDefaultHelpFlag()
			printHelp(a.out, about)
			a.answered = true
			return nil
		},
	}
}
