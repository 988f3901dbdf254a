package state

import "syscall"

// systemSignals are the names that Linux has beyond the common ones.
var systemSignals = []Signal{
	{"SIGPOLL", int(syscall.SIGPOLL)},
	{"SIGIO", int(syscall.SIGIO)},
	{"SIGIOT", int(syscall.SIGIOT)},
	{"SIGCLD", int(syscall.SIGCLD)},
	{"SIGPWR", int(syscall.SIGPWR)},
	{"SIGSTKFLT", int(syscall.SIGSTKFLT)},
	// The real-time range, as the C library hands it out: the kernel's first
	// two numbers are its own.
	{"SIGRTMIN", 34},
	{"SIGRTMAX", 64},
}
