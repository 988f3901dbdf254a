package trust

import "golang.org/x/sys/unix"

// OpenForWriting reports whether anybody has an open regular file open for writing, or
// has it mapped so. The kernel says so by refusing a read lease (fcntl(2), F_SETLEASE);
// one that is given is given back at once. For a file of another user that takes
// CAP_LEASE, and some file systems have no leases: then nobody knows, and the answer
// is no. NFS and SMB refuse one in the same words as for a file in use whenever the
// server has not promised to tell of others, so they are not asked. A writer that opens
// the file in between waits until the lease is back, and the kernel sends us SIGIO,
// which Go's runtime passes over.
func OpenForWriting(fd int) bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return false
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return err == unix.EAGAIN
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return false
}
