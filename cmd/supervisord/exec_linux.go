package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// execute has this process execute a program. It returns only if that fails, and then with
// the limit of open files as it was: Go lowers it for the program to what this one was started
// with, and neither raises it again nor, where we did so by setrlimit, would lower it for
// children any more.
func execute(binary string, argv, env []string) error {
	var limit unix.Rlimit
	failed := limitOfFiles(nil, &limit)
	err := syscall.Exec(binary, argv, env)
	if failed == 0 {
		limitOfFiles(&limit, nil)
	}
	return err
}

func limitOfFiles(to, was *unix.Rlimit) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(was)), 0, 0)
	return errno
}
