package value

import (
	"fmt"
	"strings"
	"syscall"
)

// namedSignal is one name of a signal, with SIG.
type namedSignal struct {
	name   string
	number int
}

// signals are the names that a stopsignal or a signal request may use on this
// system. Where one number has several names, the first is the one that is
// shown.
//
// Source: contract/config.md sections 4 and 11.
var signals = append([]namedSignal{
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

// ParseSignal reads a signal: its number, or its name in any case, with or
// without SIG. 0 is accepted, which sends nothing.
//
// Differs: Supervisor also takes the names SIG_IGN, SIG_DFL, SIG_BLOCK and their
// like, which are no signals (contract/differences.md row 44).
func ParseSignal(s string) (int, error) {
	if n, ok := parseBase(s, 10); ok {
		if n == 0 {
			return 0, nil
		}
		for _, sig := range signals {
			if int64(sig.number) == n {
				return sig.number, nil
			}
		}
		return 0, fmt.Errorf("value %s is not a valid signal number", PyRepr(s))
	}
	name := strings.ToUpper(Strip(s))
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	for _, sig := range signals {
		if sig.name == name {
			return sig.number, nil
		}
	}
	return 0, fmt.Errorf("value %s is not a valid signal name", PyRepr(s))
}

// SignalName is the name of a signal as Supervisor's log shows it, such as
// SIGTERM; a number without a name is "signal 35".
func SignalName(n int) string {
	for _, sig := range signals {
		if sig.number == n {
			return sig.name
		}
	}
	return fmt.Sprintf("signal %d", n)
}
