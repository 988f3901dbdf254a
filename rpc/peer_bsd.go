//go:build darwin || freebsd

package rpc

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUID is the user who connected, as the kernel knows it.
func peerUID(c *net.UnixConn) (uid int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *unix.Xucred
	controlErr := raw.Control(func(fd uintptr) {
		const solLocal = 0
		cred, err = unix.GetsockoptXucred(int(fd), solLocal, unix.LOCAL_PEERCRED)
	})
	if controlErr != nil || err != nil {
		return 0, false
	}
	return int(cred.Uid), true
}
