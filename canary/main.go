package canary

import (
	"os"
	"sync/atomic"
)

// mainArg is the first argument of a program that is to be a canary.
const mainArg = "__canary"

// began is whether main began with Main. It is the one piece of global state
// of this module: a fact about the process, set once.
var began atomic.Bool

// Main makes a program one that can be sent as a canary. It is to be called
// first in main, before flags are parsed or anything is opened:
//
//	func main() {
//		canary.Main()
//		…
//
// In a process that was started as a canary, which the first argument
// "__canary" says, Main does the canary's work and exits; it never returns.
// In any other it returns at once, having done no more than to look at that
// argument and to remember, for Self, that it was called.
func Main() {
	if len(os.Args) > 1 && os.Args[1] == mainArg {
		os.Exit(command(os.Args[2:], os.Stdout, os.Stderr, os.Getenv))
	}
	began.Store(true)
}
