package launch

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// RaiseFiles makes sure that the daemon, and the children it will start, may
// have at least min descriptors: it raises the soft limit, and the hard limit
// if that is lower. It reports whether anything had to be raised, and the soft
// and hard limits as they were before. The error leaves the limits as they
// were. Call it before dropping privileges.
//
// Children are given the soft limit with which the daemon was started, or min
// if it was raised. The daemon itself has the hard limit unless it was raised:
// Go sees to that.
//
// Source: contract/config.md section 10. Differs: differences.md section 3,
// row 22.
func RaiseFiles(min int) (raised bool, soft, hard uint64, err error) {
	return raise(unix.RLIMIT_NOFILE, min, inheritedFiles)
}

// RaiseProcs does for the number of processes what RaiseFiles does for that of
// descriptors.
func RaiseProcs(min int) (raised bool, soft, hard uint64, err error) {
	return raise(unix.RLIMIT_NPROC, min, func(current uint64) uint64 { return current })
}

// raise raises a limit to min. inherited turns the daemon's soft limit into the
// one that children get.
func raise(resource, min int, inherited func(uint64) uint64) (raised bool, soft, hard uint64, err error) {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(resource, &lim); err != nil {
		return false, 0, 0, err
	}
	soft, hard = inherited(uint64(lim.Cur)), uint64(lim.Max)
	if min < 0 || soft >= uint64(min) {
		return false, soft, hard, nil
	}
	set(&lim.Cur, uint64(min))
	set(&lim.Max, max(hard, uint64(min)))
	// For descriptors this also ends Go's giving children the old limit.
	if err := syscall.Setrlimit(resource, &lim); err != nil {
		return false, soft, hard, err
	}
	return true, soft, hard, nil
}

// set hides that the systems do not agree on the sign of a limit.
func set[T int64 | uint64](to *T, n uint64) { *to = T(n) }
