package logfile

import "golang.org/x/sys/unix"

// openForWriting reports whether anybody has the file open for writing. The kernel
// grants a read lease, which is given back at once, on no such file. It grants none on
// another's file without a privilege, and none on some file systems; NFS refuses it
// in the same words as for a file in use.
func openForWriting(fd int) bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil || int64(fs.Type) == unix.NFS_SUPER_MAGIC {
		return false
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return err == unix.EAGAIN
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
	return false
}
