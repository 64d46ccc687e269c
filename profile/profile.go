// Package profile turns the name of a profile into what a sandbox is to be.
// This version has built-in profiles only.
package profile

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
)

// Default is the profile that an empty name stands for.
const Default = canary.Profile

// An Info describes a profile that can be named.
type Info struct {
	Name    string
	Aliases []string // other names for it
	Summary string   // one line for a person
}

// List returns the profiles that Resolve knows, by name.
func List() []Info {
	return []Info{{
		Name:    canary.Profile,
		Aliases: []string{"canary"},
		Summary: "sandboxer itself, which checks the host from within",
	}}
}

// Resolve returns the Spec of the profile named; an empty name is Default.
// The canary is made of the program that source finds, where nil is
// canary.Self(). It touches no host, and the program is not looked for until
// the Spec is used. The error is a *NameError.
func Resolve(name string, source canary.Source) (sandboxer.Spec, error) {
	if name == "" {
		name = Default
	}
	for _, p := range List() {
		if name == p.Name || slices.Contains(p.Aliases, name) {
			return canary.Spec(source), nil // the only one
		}
	}
	return sandboxer.Spec{}, unknown(name)
}

// A NameError is a name that no profile has.
type NameError struct {
	Name   string
	Reason string // what is wrong with it
	Hint   string // what mends it, in one line
}

// Error gives the name and the reason.
func (e *NameError) Error() string {
	return fmt.Sprintf("profile %q: %s", abbreviate(e.Name), e.Reason)
}

func unknown(name string) *NameError {
	e := &NameError{Name: name, Reason: "there is none of that name", Hint: "the built-in profiles are: " + known()}
	if _, err := os.Stat(name); err == nil || strings.ContainsAny(name, `/\`) || isComposeFile(name) {
		e.Reason = "profiles of your own are not supported by this version"
		return e
	}
	if closest := suggest(name); closest != "" {
		e.Reason += fmt.Sprintf("; did you mean %q?", closest)
	}
	return e
}

func isComposeFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// known lists every name, with aliases.
func known() string {
	var all []string
	for _, p := range List() {
		s := p.Name
		if len(p.Aliases) > 0 {
			s += " (" + strings.Join(p.Aliases, ", ") + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ")
}

// suggest returns the name or alias that name begins like or is a part of, or
// "".
func suggest(name string) string {
	name = strings.ToLower(name)
	if len(name) < 3 {
		return ""
	}
	likes := []func(string) bool{
		func(n string) bool { return strings.HasPrefix(n, name[:3]) },
		func(n string) bool { return strings.Contains(n, name) },
	}
	for _, like := range likes {
		for _, p := range List() {
			names := append([]string{p.Name}, p.Aliases...)
			if i := slices.IndexFunc(names, like); i >= 0 {
				return names[i]
			}
		}
	}
	return ""
}

// abbreviate keeps a message short whatever was typed.
func abbreviate(s string) string {
	if len(s) <= 60 {
		return s
	}
	return s[:57] + "..."
}
