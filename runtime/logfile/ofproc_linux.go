package logfile

import (
	"sync"

	"golang.org/x/sys/unix"
)

// procDevice is the device of /proc, 0 if it is not there.
var procDevice = sync.OnceValue(func() uint64 {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Stat("/proc", &st) != nil || unix.Statfs("/proc", &fs) != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		return 0
	}
	return uint64(st.Dev)
})

// notOfProc reports whether dir, behind all symbolic links, is none of /proc, in
// which alone Linux has descriptors. It is one look instead of one for each part of the path.
func notOfProc(dir string) bool {
	var st unix.Stat_t
	proc := procDevice()
	return proc != 0 && unix.Stat(dir, &st) == nil && uint64(st.Dev) != proc
}
