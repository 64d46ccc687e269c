package main

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print what makes a shell complete sandboxer's commands",
		Example: "  sandboxer completion bash > ~/.local/share/bash-completion/completions/sandboxer\n" +
			"  sandboxer completion fish > ~/.config/fish/completions/sandboxer.fish",
		Long: "Completion prints a script for SHELL, one of " + strings.Join(shells, ", ") + ".\n" +
			"It is the one command that prints no document: -o does not change it.",
		Args:      wants("SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, script := cmd.Root(), &bytes.Buffer{}
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(script, true)
			case "zsh":
				err = root.GenZshCompletion(script)
			case "fish":
				err = root.GenFishCompletion(script, true)
			case "powershell":
				err = root.GenPowerShellCompletionWithDesc(script)
			default:
				return &usageError{"no completion for " + quote(args[0]), "there is one for " + strings.Join(shells, ", ")}
			}
			if err != nil {
				return err
			}
			return a.print(script.Bytes())
		},
	}
}
