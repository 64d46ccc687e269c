package sandboxer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tegwick/sand-boxer/internal/fanout"
)

// DefaultParallel is how many hosts are looked at side by side, unless
// InspectAllOptions says otherwise.
const DefaultParallel = 32

// InspectAllOptions is how several hosts are looked at. The zero value is
// valid.
type InspectAllOptions struct {
	// Parallel is how many hosts are looked at at a time. Zero is
	// DefaultParallel.
	Parallel int

	// Timeout bounds the look at each host, from when its turn comes. Zero:
	// only ctx bounds it.
	Timeout time.Duration

	// Done, if not nil, is called once for each host as soon as that is done
	// with, concurrently and in any order: the place to close a host that is
	// not needed any more. What it takes out of the Inspection is not in the
	// result either: of a thousand Observations, few need to be kept whole.
	Done func(*Inspection)
}

// An Inspection is what became of the look at one of several hosts.
type Inspection struct {
	Host        Host
	Observation Observation // as Inspect returns it
	Err         error       // as Inspect returns it; nil: there is an Observation
}

// InspectAll looks at hosts side by side, each as Inspect does, and returns
// what became of each, in the order of hosts. A host that fails stops no
// other. Once ctx has ended no look is begun: the error of the hosts left is a
// *HostError that wraps ctx.Err() and says that nothing was run.
func (b *Sandboxer) InspectAll(ctx context.Context, hosts []Host, opts InspectAllOptions) []Inspection {
	parallel := opts.Parallel
	if parallel == 0 {
		parallel = DefaultParallel
	}
	looks := fanout.Run(ctx, parallel, hosts, func(ctx context.Context, host Host) (Inspection, error) {
		if opts.Timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, opts.Timeout)
			defer cancel()
		}
		one := Inspection{Host: host}
		one.Observation, one.Err = b.Inspect(ctx, host)
		opts.done(&one)
		return one, nil
	})
	all := make([]Inspection, len(hosts))
	for i, look := range looks {
		all[i] = look.Value
		if look.Err != nil { // its turn never came
			why := look.Err
			if cause := context.Cause(ctx); !errors.Is(cause, why) {
				why = fmt.Errorf("%w: %w", why, cause)
			}
			all[i] = Inspection{Host: hosts[i], Err: &HostError{Host: hosts[i].Name(), Op: "start", Err: why}}
			opts.done(&all[i])
		}
	}
	return all
}

func (o InspectAllOptions) done(one *Inspection) {
	if o.Done != nil {
		o.Done(one)
	}
}
