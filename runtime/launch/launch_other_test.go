//go:build unix && !linux

package launch

import (
	"syscall"
	"testing"
)

// systemRoles: none that only this system has.
var systemRoles map[string]func([]string)

// checkPID has nothing to see: a failed child does not tell its pid here.
func checkPID(*testing.T, *Error) {}

// checkStrangers lets failed starts be seen as what they are here.
func checkStrangers(t *testing.T, early map[int]syscall.WaitStatus) {
	t.Helper()
	for pid, status := range early {
		if status.ExitStatus() != 253 {
			t.Errorf("pid %d, never told to us, ended with %s", pid, Describe(status))
		}
	}
}

// checkMembers: who is in a group cannot be asked everywhere.
func checkMembers(*testing.T, int, ...int) {}
