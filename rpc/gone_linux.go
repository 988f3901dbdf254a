package rpc

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// gone reports whether the other end of a connection has hung up, though there may be
// more that it sent before and nobody has read.
func gone(nc net.Conn) bool {
	switch c := nc.(type) {
	case *framedConn:
		nc = c.Conn
	case *tls.Conn:
		nc = c.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	hungUp := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(fds, 0)
		hungUp = n > 0 && err == nil
	})
	return hungUp || err != nil
}
