//go:build darwin || freebsd

package rpc

import "golang.org/x/sys/unix"

// socketUID is the user at the other end of a unix socket.
func socketUID(fd int) (int, error) {
	const solLocal = 0
	cred, err := unix.GetsockoptXucred(fd, solLocal, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}
