package launch

import "syscall"

// peerPID is the process that made the other end of a connected unix socket listen,
// 0 where it is not to be seen from here.
func peerPID(fd int) int {
	cred, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return 0
	}
	return int(cred.Pid)
}
