package launch

import (
	goruntime "runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inheritedFiles is the soft limit on descriptors that children get. Go raises
// its own at start, gives children back the old one, and does not tell it; so
// a child is sent to the point of execution, and asked before it is collected.
// If that fails, it is current.
func inheritedFiles(current uint64) uint64 {
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: cloneUntilExec}}
	if _, err := syscall.ForkExec("", []string{""}, attr); err == nil {
		return current // it did execute: not on a kernel that we know
	}
	pid, err := endedChild()
	if err != nil {
		return current
	}
	var lim unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &lim); err == nil {
		current = lim.Cur
	}
	_, _ = unix.Wait4(pid, nil, ownClones, nil)
	return current
}

// endedChild waits for the child that this thread sent to its end and leaves it
// uncollected.
func endedChild() (pid int, err error) {
	var info unix.Siginfo
	for {
		err = unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|ownClones, nil)
		if err != unix.EINTR {
			break
		}
	}
	// The pid is the first of the fields that x/sys/unix leaves unnamed. They
	// are aligned like a pointer, after three numbers of 32 bits.
	const align = unsafe.Sizeof(uintptr(0))
	const offset = (3*4 + align - 1) / align * align
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), offset))), err
}
