package reconcile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// openForWriting reports whether somebody has a file open for writing, or has it
// mapped so. The kernel says so by refusing a read lease (fcntl(2), F_SETLEASE);
// one that is given is given back at once. For a file of another user that takes
// CAP_LEASE, and some file systems have no leases: then nobody knows, and the answer
// is no. A writer that opens the file in between waits until the lease is back,
// and the kernel sends us SIGIO, which Go's runtime passes over.
func openForWriting(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return errors.Is(err, unix.EAGAIN)
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return false
}
