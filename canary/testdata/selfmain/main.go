// Command selfmain is a program that can be sent as a canary: its main begins
// with canary.Main. It prints what canary.Self finds for its own platform.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/canary"
)

func main() {
	canary.Main()
	program, err := canary.Self()(context.Background(), sandboxer.Platform{OS: "linux", Arch: runtime.GOARCH})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\nhint: %s\n", err, sandboxer.Hint(err))
		os.Exit(1)
	}
	// Package net makes go build link libc where there is a C compiler.
	_, _ = net.LookupPort("tcp", "http")
	fmt.Println(program.Origin)
}
