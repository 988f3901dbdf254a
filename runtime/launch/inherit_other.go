//go:build unix && !linux

package launch

import (
	"os/signal"
	"syscall"
)

// CloseOnExecAll marks every open descriptor from 3 up, so that no child gets
// one that the daemon was started with. The daemon calls it first of all.
func CloseOnExecAll() error { return closeOnExecEach("/dev/fd") }

// ignoredSignals are those that this process was started ignoring, as far as Go
// can tell.
func ignoredSignals() []syscall.Signal {
	var list []syscall.Signal
	for sig := syscall.Signal(1); sig < 32; sig++ {
		if signal.Ignored(sig) {
			list = append(list, sig)
		}
	}
	return list
}
