package launch

import "syscall"

// signalNames are Supervisor's names of signals that x/sys calls otherwise or
// does not name.
var signalNames = map[syscall.Signal]string{
	syscall.SIGPOLL: "SIGPOLL", // SIGIO
	34:              "SIGRTMIN",
	64:              "SIGRTMAX",
}

// errnoNames are the same for errors.
var errnoNames = map[syscall.Errno]string{
	syscall.EDEADLK: "EDEADLOCK",
	syscall.EUCLEAN: "EUCLEAN", // EFSCORRUPTED
}
