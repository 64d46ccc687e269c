package sshhost

import (
	"net"
	"syscall"
	"time"
)

const tcpUserTimeout = 0x12 // TCP_USER_TIMEOUT, tcp(7): package syscall lacks it

// quickAcker returns a function that has what was received acknowledged at
// once, or nil where c is not TCP.
func quickAcker(c net.Conn) func() {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	set := func(fd uintptr) {
		// It only makes things faster: an error changes nothing.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	}
	arm := func() { _ = raw.Control(set) }
	arm()
	return arm
}

// keepAliveControl has the kernel give up a connection on which data has not
// been acknowledged for d.
func keepAliveControl(d time.Duration) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		})
	}
}
