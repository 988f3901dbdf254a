package capture

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is how much a pipe holds, unless somebody has changed that.
	pipeSize = 64 << 10
	// chunkSize is how much is read at a time of a pipe that was never busy: one record of
	// the log. It is more than such a pipe holds, so that a read divides nothing that was
	// written at once, and one that does not fill the chunk has emptied the pipe.
	chunkSize = pipeSize + page
	page      = 4 << 10
)

// chunks has buffers for streams that have something to read.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// inlet is the read end of a pipe. It is used by one goroutine, but for wake.
//
// While the pipe is quiet, the runtime's poller says when there is something in it. The
// poller would be woken by each write to a busy one, though, whether anybody waits for
// it or not; so it has a timer in place of that.
type inlet struct {
	file  *os.File                // what is waited for: the pipe, or the timer
	raw   syscall.RawConn         // of file
	waits atomic.Pointer[os.File] // file, for wake
	woken atomic.Bool
	busy  *busyPipe // the pipe while it is busy, otherwise nil

	large []byte           // as much as the pipe may hold, once it was busy, until the end
	chunk *[chunkSize]byte // before; nil between two reads
	n     int              // 0 or less at the end
	empty bool             // there was nothing to read

	patient bool  // what is read may wait while there are requests
	turn    *turn // that it takes then; nil until the first
}

// newInlet takes over r, a pipe in non-blocking mode.
func newInlet(r *os.File) *inlet {
	in := &inlet{}
	in.waitFor(r)
	return in
}

func (in *inlet) waitFor(f *os.File) {
	in.file = f
	in.raw, _ = f.SyscallConn() // it fails for no file at all
	in.waits.Store(f)
	if in.woken.Load() {
		in.wake()
	}
}

// wake has await report false, now and until calm. Any goroutine may call it.
func (in *inlet) wake() {
	in.woken.Store(true)
	// It fails when the file is closed already, and then nobody waits for it.
	_ = in.waits.Load().SetReadDeadline(time.Unix(1, 0))
}

// calm ends a wake. It is called by the goroutine, or while that does not wait.
func (in *inlet) calm() {
	_ = in.file.SetReadDeadline(time.Time{})
	if in.woken.Load() { // again, just now
		in.wake()
	}
}

// each reads again and again, and calls took after each read, until took returns false:
// as soon as there is something to read or, once, when the pause of a busy pipe is over.
// It reports false if it was woken. took must not close the inlet, nor have it linger.
func (in *inlet) each(took func() (again bool)) bool {
	if in.busy != nil {
		if !in.busy.sleep(in.raw) {
			return false
		}
		defer in.beginTurn()()
		in.read(uintptr(in.busy.fd))
		took()
		return true
	}
	var s stretch
	// One Read for all: the next would forget what the poller has told.
	return in.raw.Read(func(fd uintptr) bool {
		defer s.end()
		defer in.beginTurn()()
		for in.read(fd) {
			n := in.n
			switch {
			case !took():
				return true
			case in.woken.Load(), in.emptied(n) && !s.goesOn(n) && announced(int(fd)):
				return false
			}
		}
		return false
	}) == nil
}

// beginTurn waits for a turn, if there is to be one, and returns what ends it.
func (in *inlet) beginTurn() (end func()) {
	if !in.patient || !attentive() {
		return func() {}
	}
	if in.turn == nil {
		in.turn = newTurn()
	}
	copying.take(in.turn)
	return func() { copying.end(in.turn) }
}

// emptied reports whether a read of n bytes has left nothing in the pipe, so that the
// poller tells of what comes next. It does not say so of little. (A pipe in packet mode,
// pipe(7), gives a page at the most, and may have more.)
func (in *inlet) emptied(n int) bool { return page < n && n < in.most() }

// read reads a chunk. It reports false, and has no buffer, if there is nothing to read.
func (in *inlet) read(fd uintptr) bool {
	if in.large == nil { // the buffer is taken once there is something to read, and not before
		in.chunk = chunks.Get().(*[chunkSize]byte)
	}
	for {
		n, err := unix.Read(int(fd), in.buffer())
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		in.n, in.empty = n, errors.Is(err, syscall.EAGAIN)
		if in.empty {
			in.n = 0
			in.release()
		}
		return !in.empty
	}
}

func (in *inlet) buffer() []byte {
	if in.large != nil {
		return in.large
	}
	return in.chunk[:]
}

// most is how much a read can give.
func (in *inlet) most() int {
	if in.large != nil {
		return len(in.large)
	}
	return chunkSize
}

// bytes are what was read, until release.
func (in *inlet) bytes() []byte { return in.buffer()[:in.n] }

// release gives back the buffer.
func (in *inlet) release() {
	if in.chunk != nil {
		chunks.Put(in.chunk)
		in.chunk = nil
	}
}

// linger has the next await leave the pipe to fill for so long, or with 0 read as soon
// as there is something. It reports false if it cannot do the former.
func (in *inlet) linger(pause time.Duration) bool {
	if pause == 0 {
		in.rest()
		return true
	}
	if in.busy == nil {
		busy, timer := newBusyPipe(in.raw)
		if busy == nil {
			return false
		}
		in.file.Close()
		in.busy = busy
		if len(in.large) < busy.room {
			in.large = make([]byte, busy.room)
		}
		in.waitFor(timer)
	}
	in.busy.pause = pause
	return true
}

// rest makes a busy pipe a quiet one.
func (in *inlet) rest() {
	if in.busy == nil {
		return
	}
	in.file.Close()
	fd, usual := in.busy.end()
	in.busy = nil
	if usual {
		in.large = nil
	}
	in.waitFor(os.NewFile(uintptr(fd), "pipe"))
}

// room is how much the pipe holds.
func (in *inlet) room() int {
	if in.busy == nil {
		return pipeSize
	}
	return in.busy.room
}

func (in *inlet) close() {
	in.rest()
	in.file.Close()
}
