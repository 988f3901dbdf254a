package capture

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// busyRoom is how much a busy pipe holds, if the system allows.
	busyRoom = 256 << 10
	// maxBusy is how many pipes may be busy at once, for the sake of the descriptors of
	// their timers, and of what one user may have in pipes: 64 MiB as a rule, beyond
	// which every further one holds a page or two (pipe-user-pages-soft in pipe(7)).
	maxBusy = 32
)

// busyPipes is how many are busy.
var busyPipes atomic.Int32

// busyPipe is a pipe that is left to fill. Its timer is a timerfd: a thread that has
// nothing to do waits for the runtime's own timers by the millisecond.
type busyPipe struct {
	fd    int
	usual int // what it holds while it is quiet
	room  int
	pause time.Duration
	set   bool // the timer is, for this pause
	step  func(fd uintptr) bool
}

// newBusyPipe makes a busy pipe of one, with a descriptor of its own, and a timer for
// it; nil if it cannot.
func newBusyPipe(pipe syscall.RawConn) (*busyPipe, *os.File) {
	if busyPipes.Add(1) > maxBusy {
		busyPipes.Add(-1)
		return nil, nil
	}
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
		busyPipes.Add(-1)
		return nil, nil
	}
	b.step = b.wait
	b.usual = b.size(unix.F_GETPIPE_SZ, 0)
	b.room = max(b.usual, b.size(unix.F_SETPIPE_SZ, max(b.usual, busyRoom)))
	return b, os.NewFile(uintptr(timer), "timer")
}

// size asks for or sets what the pipe holds, and returns it; 0 if it cannot.
func (b *busyPipe) size(cmd, arg int) int {
	n, err := unix.FcntlInt(uintptr(b.fd), cmd, arg)
	if err != nil {
		return 0
	}
	return n
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

// end gives back the pipe, and reports whether it holds no more than before. It does while
// there is more in it.
func (b *busyPipe) end() (fd int, usual bool) {
	busyPipes.Add(-1)
	return b.fd, b.room <= b.usual || b.usual > 0 && b.size(unix.F_SETPIPE_SZ, b.usual) > 0
}
