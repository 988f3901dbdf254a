package capture

import (
	"bytes"
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
	// chunkSize is how much is read at a time of a pipe that is not wide: one record of
	// the log. It is more than such a pipe holds, so that a read divides nothing that was
	// written at once, and one that does not fill the chunk has emptied the pipe.
	chunkSize = pipeSize + page
	// wideChunk is how much is read at a time of a wide one, so that the writer goes on
	// meanwhile, and what is read is still in the processor's cache when it is written.
	wideChunk = 2 * pipeSize
	page      = 4 << 10
)

const (
	fullAt      = pipeSize / 8 * 7 // bytes; its pages may not all be full
	wideAfter   = 4                // so many reads in succession that find a pipe full make it wide,
	reviewAfter = time.Second      // and none for so long makes it as usual
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
	wide  *widePipe // the pipe while it may hold more than usual, otherwise nil
	busy  *busyPipe // the pipe while it is busy, and then it is wide, otherwise nil

	full   int  // reads in succession that found the pipe full while it was not wide
	filled bool // while it is wide: it was full since the last review

	chunk *[chunkSize]byte // for the next read if the pipe is not wide; nil between two
	whole bool             // the next read takes all that is in a wide pipe
	last  []byte           // what the last read had to fill
	n     int              // bytes that it gave, 0 or less at the end
	empty bool             // there was nothing to read
	kept  []byte           // bytes that the next read begins with: the beginning of a line

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
		in.hurry()
	}
}

// wake has await report false, now and until calm. Any goroutine may call it.
func (in *inlet) wake() {
	in.woken.Store(true)
	in.hurry()
}

// hurry ends the wait, this one or the next.
func (in *inlet) hurry() {
	// It fails when the file is closed already, and then nobody waits for it.
	_ = in.waits.Load().SetReadDeadline(time.Unix(1, 0))
}

// calm ends a wake. The wait for a wide pipe then ends when it is time for a review. It is
// called by the goroutine, or while that does not wait.
func (in *inlet) calm() {
	var at time.Time
	if in.wide != nil && in.busy == nil {
		at = time.Now().Add(reviewAfter)
	}
	_ = in.file.SetReadDeadline(at)
	if in.woken.Load() { // again, just now; or until just now, and then it is for nothing
		in.hurry()
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
		in.whole = true
		in.read(in.busy.fd)
		took()
		return true
	}
	var s stretch
	// One Read for all: the next would forget what the poller has told.
	quiet := func(fd uintptr) bool {
		defer s.end()
		defer in.beginTurn()()
		for in.whole = false; in.read(int(fd)); {
			emptied, goesOn := in.emptied(), s.goesOn(in.n)
			switch {
			case !took():
				return true
			case in.woken.Load():
				in.giveKept(took)
				return false
			case emptied && !goesOn && announced(int(fd)):
				return false
			}
			in.whole = !goesOn
		}
		return false
	}
	for {
		err := in.raw.Read(quiet)
		if err == nil || in.woken.Load() || in.wide == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err == nil
		}
		in.review()
	}
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

// emptied reports whether the last read has left nothing in the pipe, so that the
// poller tells of what comes next. It does not say so of little. (A pipe in packet mode,
// pipe(7), gives a page at the most, and may have more.)
func (in *inlet) emptied() bool { return page < in.n && in.n+len(in.kept) < len(in.last) }

// read reads a chunk. It reports false, and has no buffer, if there is nothing to read.
func (in *inlet) read(fd int) bool {
	in.last = in.buffer()
	begun := copy(in.last, in.kept)
	for {
		n, err := unix.Read(fd, in.last[begun:])
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if begun > 0 { // which comes before the end, too; the next read finds that again
			n, err = begun+max(n, 0), nil
		}
		in.n, in.empty, in.kept = n, errors.Is(err, syscall.EAGAIN), in.kept[:0]
		if in.empty {
			in.n = 0
			in.release()
			return false
		}
		in.widen(fd)
		in.keep()
		return true
	}
}

// buffer is what the next read fills. That of a pipe that is not wide is taken once there is
// something to read, and not before.
func (in *inlet) buffer() []byte {
	switch {
	case in.wide == nil:
		in.chunk = chunks.Get().(*[chunkSize]byte)
		return in.chunk[:]
	case in.whole:
		return in.wide.buffer
	}
	return in.wide.buffer[:wideChunk]
}

// keep keeps the beginning of a line for the next read, if there is more of it in the pipe
// and that read is made at once.
func (in *inlet) keep() {
	if in.wide == nil || in.whole || in.n < len(in.last) {
		return
	}
	end := in.n - page
	if i := bytes.LastIndexByte(in.last[end:], '\n'); i >= 0 { // no line is as long as a page, as a rule
		end += i + 1
		in.kept, in.n = append(in.kept, in.last[end:]...), end
	}
}

// giveKept gives took what was kept, when there is to be no further read for now.
func (in *inlet) giveKept(took func() (again bool)) {
	if len(in.kept) == 0 {
		return
	}
	in.last = in.buffer()
	in.n, in.empty = copy(in.last, in.kept), false
	in.kept = in.kept[:0]
	took()
}

// bytes are what was read, until release.
func (in *inlet) bytes() []byte { return in.last[:in.n] }

// release gives back the buffer.
func (in *inlet) release() {
	in.last = nil
	if in.chunk != nil {
		chunks.Put(in.chunk)
		in.chunk = nil
	}
}

// widen has a pipe that was found full again and again become wide.
func (in *inlet) widen(fd int) {
	full := in.n >= fullAt
	switch {
	case in.wide != nil:
		in.filled = in.patient && (in.filled || full)
	case !full || !in.patient:
		in.full = 0
	default:
		if in.full++; in.full < wideAfter {
			return
		}
		in.full = 0
		if in.wide = newWidePipe(fd); in.wide != nil {
			in.calm()
		}
	}
}

// review has a wide pipe hold as much as usual again if it was not full since the review
// before. It cannot while there is more in it.
func (in *inlet) review() {
	if !in.filled {
		in.narrow()
	}
	in.filled = false
	in.calm()
}

// narrow has a wide pipe hold as much as usual again, unless there is more in it.
func (in *inlet) narrow() {
	_ = in.raw.Control(func(fd uintptr) {
		if in.wide.narrow(int(fd)) {
			in.unwide()
		}
	})
}

// makeWide makes the pipe wide, if it is not, and reports whether it is.
func (in *inlet) makeWide() bool {
	if in.wide == nil {
		_ = in.raw.Control(func(fd uintptr) { in.wide = newWidePipe(int(fd)) })
	}
	return in.wide != nil
}

// unwide forgets that the pipe is wide.
func (in *inlet) unwide() {
	if in.wide != nil {
		in.wide.release()
		in.wide = nil
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
		if !in.makeWide() {
			return false
		}
		busy, timer := newBusyPipe(in.raw)
		if busy == nil {
			in.rest()
			return false
		}
		in.file.Close()
		in.busy = busy
		in.waitFor(timer)
	}
	in.busy.pause = pause
	return true
}

// rest makes a busy pipe a quiet one, and a wide one as large as usual, unless there is more
// in it.
func (in *inlet) rest() {
	if in.busy != nil {
		in.file.Close()
		fd := in.busy.fd
		in.busy = nil
		in.waitFor(os.NewFile(uintptr(fd), "pipe"))
	}
	if in.wide != nil {
		in.narrow()
		in.calm()
	}
}

// room is how much the pipe holds.
func (in *inlet) room() int {
	if in.wide == nil {
		return pipeSize
	}
	return in.wide.room
}

func (in *inlet) close() {
	in.rest()
	in.unwide()
	in.file.Close()
}
