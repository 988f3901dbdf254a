package capture

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// sleepers are the Streams of this program that sleep.
var sleepers poller

// poller is an epoll instance with the pipes of Streams that sleep. One goroutine waits
// for it, as for a pipe, from the first of them on.
type poller struct {
	once sync.Once
	fd   int // -1 if there is none

	mu   sync.Mutex
	byFD map[int32]*Stream
}

// add has s roused at its first byte, or at the end of its pipe. It reports false if it
// cannot.
func (d *poller) add(s *Stream) (added bool) {
	d.once.Do(d.open)
	if d.fd < 0 {
		return false
	}
	failed := s.in.raw.Control(func(fd uintptr) {
		d.mu.Lock()
		d.byFD[int32(fd)] = s
		d.mu.Unlock()
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(fd)}
		err := unix.EpollCtl(d.fd, unix.EPOLL_CTL_ADD, int(fd), &event)
		if errors.Is(err, unix.EEXIST) { // from a Stream that has given away the pipe
			err = unix.EpollCtl(d.fd, unix.EPOLL_CTL_MOD, int(fd), &event)
		}
		added = err == nil
	})
	if !added {
		d.remove(s)
	}
	return failed == nil && added
}

// remove forgets s. The kernel forgets a pipe that is closed.
func (d *poller) remove(s *Stream) {
	_ = s.in.raw.Control(func(fd uintptr) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.byFD[int32(fd)] == s {
			delete(d.byFD, int32(fd))
		}
	})
}

func (d *poller) open() {
	d.byFD = make(map[int32]*Stream)
	var err error
	if d.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		d.fd = -1
		return
	}
	_ = unix.SetNonblock(d.fd, true)             // has the runtime's poller wait for it
	go d.run(os.NewFile(uintptr(d.fd), "epoll")) // ends with the process
}

func (d *poller) run(file *os.File) {
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	var events [64]unix.EpollEvent
	for err == nil {
		n := 0
		err = raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:], 0)
			return n > 0
		})
		for _, e := range events[:max(n, 0)] {
			d.mu.Lock()
			s := d.byFD[e.Fd]
			delete(d.byFD, e.Fd)
			d.mu.Unlock()
			if s != nil {
				s.rouse()
			}
		}
	}
}
