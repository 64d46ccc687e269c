// Command embed puts a canary, which is this very program, on SANDBOXER_HOST
// or else on this machine, says what that did to the host, and takes it away
// again.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
	"github.com/tegwick/sand-boxer/engine"
	"github.com/tegwick/sand-boxer/exporter/jsonfile"
	"github.com/tegwick/sand-boxer/localhost"
	"github.com/tegwick/sand-boxer/probe"
	"github.com/tegwick/sand-boxer/sshhost"
)

func main() {
	canary.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := provision(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		if hint := sandboxer.Hint(err); hint != "" {
			fmt.Fprintln(os.Stderr, "hint:", hint)
		}
		os.Exit(1)
	}
}

func provision(ctx context.Context, out io.Writer) error {
	var host sandboxer.Host = localhost.Host{}
	if alias := os.Getenv("SANDBOXER_HOST"); alias != "" {
		remote := sshhost.New(alias, sshhost.Config{ConfigFile: os.Getenv("SANDBOXER_SSH_CONFIG")})
		defer remote.Close()
		host = remote
	}
	box := sandboxer.Sandboxer{
		Provisioners: engine.All(), Collector: probe.Collector{}, Exporter: jsonfile.Exporter{},
		Root: os.Getenv("SANDBOXER_ROOT"),
	}
	status, err := box.Create(ctx, host, canary.Spec(canary.Self()))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is %s on %s: canary %s\n", status.SandboxID, status.State, host.Name(), status.Telemetry.Canary.Status)
	if d := status.Telemetry.ProvisionDelta.Host.MemoryAvailableBytes.Delta; d != nil {
		fmt.Fprintf(out, "memory available: %+.0f bytes\n", *d)
	}
	status, err = box.Destroy(ctx, host, status.SandboxID)
	if err == nil {
		fmt.Fprintf(out, "%s: leaks %s\n", status.State, status.Telemetry.Residual.Verdict)
	}
	return err
}
