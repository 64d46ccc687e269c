// Command nomain embeds the module but never calls canary.Main. It prints
// what canary.Self finds for its own platform.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
)

func main() {
	program, err := canary.Self()(context.Background(), sandboxer.Platform{OS: "linux", Arch: runtime.GOARCH})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\nhint: %s\n", err, sandboxer.Hint(err))
		os.Exit(1)
	}
	fmt.Println(program.Origin)
}
