package process_test

import (
	"fmt"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/process"
)

// A Sandboxer that is to use no engine, whatever the host has.
func Example() {
	box := sandboxer.Sandboxer{Provisioners: []sandboxer.Provisioner{process.Provisioner{}}}
	fmt.Println(box.Provisioners[0].Engine())
	// Output: process
}
