package launch

import (
	"errors"
	"fmt"
	"syscall"

	"supervisord/runtime/state"
)

// Exit is a child that has ended and been reaped.
type Exit struct {
	PID    int
	Status syscall.WaitStatus
	// PerhapsOurs says that Run may have started it: Stranger knows.
	PerhapsOurs bool
}

// Reap collects children that have ended, up to max of them, without waiting
// for any. Fewer than max means that none is left for now. Those that Run has started
// are collected and not returned. The loop alone
// calls it; the package comment says what holds between it and Start.
//
// Source: contract/process.md sections 2 and 12.
func Reap(max int) []Exit {
	reapLock()
	defer reapUnlock()
	var exits []Exit
	for len(exits) < max {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		if was, perhaps := reapedHelper(pid, status); !was {
			exits = append(exits, Exit{pid, status, perhaps})
		}
	}
	return exits
}

// Describe words how a process ended: "exit status 3", "terminated by SIGTERM",
// "terminated by SIGSEGV (core dumped)".
//
// Source: contract/config.md section 11.
func Describe(status syscall.WaitStatus) string {
	switch {
	case status.Exited():
		return fmt.Sprintf("exit status %d", status.ExitStatus())
	case status.CoreDump():
		return fmt.Sprintf("terminated by %s (core dumped)", state.SignalName(int(status.Signal())))
	case status.Signaled():
		return fmt.Sprintf("terminated by %s", state.SignalName(int(status.Signal())))
	}
	return fmt.Sprintf("unknown termination cause 0x%04x", uint32(status))
}
