package capture

import "golang.org/x/sys/unix"

// pending is how many bytes are in the pipe fd at this moment.
func pending(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return pipeSize
	}
	return n
}

// announced reports whether the poller will tell of what is to be read next of a pipe that
// has been emptied. It will not if that is the end and nothing before it, of which it may
// have told together with what was there.
func announced(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && (n == 0 || p[0].Revents&unix.POLLIN != 0)
}
