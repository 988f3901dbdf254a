package state

import (
	"fmt"
	"syscall"
)

// Signal is one name of a signal.
type Signal struct {
	Name   string // with SIG
	Number int
}

// Signals are the names that a stopsignal or a signal request may use on this
// system. Where one number has several names, the first is the one that is
// shown.
//
// Source: contract/config.md sections 4 and 11.
var Signals = append([]Signal{
	{"SIGABRT", int(syscall.SIGABRT)},
	{"SIGALRM", int(syscall.SIGALRM)},
	{"SIGBUS", int(syscall.SIGBUS)},
	{"SIGCHLD", int(syscall.SIGCHLD)},
	{"SIGCONT", int(syscall.SIGCONT)},
	{"SIGFPE", int(syscall.SIGFPE)},
	{"SIGHUP", int(syscall.SIGHUP)},
	{"SIGILL", int(syscall.SIGILL)},
	{"SIGINT", int(syscall.SIGINT)},
	{"SIGKILL", int(syscall.SIGKILL)},
	{"SIGPIPE", int(syscall.SIGPIPE)},
	{"SIGPROF", int(syscall.SIGPROF)},
	{"SIGQUIT", int(syscall.SIGQUIT)},
	{"SIGSEGV", int(syscall.SIGSEGV)},
	{"SIGSTOP", int(syscall.SIGSTOP)},
	{"SIGSYS", int(syscall.SIGSYS)},
	{"SIGTERM", int(syscall.SIGTERM)},
	{"SIGTRAP", int(syscall.SIGTRAP)},
	{"SIGTSTP", int(syscall.SIGTSTP)},
	{"SIGTTIN", int(syscall.SIGTTIN)},
	{"SIGTTOU", int(syscall.SIGTTOU)},
	{"SIGURG", int(syscall.SIGURG)},
	{"SIGUSR1", int(syscall.SIGUSR1)},
	{"SIGUSR2", int(syscall.SIGUSR2)},
	{"SIGVTALRM", int(syscall.SIGVTALRM)},
	{"SIGWINCH", int(syscall.SIGWINCH)},
	{"SIGXCPU", int(syscall.SIGXCPU)},
	{"SIGXFSZ", int(syscall.SIGXFSZ)},
}, systemSignals...)

// SignalName is the name of a signal as Supervisor's log shows it, such as
// SIGTERM; a number without a name is "signal 35".
func SignalName(n int) string {
	for _, sig := range Signals {
		if sig.Number == n {
			return sig.Name
		}
	}
	return fmt.Sprintf("signal %d", n)
}
