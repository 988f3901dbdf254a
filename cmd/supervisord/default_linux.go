package main

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disposition is what the kernel does for a signal: a struct sigaction, which is smaller on
// every architecture that Go knows.
type disposition [16]uint64

// defaultSignals has the kernel itself end this process on these signals. Go leaves its
// handler in place for a signal that is caught no more, and that ends the process in a
// second step: of a thread that is ended between the two by an exec, the signal is lost. As
// process 1 it is left so, since the kernel ignores there what has the default.
func defaultSignals(signals ...syscall.Signal) (restore func()) {
	if os.Getpid() == 1 {
		return func() {}
	}
	before := make([]disposition, len(signals))
	for i, sig := range signals {
		setDisposition(sig, new(disposition), &before[i]) // all zero is the default
	}
	return func() {
		for i, sig := range signals {
			setDisposition(sig, &before[i], nil)
		}
	}
}

func setDisposition(sig syscall.Signal, to, before *disposition) {
	const size = 8 // of the kernel's signal set; on MIPS, where it is 16, this does nothing
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(before)), size, 0, 0)
}
