//go:build 386 || arm

package launch

import "golang.org/x/sys/unix"

// The calls of these names without 32 know numbers of 16 bits only.
const (
	sysSetgroups = unix.SYS_SETGROUPS32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetresuid = unix.SYS_SETRESUID32
)
