package capture

import "golang.org/x/sys/unix"

// pending is how many bytes are in the pipe fd at this moment.
func pending(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return chunkSize
	}
	return n
}
