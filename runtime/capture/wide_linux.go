package capture

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// wideRoom is how much a wide pipe holds, if the system allows.
	wideRoom = 4 * pipeSize
	// maxWide is how many pipes may be wide at once, for the sake of the memory, of the
	// descriptors of the timers of those that are busy, and of what one user may have in pipes:
	// 64 MiB as a rule, beyond which every further one holds a page or two
	// (pipe-user-pages-soft in pipe(7)).
	maxWide = 32
	// maxBuffer bounds what is read at once of a pipe that a child has made larger still.
	maxBuffer = 1 << 20
)

// widePipes is how many are wide.
var widePipes atomic.Int32

// wideBuffers has buffers for wide pipes.
var wideBuffers = sync.Pool{New: func() any { return new([wideRoom + page]byte) }}

// widePipe is a pipe that may hold more than usual, so that its writer and its reader wait
// less for each other.
type widePipe struct {
	usual, room int                    // bytes that it holds otherwise, and now
	buffer      []byte                 // for all that it may hold, as a rule, and a page more
	pooled      *[wideRoom + page]byte // what buffer is of, nil for nothing that is shared
}

// newWidePipe makes a wide pipe of one; nil if there are as many as may be.
func newWidePipe(fd int) *widePipe {
	if widePipes.Add(1) > maxWide {
		widePipes.Add(-1)
		return nil
	}
	w := &widePipe{usual: pipeRoom(fd, unix.F_GETPIPE_SZ, 0)}
	w.room = max(w.usual, pipeRoom(fd, unix.F_SETPIPE_SZ, max(w.usual, wideRoom)))
	if w.usual == wideRoom { // as a program has left it in whose place this one was executed
		w.usual = pipeSize
	}
	if w.room > wideRoom { // somebody else's doing
		w.buffer = make([]byte, min(w.room, maxBuffer)+page)
	} else {
		w.pooled = wideBuffers.Get().(*[wideRoom + page]byte)
		w.buffer = w.pooled[:]
	}
	return w
}

// pipeRoom asks for or sets what a pipe holds, and returns it; 0 if it cannot.
func pipeRoom(fd, cmd, arg int) int {
	n, err := unix.FcntlInt(uintptr(fd), cmd, arg)
	if err != nil {
		return 0
	}
	return n
}

// narrow has the pipe hold no more than before, unless somebody else has chosen what it holds.
// It reports false if it cannot, since there is more in it.
func (w *widePipe) narrow(fd int) bool {
	return w.room <= w.usual || pipeRoom(fd, unix.F_GETPIPE_SZ, 0) != w.room || pipeRoom(fd, unix.F_SETPIPE_SZ, w.usual) > 0
}

// release has the pipe count no more.
func (w *widePipe) release() {
	widePipes.Add(-1)
	if w.pooled != nil {
		wideBuffers.Put(w.pooled)
	}
}
