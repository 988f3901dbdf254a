package launch

import "syscall"

// Signal sends sig to the process pid. A pid that would mean anything else to
// the kernel (a group, everyone) is refused with EINVAL. ESRCH means that the
// process is gone. Signal 0 sends nothing and only asks.
func Signal(pid int, sig syscall.Signal) error {
	if pid <= 0 {
		return syscall.EINVAL
	}
	return syscall.Kill(pid, sig)
}

// SignalGroup sends sig to every member of the process group pgid. Groups 0
// and 1 are refused with EINVAL, for the kernel would take them for our own
// group and for everyone. ESRCH means that the group has no member; a zombie
// is one.
func SignalGroup(pgid int, sig syscall.Signal) error {
	if pgid <= 1 {
		return syscall.EINVAL
	}
	return syscall.Kill(-pgid, sig)
}
