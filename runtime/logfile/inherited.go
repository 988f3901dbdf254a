package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxPartial is how much of an unfinished line is held back, in bytes.
const maxPartial = 64 << 10

// pieceSize is how much is given to a pipe or terminal in one call: as much as a
// pipe takes in one piece (PIPE_BUF) and has room for when it is writable.
const pieceSize = 4096

// pollInterval is how often a wait for a descriptor checks whether it is to go on.
const pollInterval = 100 * time.Millisecond

// flushWait is how long the last, unfinished line waits for its target.
const flushWait = time.Second

// inheritedFDs are the descriptors that were open when the program began and
// not marked close-on-exec, which is what all of our own are. They are not changed once
// there is a Writer.
var inheritedFDs = func() map[int]bool {
	fds := map[int]bool{}
	for fd := range 256 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds[fd] = true
		}
	}
	return fds
}()

// Inherited are the descriptors from 3 up that the program was started with.
func Inherited() []int {
	var fds []int
	for fd := range inheritedFDs {
		if fd > 2 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// Disown says that descriptors which the program was started with were meant for itself: a
// path that names one means nothing, and Inherited is without it, since something else may
// get its number. Call it before the first Writer is made.
func Disown(fds ...int) {
	for _, fd := range fds {
		delete(inheritedFDs, fd)
	}
}

// SetInherited says which descriptors from 3 up the original program was started with,
// in a program that replaced it by an exec and has more of them. Call it before the
// first Writer is made.
func SetInherited(fds []int) {
	was := inheritedFDs
	inheritedFDs = make(map[int]bool)
	for fd := range 3 {
		inheritedFDs[fd] = was[fd]
	}
	for _, fd := range fds {
		inheritedFDs[fd] = true
	}
}

// ownFDs is another name of the directory of our descriptors.
var ownFDs = fmt.Sprintf("/proc/%d/fd", os.Getpid())

// inheritedFD reports which descriptor of ours path means, if it means one.
func inheritedFD(path string) (fd int, ok bool) {
	for range 40 { // as many links as the kernel follows
		path = filepath.Clean(path)
		switch path {
		case "/dev/stdin":
			return 0, true
		case "/dev/stdout":
			return 1, true
		case "/dev/stderr":
			return 2, true
		}
		dir, base := filepath.Split(path)
		switch filepath.Clean(dir) {
		case "/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", ownFDs:
			n, err := strconv.Atoi(base)
			return n, err == nil && n >= 0
		}
		next, err := os.Readlink(path)
		if err != nil {
			if notOfProc(dir) {
				return 0, false
			}
			real, err := filepath.EvalSymlinks(dir)
			if err != nil || real == filepath.Clean(dir) {
				return 0, false
			}
			path = filepath.Join(real, base)
			continue
		}
		if !filepath.IsAbs(next) {
			next = filepath.Join(dir, next)
		}
		path = next
	}
	return 0, false
}

// sharedFD is a descriptor that we were started with. All Writers to it share one,
// so that only one of them is in the kernel and the others wait without a thread.
type sharedFD struct {
	fd      int
	regular bool
	turn    chan struct{} // holds one token while somebody writes
	written atomic.Int64  // bytes
}

var sharedFDs = struct {
	sync.Mutex
	byFD map[int]*sharedFD
}{byFD: map[int]*sharedFD{}}

// sharedTarget is a Writer's use of a sharedFD.
type sharedTarget struct {
	*sharedFD
	interrupted func() bool // see Writer.interrupted
}

func newShared(fd int, interrupted func() bool) (target, error) {
	if !inheritedFDs[fd] {
		return nil, fmt.Errorf("cannot open log: descriptor %d: %w", fd, unix.EBADF)
	}
	sharedFDs.Lock()
	defer sharedFDs.Unlock()
	o := sharedFDs.byFD[fd]
	if o == nil {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return nil, fmt.Errorf("cannot open log: descriptor %d: %w", fd, err)
		}
		o = &sharedFD{fd: fd, regular: st.Mode&unix.S_IFMT == unix.S_IFREG, turn: make(chan struct{}, 1)}
		sharedFDs.byFD[fd] = o
	}
	return &sharedTarget{sharedFD: o, interrupted: interrupted}, nil
}

func (t *sharedTarget) waits() bool  { return true }
func (t *sharedTarget) taken() int64 { return t.written.Load() }
func (t *sharedTarget) close() error { return nil }

func (t *sharedTarget) named(path string) bool {
	fd, ok := inheritedFD(path)
	return ok && fd == t.fd
}

// write writes whole lines in pieces that a pipe takes at once.
func (t *sharedTarget) write(p []byte, until time.Time) (n int, err error) {
	if !t.enter(until) {
		return 0, os.ErrDeadlineExceeded
	}
	defer func() { <-t.turn }()
	for n < len(p) {
		if !t.ready(until) {
			return n, os.ErrDeadlineExceeded
		}
		m, err := unix.Write(t.fd, p[n:n+t.piece(p[n:])])
		if m > 0 {
			n += m
			t.written.Add(int64(m))
		}
		if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
	return n, nil
}

// enter waits for its turn to write.
func (t *sharedTarget) enter(until time.Time) bool {
	for {
		select {
		case t.turn <- struct{}{}:
			return true
		default:
		}
		select {
		case t.turn <- struct{}{}:
			return true
		case <-time.After(pollInterval):
			if t.interrupted() || !time.Now().Before(until) {
				return false
			}
		}
	}
}

// ready waits until the descriptor takes a piece, or is broken.
func (t *sharedTarget) ready(until time.Time) bool {
	for {
		fds := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(pollInterval.Milliseconds()))
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return true // the write will tell what is wrong
		}
		if t.interrupted() || !time.Now().Before(until) {
			return false
		}
	}
}

// piece is how much of p to write with one call.
func (o *sharedFD) piece(p []byte) int {
	if o.regular || len(p) <= pieceSize {
		return len(p)
	}
	if i := bytes.LastIndexByte(p[:pieceSize], '\n'); i >= 0 {
		return i + 1
	}
	return pieceSize
}

// lines is what to write of p now: for a sharedFD, whole lines, with what was
// held back before them. It holds back the rest unless that is too long.
func (w *Writer) lines(p []byte) []byte {
	if _, ok := w.target.(*sharedTarget); !ok {
		return p
	}
	end := bytes.LastIndexByte(p, '\n') + 1
	if len(w.partial)+len(p)-end > maxPartial {
		end = len(p)
	}
	if end == 0 {
		w.partial = append(w.partial, p...)
		return nil
	}
	data := p[:end]
	if len(w.partial) > 0 {
		data = append(w.partial, data...)
	}
	w.partial = nil
	if end < len(p) {
		w.partial = append(w.partial, p[end:]...)
	}
	return data
}

// flush writes what is held back; what the target does not take within a second
// is lost.
func (w *Writer) flush() {
	if len(w.partial) == 0 || w.target == nil {
		return
	}
	held, until := w.partial, time.Now().Add(flushWait)
	w.partial = nil
	for len(held) > 0 {
		n, err := w.target.write(held, until)
		held = held[n:]
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if time.Now().Before(until) {
				continue // somebody else wants the turn, and gets it soon
			}
			err = ErrStalled
		}
		if err != nil {
			w.recordLoss(&w.files, len(held), err)
			return
		}
	}
}

// SameAsStdout reports whether path means the daemon's standard output: by name,
// or because it is the very file that standard output is.
func SameAsStdout(path string) bool {
	if fd, ok := inheritedFD(path); ok {
		return fd == 1
	}
	out, err1 := os.Stdout.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(out, there)
}
