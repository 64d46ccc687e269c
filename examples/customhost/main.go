// Command customhost inspects this machine by a Host of its own making, which
// runs each command behind another program:
//
//	customhost nice -n 19
//	customhost sudo -n
//	customhost nsenter --target 1 --all
//
// No ssh is compiled into it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
)

// behind is another Host whose commands run behind a prefix. The programs of
// the prefix must end in running the rest of their arguments, with their own
// streams, environment and process group.
type behind struct {
	sandboxer.Host
	prefix []string
}

// Run checks what the other Host would check if it still saw the program's
// name in its place.
func (b behind) Run(ctx context.Context, cmd sandboxer.Cmd) (sandboxer.Result, error) {
	if len(cmd.Args) == 0 || cmd.Args[0] == "" || strings.HasPrefix(cmd.Args[0], "-") {
		return sandboxer.Result{}, &sandboxer.HostError{Host: b.Name(), Op: "start", Err: errors.New("no program named")}
	}
	cmd.Args = slices.Concat(b.prefix, cmd.Args)
	return b.Host.Run(ctx, cmd)
}

func main() {
	if err := inspect(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "customhost:", err)
		os.Exit(1)
	}
}

func inspect(ctx context.Context, out io.Writer, prefix []string) error {
	host := behind{localhost.Host{}, prefix}
	box := sandboxer.Sandboxer{Collector: probe.Collector{}}
	obs, err := box.Inspect(ctx, host)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, behind %q: %d sandboxes\n", host.Name(), strings.Join(prefix, " "), len(obs.Inventory.Sandboxes))
	return nil
}
