package main

import (
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/profile"
)

// createFlags are the flags of create.
type createFlags struct {
	ttl, wait    *durationFlag
	name, binary string
	labels       []string
	remove, keep bool
}

func newCreateFlags() *createFlags {
	return &createFlags{ttl: ageFlag(0), wait: waitFlag(sandboxer.DefaultWaitTimeout)}
}

func (f *createFlags) register(set *pflag.FlagSet) {
	set.Var(f.ttl, "ttl", "life of the sandbox: hours, or a duration such as 90m (default: no end)")
	set.StringVar(&f.name, "name", "", "second `NAME`, unique on the host")
	set.StringArrayVar(&f.labels, "label", nil, "`KEY=VALUE`: keep this with the sandbox; may be repeated")
	set.BoolVar(&f.remove, "rm", false, "destroy it again once it has reported")
	set.Var(f.wait, "wait-timeout", "give up when it is not ready after this long")
	set.BoolVar(&f.keep, "keep-failed", false, "leave a failed create as it is, to look at")
	set.StringVar(&f.binary, "canary-binary", "", "static linux `FILE` to run as the canary (default: this program)")
}

// spec is what the flags ask for.
func (f *createFlags) spec(args []string) (sandboxer.Spec, error) {
	source := canary.Self()
	if f.binary != "" {
		source = canary.File(f.binary)
	}
	name := canary.Profile
	if len(args) > 0 {
		name = args[0]
	}
	spec, err := profile.Resolve(name, source)
	var unknown *profile.NameError
	if errors.As(err, &unknown) {
		return spec, &usageError{err.Error(), unknown.Hint}
	} else if err != nil {
		return spec, err
	}
	if f.name != "" {
		if _, err := sandboxer.ParseRef(f.name); err != nil {
			return spec, misused("--name: %v", err)
		}
	}
	for _, l := range f.labels {
		key, value, ok := strings.Cut(l, "=")
		if !ok || key == "" || strings.ContainsFunc(l, unprintable) {
			return spec, misused("--label %s: want KEY=VALUE", quote(l))
		}
		if spec.Labels == nil {
			spec.Labels = map[string]string{}
		}
		spec.Labels[key] = value
	}
	spec.Name, spec.TTL, spec.WaitTimeout = f.name, f.ttl.value, f.wait.value
	spec.Remove, spec.KeepFailed = f.remove, f.keep
	return spec, nil
}
