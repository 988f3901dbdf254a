package launch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// CloseOnExecAll marks every open descriptor from 3 up, so that no child gets
// one that the daemon was started with. The daemon calls it first of all.
func CloseOnExecAll() error {
	err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return closeOnExecEach("/proc/self/fd") // a kernel before 5.11, or a filter that does not know it
	}
	return err
}

// ignoredSignals are those that this process ignores. Without /proc there is
// none that we know of.
func ignoredSignals() []syscall.Signal {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			bits, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return signalSet(bits)
		}
	}
	return nil
}

// signalSet lists the signals of a mask, of which bit 0 is signal 1.
func signalSet(bits uint64) []syscall.Signal {
	var list []syscall.Signal
	for sig := syscall.Signal(1); bits != 0; bits, sig = bits>>1, sig+1 {
		if bits&1 != 0 {
			list = append(list, sig)
		}
	}
	return list
}
