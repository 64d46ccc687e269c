package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/profile"
)

// createFlags are the flags of create.
type createFlags struct {
	ttl, wait    *durationFlag
	settle       *durationFlag
	baseline     int
	name, binary string
	labels       []string
	allow        []string
	remove, keep bool
	force        bool
}

func newCreateFlags() *createFlags {
	return &createFlags{ttl: ageFlag(0), wait: waitFlag(sandboxer.DefaultWaitTimeout), settle: waitFlag(0)}
}

func (f *createFlags) register(set *pflag.FlagSet) {
	set.Var(f.ttl, "ttl", "life of the sandbox: hours, or a duration such as 90m (default: no end)")
	set.StringVar(&f.name, "name", "", "second `NAME`, unique on the host")
	set.StringArrayVar(&f.labels, "label", nil, "`KEY=VALUE`: keep this with the sandbox; may be repeated")
	set.BoolVar(&f.remove, "rm", false, "destroy it again once it has reported")
	set.Var(f.wait, "wait-timeout", "give up when it is not ready after this long")
	set.IntVar(&f.baseline, "baseline", 0, "first take so many pairs of looks, as baseline does")
	set.Var(f.settle, "settle", "wait this long at most for the host to come to rest before the last look at it")
	set.BoolVar(&f.keep, "keep-failed", false, "leave a failed create as it is, to look at")
	set.BoolVar(&f.force, "force", false, "create it though the host can take no more, as inspect host says")
	set.StringSliceVar(&f.allow, "allow", nil, "put up with the findings `CODE[,CODE]` of the profile; see profile lint")
	set.StringVar(&f.binary, "canary-binary", "", "static linux `FILE` to run as the canary (default: this program)")
}

// spec is what the flags ask for.
func (f *createFlags) spec(ctx context.Context, args []string) (chosen, error) {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	all, err := f.profile(ctx, name)
	if err != nil {
		return all, err
	}
	if err := checkPairs("--baseline", f.baseline, 0); err != nil {
		return all, err
	}
	spec := &all.spec
	if f.name != "" {
		if _, err := sandboxer.ParseRef(f.name); err != nil {
			return all, misused("--name: %v", err)
		}
	}
	for _, l := range f.labels {
		key, value, ok := strings.Cut(l, "=")
		if !ok || key == "" || strings.ContainsFunc(l, unprintable) {
			return all, misused("--label %s: want KEY=VALUE", quote(l))
		}
		if spec.Labels == nil {
			spec.Labels = map[string]string{}
		}
		spec.Labels[key] = value
	}
	spec.Name, spec.TTL, spec.WaitTimeout = f.name, f.ttl.value, f.wait.value
	spec.Settle, spec.Remove, spec.KeepFailed, spec.Force = f.settle.value, f.remove, f.keep, f.force
	return all, nil
}

// limit is how long a create may take.
func (f *createFlags) limit() time.Duration {
	return min(actLimit+f.wait.value+f.settle.value+measuring(f.baseline, sandboxer.DefaultLag), maxAge)
}

// program is what runs in the containers that sandboxer itself makes.
func (f *createFlags) program() canary.Source {
	if f.binary != "" {
		return canary.File(f.binary)
	}
	return canary.Self()
}

// chosen is a profile as create takes it.
type chosen struct {
	spec  sandboxer.Spec
	about string            // what it is, in words
	notes []profile.Finding // what is wrong with it and does not keep it from a host
}

// profile is the profile by that name, or the error for which none is taken.
func (f *createFlags) profile(ctx context.Context, name string) (chosen, error) {
	allow := make([]profile.Code, len(f.allow))
	for i, code := range f.allow {
		allow[i] = profile.Code(code)
	}
	if profile.BuiltIn(name) {
		spec, err := profile.Resolve(ctx, name, profile.Options{Canary: f.program(), Allow: allow})
		return chosen{spec: spec, about: spec.Profile + " (the sandboxer program itself)"}, profileError(err)
	}
	if f.binary != "" {
		return chosen{}, misused("--canary-binary is for the canary, not for profile %s", quote(name))
	}
	p, err := profile.Open(ctx, name)
	if err != nil {
		return chosen{}, profileError(err)
	}
	spec, err := p.Spec(allow...)
	if err != nil {
		return chosen{}, profileError(err)
	}
	about := fmt.Sprintf("%s (%s: %s; %s)", p.Name, plural(len(p.Services), "service", "services"),
		strings.Join(spec.Compose.Services, ", "), uploadText(p))
	return chosen{spec, about, p.Findings}, nil
}
