package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
)

// hostsFlags are the flags of a verb that looks at several hosts. No variable
// stands for them.
type hostsFlags struct {
	file     string
	parallel parallelFlag
}

func (h *hostsFlags) register(f *pflag.FlagSet) {
	h.parallel = sandboxer.DefaultParallel
	f.StringVar(&h.file, "hosts-file", "", "look at the hosts in `FILE`, one name a line (-: standard input)")
	f.Var(&h.parallel, "parallel", "of several hosts, look at `N` at a time")
}

// takesSeveral reports whether cmd has those flags.
func takesSeveral(cmd *cobra.Command) bool { return cmd.Flags().Lookup("hosts-file") != nil }

// maxParallel keeps a slip from using up what a process may open: each host
// takes a process and a few files while its turn lasts.
const maxParallel = 512

// A parallelFlag is a number from 1 to maxParallel.
type parallelFlag int

func (n *parallelFlag) Set(s string) error {
	v, err := strconv.Atoi(s)
	if err != nil || v < 1 || v > maxParallel {
		return fmt.Errorf("want 1 to %d", maxParallel)
	}
	*n = parallelFlag(v)
	return nil
}

func (n *parallelFlag) Type() string   { return "int" }
func (n *parallelFlag) String() string { return strconv.Itoa(int(*n)) }

// chosenHosts returns the hosts to look at in the order they were named, each
// once, and whether the answer to that is a list. Nothing is dialled.
func (a *app) chosenHosts(cmd *cobra.Command, flags hostsFlags) (names []string, list bool, err error) {
	if !cmd.Flags().Changed("hosts-file") {
		names = a.settings.hosts.names
		return a.eachOnce(names), len(names) > 1, nil
	}
	if cmd.Flags().Changed("host") { // a variable is for when nothing else says it
		names = slices.Clone(a.settings.hosts.names)
	}
	a.settings.hosts.names = []string{localhost.Name} // what any error is about
	data, err := a.readFile(flags.file, maxHostsFile+1)
	if err != nil {
		return nil, true, misused("--hosts-file: %v", err)
	}
	label := flags.file
	if label == "-" {
		label = "standard input"
	}
	if len(data) > maxHostsFile {
		return nil, true, misused("--hosts-file: %s: larger than %d MiB", label, maxHostsFile>>20)
	}
	listed, err := parseHosts(label, string(data))
	if err != nil {
		return nil, true, err
	}
	names = append(names, listed...)
	return a.eachOnce(names), true, a.settings.checkSSHConfig(names)
}

// maxHostsFile is more than any list of hosts, and less than a device.
const maxHostsFile = 4 << 20

// parseHosts reads a file of hosts: a name on each line, after # a comment.
// Editors of some systems put a mark of their encoding in front.
func parseHosts(label, text string) ([]string, error) {
	var names []string
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if oddHost(name) {
			return nil, misused("%s:%d: %s: not the name of a host", label, number, quote(name))
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, &usageError{label + " names no host", "one a line: an ssh config alias, [user@]host, or local"}
	}
	return names, nil
}

// eachOnce leaves out names that were there before, and says so.
func (a *app) eachOnce(names []string) []string {
	var once, again []string
	seen := map[string]int{}
	for _, name := range names {
		switch seen[name]++; seen[name] {
		case 1:
			once = append(once, name)
		case 2:
			again = append(again, name)
		}
	}
	if len(again) > 0 {
		a.err.printf("sandboxer: warning: named more than once, looked at once: %s", strings.Join(again, ", "))
	}
	return once
}
