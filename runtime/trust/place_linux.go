package trust

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// search opens a directory to go through it, which one may without reading it.
const search = unix.O_PATH

// leap goes to a directory with one call where no link is on the way. When it
// cannot, which includes every mistake, the way is to be walked.
func (p *place) leap(dir string) bool {
	if dir == "" {
		dir = "."
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
	return err == nil && p.become(fd, dir) == nil
}

// isProc reports whether a directory is of the proc file system, whose links
// lead to what their text does not name.
func isProc(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Type == unix.PROC_SUPER_MAGIC
}

// pin holds what stands in the place under a name, until release. It follows no link.
func (p *place) pin(name string) (s pinned, release func(), err error) {
	fd, err := openat(p.fd, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	return pinned{fd, "", unix.AT_EMPTY_PATH}, func() { unix.Close(fd) }, err
}

func (s pinned) chmod(mode uint32) error {
	if unix.Fchmodat(s.dir, s.name, mode, s.flag) == nil { // Linux 6.6
		return nil
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", s.dir), mode)
}
