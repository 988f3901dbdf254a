//go:build darwin || freebsd

package state

import "syscall"

// systemSignals are the names that the BSD systems have beyond the common ones.
var systemSignals = []Signal{
	{"SIGIO", int(syscall.SIGIO)},
	{"SIGIOT", int(syscall.SIGIOT)},
	{"SIGEMT", int(syscall.SIGEMT)},
	{"SIGINFO", int(syscall.SIGINFO)},
}
