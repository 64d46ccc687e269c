//go:build !linux || !(amd64 || arm64)

// Command sh is for Linux on processors whose system calls it knows. Elsewhere
// it is built, so that all of the module is, and says so.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "faults: sh: only for Linux on amd64 and arm64")
	os.Exit(1)
}
