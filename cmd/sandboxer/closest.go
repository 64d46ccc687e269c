package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// closest returns the one of words that typed was probably meant to be, or
// "".
func closest(typed string, words []string) string {
	typed = strings.ToLower(typed)
	best, bestDistance := "", max(1, min(3, len(typed)/2))+1
	for _, w := range words {
		d := distance(typed, w)
		if len(typed) >= 3 && strings.HasPrefix(w, typed) {
			d = 1
		}
		if d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b.
func distance(a, b string) int {
	var before []int // the row before last
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, replace)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// unknownCommand is the error for a word where a command was due.
func unknownCommand(parent *cobra.Command, typed string) error {
	var names []string
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	err := misused("unknown command %s", quote(typed))
	if best := closest(typed, names); best != "" {
		err.hint = "did you mean " + parent.CommandPath() + " " + best + "?"
	} else {
		slices.Sort(names)
		err.hint = parent.CommandPath() + " has the commands " + strings.Join(names, ", ")
	}
	return err
}

// unknownFlag is the error for a flag that cmd does not have.
func unknownFlag(cmd *cobra.Command, name string) error {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	err := misused("unknown flag --%s", cut(name, 60))
	if sub, _, findErr := cmd.Root().Find([]string{name}); findErr == nil && sub != cmd.Root() {
		err.hint = "did you mean " + sub.CommandPath() + "?"
	} else if best := closest(name, names); best != "" {
		err.hint = "did you mean --" + best + "?"
	} else {
		err.hint = cmd.CommandPath() + " --help lists its flags"
	}
	return err
}
