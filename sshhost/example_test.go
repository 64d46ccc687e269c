package sshhost_test

import (
	"context"
	"errors"
	"fmt"

	sandboxer "github.com/tegwick/sand-boxer"
	"github.com/tegwick/sand-boxer/sshhost"
)

func Example() {
	host := sshhost.New("coulombcore", sshhost.Config{})
	defer host.Close()
	fmt.Println(host.Name()) // nothing has been dialled yet
	// Output: coulombcore
}

// What went wrong is in the error; what mends it is its hint.
func ExampleHost_Run() {
	host := sshhost.New("-oProxyCommand=id", sshhost.Config{})
	defer host.Close()
	_, err := host.Run(context.Background(), sandboxer.Cmd{Args: []string{"uptime"}})
	var he *sandboxer.HostError
	switch {
	case errors.Is(err, sshhost.ErrHostKeyUnknown), errors.Is(err, sshhost.ErrHostKeyChanged):
		fmt.Println("ask a person:", err, sandboxer.Hint(err))
	case errors.As(err, &he) && he.Started:
		fmt.Println("find out what has become of it:", err)
	case err != nil:
		fmt.Println("never ran:", err)
	}
	// Output: never ran: -oProxyCommand=id: resolve: unusable ssh configuration: host name "-oProxyCommand=id" begins with -
}
