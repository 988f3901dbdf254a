//go:build darwin || freebsd

package value

import "syscall"

// systemSignals are the names that the BSD systems have beyond the common ones.
var systemSignals = []namedSignal{
	{"SIGIO", int(syscall.SIGIO)},
	{"SIGIOT", int(syscall.SIGIOT)},
	{"SIGEMT", int(syscall.SIGEMT)},
	{"SIGINFO", int(syscall.SIGINFO)},
}
