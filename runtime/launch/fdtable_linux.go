package launch

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// fdTable is a table of descriptors that belongs to one forking thread. A child begins with
// a copy of its parent's, and execve closes in it, one by one, what the program is not to
// have: with a thousand programs the daemon has some five thousand descriptors, and that
// takes as long as all the rest of a start. From a table with a handful it takes nothing.
//
// The descriptors of a child come over a socket of which the daemon has one end and the
// thread the other.
type fdTable struct {
	daemon int // in the daemon's table
	thread int // in the thread's
}

// own gives the calling thread a table of its own, in which there are standard input and
// output, one end of a socket, and what Go's poller needs on whatever thread it is called.
// The thread must be locked, for good. It fails where the kernel (before 5.9) or a filter
// of system calls does not let it; the thread then shares the daemon's table.
func (t *fdTable) own() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	keep, err := poller()
	if err == nil {
		err = closeOthers(append(keep, 0, 1, 2, pair[1]))
	}
	if err != nil {
		_, _ = unix.Close(pair[0]), unix.Close(pair[1])
		return err
	}
	t.daemon, t.thread = pair[0], pair[1]
	return nil
}

// made has the daemon let go of the thread's end, once there is a table.
func (t *fdTable) made() { _ = unix.Close(t.thread) }

// close closes the daemon's end. The thread's table ends with the thread.
func (t *fdTable) close() { _ = unix.Close(t.daemon) }

// polls are the descriptors that poller has found.
var polls struct {
	mu    sync.Mutex
	known []int
}

// poller are the descriptors of Go's poller, which are the same for the whole life of the
// process, and whatever else of their kinds there was when they were looked for.
func poller() ([]int, error) {
	polls.mu.Lock()
	defer polls.mu.Unlock()
	changed := func(fd int) bool {
		kind := kindOf(strconv.Itoa(fd))
		return kind != EventPoll && kind != eventFD
	}
	if len(polls.known) == 0 || slices.ContainsFunc(polls.known, changed) {
		known, err := pollerDescriptors()
		if err != nil {
			return nil, err
		}
		polls.known = known
	}
	return slices.Clone(polls.known), nil
}

// pollerDescriptors looks for what poller returns.
func pollerDescriptors() ([]int, error) {
	r, w, err := os.Pipe() // makes sure that the poller has begun
	if err != nil {
		return nil, err
	}
	_, _ = r.Close(), w.Close()
	epolls, wakes := 0, 0
	list, err := descriptors(func(fd int, kind string) bool {
		switch {
		case kind == EventPoll && !slices.Contains(notOurs, fd):
			epolls++
		case kind == eventFD:
			wakes++
		default:
			return false
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if epolls == 0 || wakes == 0 {
		return nil, errors.New("cannot determine the descriptors of Go's poller")
	}
	return list, nil
}

// notOurs are epoll instances that are not Go's poller in this program.
var notOurs []int

// LeaveOut has no forking thread keep these epoll instances, which a program has left that has
// executed this one. Call it before the first process is started.
func LeaveOut(fds []int) { notOurs = fds }

// Kinds of descriptors.
const (
	EventPoll = "eventpoll"
	Inotify   = "inotify"
	eventFD   = "eventfd"
)

// Descriptors are those of this process that are of one of these kinds, which have no names.
// The error is that of a /proc that is not there.
func Descriptors(kinds ...string) ([]int, error) {
	return descriptors(func(_ int, kind string) bool { return slices.Contains(kinds, kind) })
}

// descriptors are those that have no names and are wanted.
func descriptors(wanted func(fd int, kind string) bool) (list []int, err error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		kind := kindOf(e.Name())
		fd, err := strconv.Atoi(e.Name())
		if err == nil && kind != "" && wanted(fd, kind) {
			list = append(list, fd)
		}
	}
	return list, nil
}

// kindOf is the kind of a descriptor that has no name; "" if it has one.
func kindOf(fd string) string {
	target, _ := os.Readlink("/proc/self/fd/" + fd)
	kind, anonymous := strings.CutPrefix(target, "anon_inode:")
	if !anonymous {
		return ""
	}
	return strings.Trim(kind, "[]")
}

// closeOthers gives the calling thread a table with only these descriptors.
func closeOthers(keep []int) error {
	slices.Sort(keep)
	last := keep[len(keep)-1]
	if err := unix.CloseRange(uint(last)+1, maxDescriptor, unix.CLOSE_RANGE_UNSHARE); err != nil {
		return err
	}
	for fd := range last { // of a table that is small now
		if _, kept := slices.BinarySearch(keep, fd); !kept {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// maxDescriptor is the highest number that the kernel knows of a descriptor.
const maxDescriptor = 1<<32 - 1

// send hands copies of descriptors of the daemon to the thread, which receives them.
func (t *fdTable) send(files []int) error {
	return ignoringEINTR(func() error { return unix.Sendmsg(t.daemon, []byte{0}, unix.UnixRights(files...), nil, 0) })
}

// receive returns the next n that were sent. They are the thread's to close.
func (t *fdTable) receive(n int) (files []int, err error) {
	oob := make([]byte, unix.CmsgSpace(4*n))
	var got int
	err = ignoringEINTR(func() (err error) {
		_, got, _, _, err = unix.Recvmsg(t.thread, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		return err
	})
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:got])
	if err == nil && len(messages) == 1 {
		files, err = unix.ParseUnixRights(&messages[0])
	}
	if err == nil && len(files) != n {
		closeFiles(files)
		err = unix.EMFILE // it is what the kernel leaves some out for
	}
	return files, err
}

func closeFiles(files []int) {
	for _, fd := range files {
		_ = unix.Close(fd)
	}
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
