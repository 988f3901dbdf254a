package rpc

import "golang.org/x/sys/unix"

// socketUID is the user at the other end of a unix socket.
func socketUID(fd int) (int, error) {
	cred, err := peerCredentials(fd)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// peerCredentials are those of the process at the other end of a unix socket, or of the
// one that listens there.
func peerCredentials(fd int) (*unix.Ucred, error) {
	return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
}
