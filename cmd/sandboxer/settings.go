package main

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/internal/onhost"
	"github.com/tegwick/sand-boxer/localhost"
)

// settings are the global flags. Each of them, and nothing else, may also
// come from a variable: SANDBOXER_ and the flag's name.
type settings struct {
	hosts      hostFlag
	engine     string
	composeCmd string
	root       string
	sshConfig  string
	output     string // "", json, text
	json       bool
	timeout    *durationFlag // 0: the verb's own
	quiet      bool
	verbose    bool
}

func (s *settings) register(f *pflag.FlagSet) {
	s.timeout = waitFlag(0)
	s.hosts.names = []string{localhost.Name}
	f.Var(&s.hosts, "host", "`NAME` of the machine to work on: an ssh config alias, [user@]host, or "+localhost.Name)
	f.StringVar(&s.engine, "engine", engine.Auto, "`ENGINE` that runs sandboxes: auto, docker, podman or process")
	f.StringVar(&s.composeCmd, "compose-cmd", "", "compose `TOOL` on the host, such as \"podman-compose\" or \"sudo docker compose\" (default: found)")
	f.StringVar(&s.root, "root", "", "`DIR` of the sandboxes on the host (default /tmp/sandboxer)")
	f.StringVar(&s.sshConfig, "ssh-config", "", "ssh configuration `FILE`, as ssh -F takes it")
	f.StringVarP(&s.output, "output", "o", "", "`FORMAT`: json or text (default: text on a terminal, else json)")
	f.BoolVar(&s.json, "json", false, "same as -o json")
	f.Var(s.timeout, "timeout", "give up after this long (default: 1m; create and destroy 10m)")
	f.BoolVarP(&s.quiet, "quiet", "q", false, "no progress on standard error")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "say on standard error what is done")
}

// variable is the environment's name of a global flag.
func variable(flag string) string {
	return "SANDBOXER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// load takes from the environment what the command line left open, and
// checks the whole. json is an alias, not a setting of its own.
func (s *settings) load(f *pflag.FlagSet, getenv func(string) string) error {
	given := f.Changed("output") || f.Changed("json")
	var bad error
	f.VisitAll(func(flag *pflag.Flag) {
		value := getenv(variable(flag.Name))
		if bad != nil || value == "" || flag.Changed || flag.Name == "json" || (flag.Name == "output" && given) {
			return
		}
		if err := flag.Value.Set(value); err != nil {
			bad = misused("%s=%s: %v", variable(flag.Name), quote(value), err)
		}
	})
	if bad != nil {
		return bad
	}
	return s.check(f)
}

func (s *settings) check(f *pflag.FlagSet) error {
	switch {
	case s.json && s.output != "" && s.output != "json":
		return misused("--json and -o %s contradict each other", s.output)
	case s.output != "" && s.output != "json" && s.output != "text":
		return misused("-o %s: want json or text", quote(s.output))
	}
	if s.root != "" || f.Changed("root") {
		if err := onhost.CheckRoot(s.root); err != nil {
			return misused("--%v", err)
		}
	}
	for _, name := range s.hosts.names {
		if name == "" {
			return &usageError{"--host is empty", "leave it out, or say --host " + localhost.Name + ", for this machine"}
		}
		if oddHost(name) {
			return misused("--host %s: not the name of a host", quote(name))
		}
	}
	return s.checkSSHConfig(s.hosts.names)
}

// checkSSHConfig makes sure that what is said of these hosts can be read.
func (s *settings) checkSSHConfig(names []string) error {
	remote := slices.ContainsFunc(names, func(name string) bool { return name != localhost.Name })
	if s.sshConfig == "" || !remote {
		return nil
	}
	if _, err := os.Stat(s.sshConfig); err != nil {
		return misused("--ssh-config: %v", err)
	}
	return nil
}

// oddHost reports names that no ssh client should ever be handed.
func oddHost(name string) bool {
	odd := func(r rune) bool { return r <= ' ' || unprintable(r) }
	return strings.HasPrefix(name, "-") || len(name) > 1024 || strings.ContainsFunc(name, odd) || !utf8.ValidString(name)
}

// A hostFlag is --host: what is given replaces the default, and what is given
// again comes after it.
type hostFlag struct {
	names []string // at least one
	given bool
}

func (f *hostFlag) Set(name string) error {
	if !f.given {
		f.names, f.given = nil, true
	}
	f.names = append(f.names, name)
	return nil
}

// one is the host that is worked on, or this machine where there are several.
func (f *hostFlag) one() string {
	if len(f.names) > 1 {
		return localhost.Name
	}
	return f.names[0]
}

func (f *hostFlag) Type() string { return "string" }

// String is what help shows as the default.
func (f *hostFlag) String() string { return strings.Join(f.names, " ") }

// limit is how long a verb may take that by itself would take verbs.
func (s *settings) limit(verbs time.Duration) time.Duration {
	if s.timeout.value > 0 {
		return s.timeout.value
	}
	return verbs
}

// rootDir is the directory of the sandboxes, as messages show it.
func (s *settings) rootDir() string { return cmp.Or(s.root, sandboxer.DefaultRoot) }
