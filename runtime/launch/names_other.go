//go:build unix && !linux

package launch

import "syscall"

// signalNames are Supervisor's names of signals that x/sys calls otherwise.
var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", // SIGIOT
}

// errnoNames are the same for errors.
var errnoNames map[syscall.Errno]string
