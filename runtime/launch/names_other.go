//go:build unix && !linux

package launch

import "syscall"

// errnoNames are Supervisor's names of errors that x/sys calls otherwise.
var errnoNames map[syscall.Errno]string
