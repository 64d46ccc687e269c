// Command sandboxer creates, inspects and destroys sandboxes on a host. It is
// a thin front to package sandboxer: flags in, one call, a document out.
package main

import (
	"context"
	"os"

	"github.com/tegwick/sand-boxer/canary"
)

func main() {
	canary.Main() // does not return in a sandbox
	outlivePipes()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
