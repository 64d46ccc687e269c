// Package profile turns the name of a profile into what a sandbox is to be.
//
// A profile is built in, or a directory with a compose file and what its
// services are built from: of the user's own (see UserDir) or anywhere. What
// is uploaded of one is the directory, and in place of its compose file one
// that is written anew. That holds exactly what was looked through: variables
// are filled in, what it includes and extends is in it, and it keeps to what
// all compose tools read alike. So no .env, and no difference between this
// reader and that of a tool, makes it mean something else on the host.
//
// What cannot be torn down safely, or reaches beyond the sandbox, is refused
// before a host is touched: see Finding.
package profile

import (
	"context"
	"fmt"
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
	Summary string   // one line for a person; may be empty
	Path    string   // of its directory; empty for one that is built in
}

// List returns the profiles that have a name: those built in, then the user's
// own. It reads no more of those than the first line.
func List() []Info {
	return append(builtIn(), userProfiles(UserDir())...)
}

// builtIn is what no profile of a user hides.
func builtIn() []Info {
	return []Info{{
		Name:    canary.Profile,
		Aliases: []string{"canary"},
		Summary: "sandboxer itself, which checks the host from within",
	}}
}

// BuiltIn reports whether name, or an empty one, is that of a built-in
// profile, which no profile of a user's own hides.
func BuiltIn(name string) bool {
	return name == "" || slices.ContainsFunc(builtIn(), func(p Info) bool { return name == p.Name || slices.Contains(p.Aliases, name) })
}

// Options of Resolve. The zero value allows nothing.
type Options struct {
	Canary canary.Source // program of the canary; nil is canary.Self()
	Allow  []Code        // findings of level Refuse to put up with
}

// Resolve returns the Spec of the profile that name means; an empty name is
// Default. It touches no host, and the program of a canary is not looked for
// until the Spec is used. The error is a *NameError, a *LoadError, an
// *AllowError or a *sandboxer.RefusedError.
func Resolve(ctx context.Context, name string, o Options) (sandboxer.Spec, error) {
	if BuiltIn(name) {
		return canary.Spec(o.Canary), checkAllow(o.Allow)
	}
	p, err := Open(ctx, name)
	if err != nil {
		return sandboxer.Spec{}, err
	}
	return p.Spec(o.Allow...)
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
	e := &NameError{Name: name, Reason: "there is none of that name", Hint: "the profiles are: " + known()}
	if closest := suggest(name); closest != "" {
		e.Reason += fmt.Sprintf("; did you mean %q?", closest)
	}
	return e
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
