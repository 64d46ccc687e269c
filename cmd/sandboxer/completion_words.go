package main

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/profile"
)

// registerCompletion says how the words of the command line are completed.
// Nothing here talks to a host or an engine: a tab key must not wait, nor
// connect. What is not named here has nothing to offer, not even files.
func (a *app) registerCompletion(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	arguments := map[string]cobra.CompletionFunc{
		"sandboxer create":          completeProfile,
		"sandboxer profile show":    completeProfile,
		"sandboxer profile lint":    completeProfile,
		"sandboxer schema validate": completeFile,
		"sandboxer destroy":         a.completeRefs,
		"sandboxer status":          a.completeRef,
		"sandboxer extend":          a.completeRef,
		"sandboxer touch":           a.completeRef,
		"sandboxer hold":            a.completeRef,
		"sandboxer release":         a.completeRef,
		"sandboxer audit":           a.completeRef,
	}
	engines := []string{engine.Auto, string(sandboxer.EngineDocker), string(sandboxer.EnginePodman), string(sandboxer.EngineProcess)}
	flags := map[string]cobra.CompletionFunc{
		"host":          completeHost,
		"engine":        cobra.FixedCompletions(engines, cobra.ShellCompDirectiveNoFileComp),
		"compose-cmd":   cobra.FixedCompletions([]string{"docker compose", "docker-compose", "podman-compose"}, cobra.ShellCompDirectiveNoFileComp),
		"output":        cobra.FixedCompletions([]string{"json", "text"}, cobra.ShellCompDirectiveNoFileComp),
		"ssh-config":    completeFile,
		"hosts-file":    completeFile,
		"plan":          completeFile,
		"canary-binary": completeFile,
		"alert-policy":  completeFile,
	}
	eachCommand(root, func(cmd *cobra.Command) {
		if complete := arguments[cmd.CommandPath()]; complete != nil {
			cmd.ValidArgsFunction = complete
		}
		for name, complete := range flags {
			if f := cmd.LocalFlags().Lookup(name); f != nil && (cmd == root || root.PersistentFlags().Lookup(name) == nil) {
				// It fails only where a flag is unknown, or registered twice.
				_ = cmd.RegisterFlagCompletionFunc(name, complete)
			}
		}
	})
}

// eachCommand calls f for cmd and every command below it.
func eachCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, f)
	}
}

func completeFile(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeProfile offers the profiles that have a name, and, where none of
// them begins like that, files.
func completeProfile(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var words []cobra.Completion
	for _, p := range profile.List() {
		for _, name := range append([]string{p.Name}, p.Aliases...) {
			words = offer(words, name, p.Summary, begun)
		}
	}
	return words, cobra.ShellCompDirectiveDefault
}

// completeRefs offers the sandboxes of the host that is chosen, as far as
// they were created from here.
func (a *app) completeRefs(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var words []cobra.Completion
	hosts := a.settings.hosts.names
	chosen := hosts[len(hosts)-1] // to complete, cobra parses the flags twice
	for _, s := range artifacts() {
		if s.Host.Name != chosen || s.State == sandboxer.StateDestroyed {
			continue
		}
		about := s.Profile + ", " + string(s.State)
		for _, ref := range []string{string(s.SandboxID), s.Name} {
			if ref != "" && !slices.Contains(args, ref) {
				words = offer(words, ref, about, begun)
			}
		}
	}
	slices.Sort(words)
	return words, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeRef(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeRefs(cmd, args, begun)
}

// completeHost offers the hosts that sandboxes were created on from here.
func completeHost(_ *cobra.Command, _ []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	words := offer(nil, localhost.Name, "this machine", begun)
	for _, s := range artifacts() {
		if s.Host.Name != localhost.Name {
			words = offer(words, s.Host.Name, "", begun)
		}
	}
	slices.Sort(words)
	return slices.Compact(words), cobra.ShellCompDirectiveNoFileComp
}

// offer appends word, if it begins like that and no shell can be led astray
// by it. Its description goes the same way: both may come from a file.
func offer(words []cobra.Completion, word, about, begun string) []cobra.Completion {
	if word == "" || !strings.HasPrefix(word, begun) || strings.ContainsFunc(word, unprintable) {
		return words
	}
	if about = clean(about); about == "" {
		return append(words, word)
	}
	return append(words, cobra.CompletionWithDesc(word, about))
}

// An artifact is what completion wants to know of a report.
type artifact struct {
	SandboxID sandboxer.ID    `json:"sandbox_id"`
	Name      string          `json:"name"`
	Profile   string          `json:"profile"`
	State     sandboxer.State `json:"state"`
	Host      struct {
		Name string `json:"name"`
	} `json:"host"`
}

// maxArtifacts bounds what a tab key reads: the newest reports, each of some
// ten kilobytes.
const maxArtifacts = 100

// artifacts returns what the newest local reports say, newest first. What
// cannot be read is left out.
func artifacts() []artifact {
	entries, err := os.ReadDir(jsonfile.DefaultDir())
	if err != nil {
		return nil
	}
	type report struct {
		id   string
		time time.Time
	}
	var reports []report
	for _, e := range entries {
		id, isJSON := strings.CutSuffix(e.Name(), ".json")
		info, err := e.Info()
		if isJSON && err == nil && info.Mode().IsRegular() {
			reports = append(reports, report{id, info.ModTime()})
		}
	}
	slices.SortFunc(reports, func(a, b report) int {
		return cmp.Or(b.time.Compare(a.time), strings.Compare(a.id, b.id))
	})
	var all []artifact
	for _, r := range reports[:min(len(reports), maxArtifacts)] {
		var found artifact
		data, err := os.ReadFile(filepath.Join(jsonfile.DefaultDir(), r.id+".json"))
		if err == nil && json.Unmarshal(data, &found) == nil && string(found.SandboxID) == r.id {
			all = append(all, found)
		}
	}
	return all
}
