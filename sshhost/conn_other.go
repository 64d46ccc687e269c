//go:build !linux

package sshhost

import (
	"net"
	"syscall"
	"time"
)

func quickAcker(net.Conn) func() { return nil }

func keepAliveControl(time.Duration) func(network, address string, c syscall.RawConn) error {
	return nil
}
