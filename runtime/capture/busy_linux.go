package capture

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// busyPipe is a pipe that is left to fill. Its timer is a timerfd: a thread that has
// nothing to do waits for the runtime's own timers by the millisecond.
type busyPipe struct {
	fd    int
	pause time.Duration
	set   bool // the timer is, for this pause
	step  func(fd uintptr) bool
}

// newBusyPipe makes a busy pipe of one, with a descriptor of its own, and a timer for
// it; nil if it cannot. Both are its owner's to close.
func newBusyPipe(pipe syscall.RawConn) (*busyPipe, *os.File) {
	b := &busyPipe{fd: -1}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err == nil {
		failed := pipe.Control(func(fd uintptr) { b.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
		if failed != nil || err != nil {
			unix.Close(timer)
			b.fd = -1
		}
	}
	if b.fd < 0 {
		return nil, nil
	}
	b.step = b.wait
	return b, os.NewFile(uintptr(timer), "timer")
}

// sleep waits for the end of the pause, and reports false if it was woken.
func (b *busyPipe) sleep(timer syscall.RawConn) bool {
	b.set = false
	return timer.Read(b.step) == nil
}

// wait sets the timer, and the second time finds that it has expired.
func (b *busyPipe) wait(timer uintptr) (over bool) {
	if b.set {
		return true
	}
	b.set = true
	return unix.TimerfdSettime(int(timer), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(b.pause))}, nil) != nil
}
